"""How the words of ``pycyto train`` are understood."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from pycyto.cli.main import main


def said_to_the_step(*words: str) -> dict[str, object]:
    """Run the command with something else in place of its step; return what that was told."""
    with mock.patch("pycyto.steps.train.train") as step:
        assert main(["train", "data", "--out", "model", *words]) == 0
    return dict(step.call_args.kwargs)


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("0", "none"), ("none", "none"), ("paper", "paper")]
)
def test_unfreeze_takes_a_number_or_a_word(text: str, value: object) -> None:
    assert said_to_the_step("--unfreeze", text)["unfreeze"] == value


def test_what_is_not_said_is_left_to_the_step() -> None:
    told = said_to_the_step()
    assert (told["unfreeze"], told["views"], told["restart"]) == (None, None, False)


@pytest.mark.parametrize("text", ["two", "-1", "1.5", "all"])
def test_other_words_for_layers_are_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "model")
    assert main(["train", str(tmp_path), "--out", place, "--unfreeze", text]) == 2
    assert "neither a number of layers" in capsys.readouterr().err
