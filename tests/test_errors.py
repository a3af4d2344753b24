"""Errors say what, where and what to do, and end with the code that the page of them names."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from pycyto import errors
from pycyto.errors import BadInputError, PycytoError, itemised


def tree() -> dict[str, tuple[int, str]]:
    """Exit code and parent of each class, as drawn in the docstring."""
    found: dict[str, tuple[int, str]] = {}
    above: dict[int, str] = {}
    for branch, name, code in re.findall(
        r"^    ([ │├└─]*)(\w+Error) +(\d)", errors.__doc__ or "", re.MULTILINE
    ):
        depth = len(branch) // 4
        above[depth] = name
        found[name] = (int(code), above.get(depth - 1, "Exception"))
    return found


def classes() -> list[type[PycytoError]]:
    return [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, PycytoError)]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    real = {c.__name__: (c.exit_code, c.__base__.__name__) for c in classes() if c.__base__}
    assert tree() == real
    assert len(real) == 10


def test_a_message_stands_alone() -> None:
    error = BadInputError(
        "The slide is missing.", where=Path("a") / "é b.svs", remedy="Put it back."
    )
    assert str(error) == (
        f"The slide is missing.\n  where: {Path('a') / 'é b.svs'}\n  to do: Put it back."
    )


@pytest.mark.parametrize(
    ("where", "remedy", "text"),
    [
        (None, None, "What."),
        ("here", None, "What.\n  where: here"),
        (None, "This.", "What.\n  to do: This."),
    ],
)
def test_parts_that_are_not_known_are_left_out(
    where: str | None, remedy: str | None, text: str
) -> None:
    error = PycytoError("What.", where=where, remedy=remedy)
    assert str(error) == text == error.args[0]


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_a_copy_says_the_same(kind: type[PycytoError]) -> None:
    """What is sent from one process to another is copied this way."""
    error = kind("What.", where="here", remedy="This.")
    twin = copy.copy(error)
    assert type(twin) is kind
    assert (str(twin), twin.what, twin.where, twin.remedy) == (str(error), "What.", "here", "This.")


def test_of_many_sentences_twenty_are_told_and_the_rest_counted() -> None:
    assert itemised(["one", "two"]) == "  - one\n  - two"
    lines = itemised([str(n) for n in range(25)]).splitlines()
    assert (len(lines), lines[19], lines[20]) == (21, "  - 19", "  - … and 5 more")
