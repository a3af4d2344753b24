"""Figures that evaluations found are in the bundle and in its card, and never in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycyto.files import read_json, write_json
from pycyto.learning.bundle import load_bundle
from pycyto.learning.evaluated import keep_evaluation
from pycyto.learning.saving import check_place


def entry(data: str, said: str) -> dict[str, Any]:
    return {
        "finished_at": "2026-01-31T12:00:00+00:00",
        "inputs": {"manifest.csv": data},
        "summary": [said],
        "limits": ["No tested cell is LSIL."],
        "figures": {"macro_f1": {"value": 0.5}},
    }


def kept(path: Path) -> list[str]:
    content = read_json(path / "evaluation.json")
    return [found["summary"][0] for found in content["evaluations"]]


def test_a_new_bundle_says_that_it_was_not_evaluated(copied: Path) -> None:
    page = (copied / "README.txt").read_text("utf-8")
    assert "It has not been evaluated" in page
    assert "Licence      not stated" in page


def test_the_card_tells_what_was_found_and_where_it_fails(copied: Path) -> None:
    keep_evaluation(load_bundle(copied), entry("a", "3 of 9 HSIL cells were called NILM."))
    page = (copied / "README.txt").read_text("utf-8")
    assert "  - 3 of 9 HSIL cells were called NILM." in page
    assert "Known failures and limits:\n  - No tested cell is LSIL." in page
    assert "It has not been evaluated" not in page
    assert max(map(len, page.splitlines())) <= 100


def test_the_same_data_again_replaces_and_other_data_join(copied: Path) -> None:
    bundle = load_bundle(copied)
    for data, said in (("a", "first"), ("b", "other"), ("a", "second")):
        keep_evaluation(bundle, entry(data, said))
    assert kept(copied) == ["other", "second"]


@pytest.mark.parametrize(
    "content", ["no table", {"schema": 9}, {"schema": 1, "evaluations": [{"summary": [7]}]}]
)
def test_a_file_that_is_not_what_it_should_be_is_replaced(copied: Path, content: object) -> None:
    write_json(copied / "evaluation.json", content)
    keep_evaluation(load_bundle(copied), entry("a", "anew"))
    assert kept(copied) == ["anew"]


def test_figures_of_another_model_are_dropped(copied: Path) -> None:
    keep_evaluation(load_bundle(copied), entry("a", "of this one"))
    content = read_json(copied / "evaluation.json")
    write_json(copied / "evaluation.json", {**content, "bundle_id": "other"})
    keep_evaluation(load_bundle(copied), entry("b", "anew"))
    assert kept(copied) == ["anew"]


def test_a_bundle_with_figures_loads_and_may_be_overwritten(copied: Path) -> None:
    keep_evaluation(load_bundle(copied), entry("a", "x"))
    load_bundle(copied)
    check_place(copied, overwrite=True)
