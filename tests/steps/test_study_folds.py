"""A study by folds: every cell is tested once, by a model that has not seen its fold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pycyto.files import read_json
from pycyto.learning.bundle import load_bundle, was_trained_on
from pycyto.manifest import read_manifest
from pycyto.parts import read_folds
from pycyto.steps.ingest import ingest
from pycyto.steps.scored import read_scores
from pycyto.steps.study import study
from pycyto.steps.study_folds import out_of_fold
from pycyto.steps.study_stages import Stage
from pycyto.temperature import at_temperature, best_temperature
from tests.manifests import write_manifest
from tests.steps.study_sets import STUDY, draw_set
from tests.steps.test_train import Listener

NUMBER = 3


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study of two sets in three folds, and one for the test.

    Half of the cells of the second are as if they had been cut from larger images.
    """
    folder = tmp_path_factory.mktemp("folds")
    draw_set(folder / "one", 1, number=12)
    draw_set(folder / "drawn", 2, number=12, tint=25)
    ingest("folder", folder / "drawn", out=folder / "two", reporter=Listener())
    cut = [
        replace(row, original_width=None, original_height=None) if number % 2 else row
        for number, row in enumerate(read_manifest(folder / "two"))
    ]
    write_manifest(folder / "two", cut)
    draw_set(folder / "new", 3, number=4)
    text = STUDY.replace("fractions = [40, 30, 30]", f"folds = {NUMBER}")
    text = text.replace('[cross_domain]\nby = "source"\n', "")
    text = text.replace("atlas = 2", "atlas = 0\nleaking = true")
    text = text.replace('kind = "folder"\npath = "two"', 'kind = "dataset"\npath = "two"')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    study(folder / "study.toml", out=folder / "out", reporter=Listener())
    return folder / "out"


def test_every_cell_is_scored_by_a_model_that_has_not_seen_its_fold(out: Path) -> None:
    data = out / "pooled" / "data"
    folds, rows = read_folds(data), read_manifest(data)
    scored = 0
    for number in range(1, NUMBER + 1):
        place = out / "folds" / "small-seed0" / f"fold{number}"
        bundle = load_bundle(place / "model")
        _, scores = read_scores(place / "scores.csv")
        assert set(scores) == {row.key for row in rows if folds[row.key] == number}
        for row in rows:
            assert was_trained_on(bundle, row.key) == (folds[row.key] != number)
        scored += len(scores)
    assert scored == len(rows) == 72
    kept = load_bundle(out / "models" / "small-seed0" / "model")
    assert all(was_trained_on(kept, row.key) for row in rows)


def test_the_figures_are_of_all_cells_and_the_report_says_of_which_model(out: Path) -> None:
    found = read_json(out / "study.json")
    (model,) = found["networks"][0]["models"]
    sizes = {(own["source"], own["which"]): own["figures"]["n"] for own in model["sources"]}
    assert sizes == {
        ("one", "out of fold"): 36,
        ("two", "out of fold"): 36,
        ("new", "new groups"): 12,
    }
    page = (out / "index.html").read_text("utf-8")
    assert "models of 3 folds" in page
    metrics = read_json(out / "evaluation" / "metrics.json")
    assert metrics["folds"] == NUMBER
    assert metrics["cells"] == 72
    skipped = metrics["provenance"]["counts"]["skipped"]
    assert (skipped["no class"], skipped["not in the test part"]) == (0, 0)
    assert metrics["controls"]["colour only"]["figures"]["n"] == 72
    assert set(metrics["split"]["parts"]) == {"fold 1", "fold 2", "fold 3"}


def test_what_misleads_is_told_source_by_source(out: Path) -> None:
    found = read_json(out / "study.json")
    assert [own["source"] for own in found["misleading"]] == ["one", "two"]
    for own in found["misleading"]:
        claimed = own["macro_f1_claimed_by_leaking_splits"]
        assert set(claimed) == {"random split", "augmentation before the split"}
        assert (own["cells"], own["with_another_cell_in_the_patch"]) == (36, 0)
    alone = [own["size_of_the_picture_alone"] for own in found["misleading"]]
    assert [(own["cells_compared"], own["cells"]) for own in alone] == [(36, 36), (18, 36)]
    tested = [own["figures"]["n"] for own in found["leaking_variants"].values()]
    assert tested == [72, 4 * 72]
    page = (out / "index.html").read_text("utf-8")
    assert "LEAKING: random split" in page
    assert "on 18 of 36 cells; the model there" in page
    assert "this model, on the same 54 of 72 cells" in page
    assert "source-" not in page


def test_the_evaluation_uses_the_answers_of_the_study(out: Path) -> None:
    metrics = read_json(out / "evaluation" / "metrics.json")
    model = read_json(out / "study.json")["networks"][0]["models"][0]
    for name in ("accuracy", "macro_f1", "hsil_to_nilm", "calibration_error"):
        assert metrics["named_figures"][name]["value"] == model["test_part"][name]["value"]


def test_no_cell_has_a_say_in_its_own_temperature(out: Path) -> None:
    data = out / "pooled" / "data"
    stages = [
        Stage("", out / "folds" / "small-seed0" / f"fold{number}", "")
        for number in range(1, NUMBER + 1)
    ]
    found = out_of_fold(data, stages, by_source=False)
    folds = read_folds(data)
    fold = np.array([folds[row.key] for row in found.rows])
    truth = np.array([found.labels.index(row.label) for row in found.rows])
    raw = {
        key: own
        for stage in stages
        for key, own in read_scores(stage.folder / "scores.csv")[1].items()
    }
    answers = np.array([raw[row.key] for row in found.rows])
    others = best_temperature(truth[fold != 1], answers[fold != 1]) or 1.0
    expected = at_temperature(answers[fold == 1], others)
    np.testing.assert_allclose(found.probabilities[fold == 1], expected, rtol=1e-5)
    everything = best_temperature(truth, answers) or 1.0
    assert found.temperature == pytest.approx(everything, abs=1e-4)
    assert load_bundle(out / "models" / "small-seed0" / "model").temperature == found.temperature
