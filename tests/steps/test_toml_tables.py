"""A file of tables is read strictly, and all that is wrong in it is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from pycyto.errors import BadInputError
from pycyto.steps.toml_tables import read_tables


@dataclass(frozen=True)
class Part:
    name: str
    size: float = 1.0
    mode: int | Literal["auto"] | None = None


@dataclass(frozen=True)
class Whole:
    part: tuple[Part, ...]
    on: bool = False
    level: Literal[1, 2] = 1
    words: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    one: Part | None = None


def read(folder: Path, text: str | bytes) -> Whole:
    path = folder / "things.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_tables(path, Whole, "list of things")


def test_all_kinds_of_values_are_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        on = true
        level = 2
        words = ["a"]
        one = { name = "x", mode = "auto" }
        groups = { both = ["a", "b"] }
        [[part]]
        name = "p"
        size = 2
        mode = 3
        """,
    )
    assert found == Whole(
        (Part("p", 2, 3),), on=True, level=2, words=("a",), groups={"both": ("a", "b")},
        one=Part("x", mode="auto"),
    )  # fmt: skip


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = """
        onn = true
        level = true
        words = "a"
        groups = { both = "a" }
        one = 3
        [[part]]
        size = "2"
        [[part]]
        name = "p"
        mode = "auto "
        """
    with pytest.raises(BadInputError) as raised:
        read(tmp_path, text)
    assert raised.value.what.splitlines() == [
        "In this list of things 8 things are wrong:",
        "  - There is no key 'onn' in the list of things. Did you mean 'on'?",
        "  - level = true is not possible. It can be 1 or 2.",
        '  - words = "a" is not possible. It can be a list, as in words = ["one", "two"].',
        '  - groups: both = "a" is not possible. It can be a list, as in both = ["one", "two"].',
        "  - one = 3 is not possible. It can be a table.",
        "  - [[part]] number 1 has no 'name'.",
        '  - [[part]] number 1: size = "2" is not possible. It can be a number.',
        "  - [[part]] p: mode = \"auto \" is not possible. Did you mean 'auto'?",
    ]
    assert raised.value.where == str(tmp_path / "things.toml")


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("on = true\npart = ]", "not valid TOML .*line 2", "Look at that place"),
        ('words = ["C:\\Users"]', "not valid TOML", "single quotes"),
        ("on = true # é".encode("latin-1"), "not UTF-8", "Save it as UTF-8"),
        ("part = 1", "part = 1 is not possible. It can be tables", r"\[\[part\]\]"),
    ],
)
def test_no_tables_at_all(tmp_path: Path, text: str | bytes, message: str, remedy: str) -> None:
    with pytest.raises(BadInputError, match=message) as raised:
        read(tmp_path, text)
    assert raised.match(remedy)
