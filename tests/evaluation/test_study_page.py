"""The page of a study: what flatters stands apart, and two kinds of macro-F1 have two names."""

from __future__ import annotations

import re

import pytest

from pycyto.evaluation.measured import measured
from pycyto.evaluation.of_source import (
    KNOWN_GROUPS,
    NEW_GROUPS,
    OUT_OF_FOLD,
    mean_macro_f1,
    of_source,
)
from pycyto.evaluation.study_page import OfModel, OfNetwork, StudyReport, as_html, as_json
from tests.evaluation.made import called

LABELS = ("NILM", "HSIL")


@pytest.fixture(scope="module")
def report() -> StudyReport:
    """Return a study of two sources, one larger and harder, and a third one for the test."""
    easy = called([0, 1] * 8, [0, 1] * 8, LABELS)
    hard = called([0, 1] * 80, [0, 0] * 60 + [0, 1] * 20, LABELS)
    together = called(
        [*easy.truth.tolist(), *hard.truth.tolist()], [*[0, 1] * 8, *[0, 0] * 60, *[0, 1] * 20],
        LABELS,
    )  # fmt: skip
    learnt = [
        of_source(name, OUT_OF_FOLD, cells, together)
        for name, cells in (("easy", easy), ("hard", hard))
    ]
    tested = [
        of_source(
            "third", KNOWN_GROUPS, called([0, 1] * 10, [0, 1] * 9 + [0, 0], LABELS), together
        ),
        of_source("third", NEW_GROUPS, called([0, 1] * 10, [0, 0] * 10, LABELS), together),
    ]
    costs = {
        "parameters": 10, "megabytes_of_weights": 1, "patches_per_second": 2,
        "seconds_of_training": 3, "peak_megabytes": 4,
    }  # fmt: skip
    model = OfModel(
        network="small",
        seed=0,
        sources=[*tested, *learnt],
        mean=mean_macro_f1(learnt),
        named=measured(together, together).named,
        costs=costs,
    )
    return StudyReport(
        title="Two and one",
        scheme="bethesda",
        sources=[],
        networks=[OfNetwork("small", [model])],
        evaluation={
            "folds": 5,
            "model": {"fitted_at_once": False},
            "leaking_variants": {},
            "controls": {},
            "beside_controls": ["The model beats nothing."],
        },
        misleading=[],
        matrices=[],
        by="",
        crossing="",
        papers=[],
        atlas=[],
        provenance={
            "finished_at": "2026-01-31T12:00:00", "seed": 0, "arguments": {}, "inputs": {},
            "versions": {},
        },
    )  # fmt: skip


def test_what_flatters_stands_apart_and_last(report: StudyReport) -> None:
    page = as_html(report)
    honest, apart = page.split('<div class="flattering">')
    apart, rest = apart.split("</div>", 1)
    assert "1 of 10" in apart
    assert "10 of 10" in honest
    assert KNOWN_GROUPS not in honest
    # Marked there, and in the three tables that have it too.
    assert apart.count('class="mark"') == 1
    assert rest.count('class="mark"') == 3
    assert 'class="flattering"' in rest
    *said, last = as_json(report)["summary"]
    assert last.startswith(f"Flattering: third ({KNOWN_GROUPS}): 1 of 10")
    assert not any("groups that were trained on" in sentence for sentence in said)


def test_what_is_said_beside_controls_is_on_the_page(report: StudyReport) -> None:
    page = as_html(report)
    assert "The model beats nothing." in page[: page.index("of its own")]
    assert "The model beats nothing." in as_json(report)["summary"]


def test_two_kinds_of_macro_f1_have_two_names(report: StudyReport) -> None:
    page = re.sub(r"</?b>", "", as_html(report))
    mean, together = report.first.mean.value, report.first.named["macro_f1"].value
    assert mean is not None
    assert together is not None
    assert mean - together > 0.1
    assert f"Mean of sources, {mean:.2f}" in page
    assert f"All cells together, {together:.2f}" in page
    said = as_json(report)["summary"]
    assert (
        f"small, seed 0, out of fold: macro-F1 {mean:.2f}, the mean of 2 sources; {together:.2f} "
        "for all 176 cells together."
    ) in said
