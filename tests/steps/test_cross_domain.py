"""Trainings on each domain, on all, on all but one: who learns from what, and who is tested."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pycyto.errors import BadInputError, UsageError
from pycyto.evaluation.matrix import Matrix
from pycyto.files import read_json
from pycyto.manifest import read_manifest
from pycyto.parts import read_folds, rows_by_part
from pycyto.steps import cross_domain as step
from pycyto.steps.cross_domain import cross_domain
from pycyto.steps.split import split
from tests.learning.patch_data import write_data
from tests.manifests import write_manifest
from tests.steps.stand_in_training import FAILING, LABELS, stand_in
from tests.steps.test_train import Listener

# Of every part, cell by cell in turn.
DOMAINS = ("one", "two", "three")
PART = dict.fromkeys(LABELS, 12)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data set of three sources, the third without LSIL."""
    folder = tmp_path / "data"
    rows = write_data(folder, dict.fromkeys(("train", "validation", "test"), PART))
    named = [replace(row, source=DOMAINS[number % 3]) for number, row in enumerate(rows)]
    write_manifest(
        folder,
        [row for row in named if (row.source, row.label) != ("three", "LSIL")],
    )
    return folder


@pytest.fixture
def learnt(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return stand_in(monkeypatch)


def made(data: Path, **options: Any) -> Matrix:
    return cross_domain(data, out=data.parent / "out", **options).matrices[0]


def test_every_domain_is_learnt_from_and_tested_on(
    data: Path, learnt: list[dict[str, Any]]
) -> None:
    matrix = made(data, group={"pair": ["one", "two"], "everything": list(DOMAINS)})
    assert {name: set(own) for name, own in matrix.trained.items()} == {
        "one": {"one"},
        "two": {"two"},
        "three": {"three"},
        "pair": {"one", "two"},
        "all": set(DOMAINS),
        "all but one": {"two", "three"},
        "all but two": {"one", "three"},
    }
    assert set(matrix.tested) == {*DOMAINS, "pair", "all"}
    seen = [{row.source for row in call["rows"]["train"]} for call in learnt]
    assert seen == [set(own) for own in matrix.trained.values()]


def test_nobody_learns_from_a_tested_cell(data: Path, learnt: list[dict[str, Any]]) -> None:
    made(data)
    tested = {row.key for row in rows_by_part(data)["test"]}
    used = {
        row.key for call in learnt for part in ("train", "validation") for row in call["rows"][part]
    }
    assert not tested & used


def test_figures_are_those_of_the_answers(data: Path, learnt: list[dict[str, Any]]) -> None:
    matrix = made(data)
    home, away = matrix.fields["one", "one"], matrix.fields["one", "two"]
    assert (home.inside, home.macro_f1.value) == (True, 1)
    assert away.scored == ("NILM", "LSIL", "HSIL")
    # All are called NILM.
    assert away.macro_f1.value == pytest.approx(2 * 4 / (12 + 4) / 3)
    assert away.missed is not None
    assert away.missed.count == away.missed.of == 4
    # What three lacks is not scored, on either side.
    assert matrix.fields["one", "three"].scored == ("NILM", "HSIL")
    assert matrix.fields["three", "one"].scored == ("NILM", "HSIL")
    assert matrix.fields["three", "one"].not_scored == {"LSIL": 4}
    page = (data.parent / "out" / "index.html").read_text("utf-8")
    (one,) = (own for own in matrix.drops if own.trained == "one")
    assert f"<b>{one.drop.value:.2f} lost</b>" in page
    drops = {own.trained: own.drop.value for own in matrix.drops}
    assert set(drops) == set(matrix.trained) - {"all"}
    assert all(value is not None and value > 0 for value in drops.values())


def test_what_is_written_holds_the_same(data: Path, learnt: list[dict[str, Any]]) -> None:
    result = cross_domain(data, out=data.parent / "out", weights=str(data / "secret" / "file"))
    found = read_json(result.figures)
    assert (found["schema"], found["by"]) == (1, "source")
    assert len(found["matrices"][0]["fields"]) == len(result.matrices[0].fields)
    page = result.report.read_text("utf-8")
    assert "all but one" not in page or "learnt from" in page
    for text in (page, result.figures.read_text("utf-8")):
        assert "secret" not in text
    for row in read_manifest(data):
        assert row.image_name not in page


def test_a_second_call_trains_nothing(data: Path, learnt: list[dict[str, Any]]) -> None:
    first = made(data)
    number = len(learnt)
    assert made(data, cache=data.parent / "cache").to_json() == first.to_json()
    assert len(learnt) == number
    made(data, epochs=3)
    assert len(learnt) == 2 * number


def test_with_and_without_normalisation(data: Path, learnt: list[dict[str, Any]]) -> None:
    result = cross_domain(
        data, out=data.parent / "out", colour=["none", "reinhard"], stats="source"
    )
    assert [own.colour for own in result.matrices] == ["none", "reinhard"]
    told = [call["colour"].stats if "colour" in call else None for call in learnt]
    half = len(told) // 2
    assert told == [None] * half + ["source"] * half


def test_a_training_that_fails_is_listed(data: Path, learnt: list[dict[str, Any]]) -> None:
    matrix = made(data, epochs=FAILING)
    assert matrix.failed == dict.fromkeys(DOMAINS, "No cell to learn from.")
    assert matrix.fields["all", "one"].macro_f1.value == 1
    page = (data.parent / "out" / "index.html").read_text("utf-8")
    assert "not trained: No cell to learn from." in page


def test_a_training_that_failed_is_tried_again(
    data: Path, learnt: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise BadInputError("These weights cannot be read.")

    with monkeypatch.context() as patch:
        patch.setattr(step, "train", fails)
        with pytest.raises(BadInputError, match=r"No training could be made(.|\n)*cannot be read"):
            made(data)
    assert not (data.parent / "out" / "index.html").exists()
    assert made(data).failed == {}


def test_sites_have_pseudonyms_unless_names_are_asked_for(
    data: Path, learnt: list[dict[str, Any]]
) -> None:
    rows = read_manifest(data)
    write_manifest(data, [replace(row, site=f"Clinic {row.source}") for row in rows])
    listener = Listener()
    hidden = made(data, by="site", reporter=listener)
    assert not any("Clinic" in name for name in hidden.trained)
    assert any("stands for Clinic one" in said for said in listener.said)
    named = made(data, by="site", identifiers=True)
    assert "Clinic one" in named.trained


@pytest.mark.parametrize("members", [["one", "fuor"], []])
def test_a_group_of_what_is_not_there_is_refused(data: Path, members: list[str]) -> None:
    with pytest.raises(UsageError, match="group 'pair'"):
        made(data, group={"pair": members})


def test_one_domain_alone_is_refused(data: Path) -> None:
    with pytest.raises(BadInputError, match="nothing to compare"):
        made(data, by="scanner")


def test_with_folds_every_cell_is_tested_by_a_training_without_its_fold(
    data: Path, learnt: list[dict[str, Any]]
) -> None:
    split(data, folds=3)
    folds = read_folds(data)
    matrix = made(data, folds=True)
    assert matrix.fields["all", "all"].macro_f1.cells == len(folds)
    rounds = [learnt[start : start + 3] for start in range(0, len(learnt), 3)]
    for name, own in zip(matrix.trained, rounds, strict=True):
        seen = [{folds[row.key] for row in call["rows"]["train"]} for call in own]
        assert seen == [{2, 3}, {1, 3}, {1, 2}]
        sources = {row.source for call in own for row in call["rows"]["train"]}
        assert sources == set(matrix.trained[name])
        assert not any(call["validate"] or call["rows"]["validation"] for call in own)
