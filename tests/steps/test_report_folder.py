"""No report covers what somebody else has put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycyto.errors import RefusedError, UsageError
from pycyto.steps.report_folder import check_report_folder


def put(folder: Path, contents: dict[str, str]) -> None:
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "contents",
    [{}, {"notes.txt": "mine"}, {"index.html": "old", "figures.json": '{"notice": "Research"}'}],
)
def test_a_new_folder_and_an_older_report(tmp_path: Path, contents: dict[str, str]) -> None:
    put(tmp_path, contents)
    check_report_folder(tmp_path, "figures.json")


@pytest.mark.parametrize(
    "contents",
    [
        {"index.html": "mine"},
        {"index.html": "mine", "figures.json": "{}"},
        {"index.html": "mine", "figures.json": "no JSON"},
        {"figures.json": "[1]"},
    ],
)
def test_what_pycyto_has_not_made_stays(tmp_path: Path, contents: dict[str, str]) -> None:
    put(tmp_path, contents)
    with pytest.raises(RefusedError, match="has not made"):
        check_report_folder(tmp_path, "figures.json")


def test_no_report_in_a_data_set(tmp_path: Path) -> None:
    put(tmp_path, {"manifest.csv": ""})
    with pytest.raises(UsageError, match="data set"):
        check_report_folder(tmp_path, "figures.json")
