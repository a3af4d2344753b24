"""How the words of ``pycyto predict`` are understood."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from pycyto.cli.main import main

ONE, OTHER = "1f9c2a00-0000-4000-8000-000000000001", "1f9c2a00-0000-4000-8000-000000000002"


def said_to_the_step(*words: str) -> dict[str, object]:
    """Run the command with something else in place of its step; return what that was told."""
    with mock.patch("pycyto.steps.predict.predict") as step:
        assert main(["predict", "project", "--model", "model", *words]) == 0
    return dict(step.call_args.kwargs)


@pytest.mark.parametrize("text", [f"{ONE}\n{OTHER}\n", f"\ufeff{ONE}\r\n{OTHER}", f"{ONE} {OTHER}"])
def test_chosen_cells_stand_in_a_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "chosen é.txt"
    file.write_text(text, "utf-8", newline="")
    assert said_to_the_step("--cells", str(file))["cells"] == [ONE, OTHER]


def test_all_cells_unless_some_are_named() -> None:
    assert said_to_the_step()["cells"] is None


def test_a_file_that_is_no_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cells.png"
    file.write_bytes(b"\x89PNG")
    assert main(["predict", "project", "--model", "model", "--cells", str(file)]) == 2
    assert "no text file in UTF-8" in capsys.readouterr().err
