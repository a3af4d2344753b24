"""The evaluation step, with a made-up classifier and once with a real one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pycyto import files, provenance
from pycyto.errors import BadInputError, GateError, NotWritableError, RefusedError, UsageError
from pycyto.images.patches import content_hash
from pycyto.images.resolution import Resolution
from pycyto.labels import BETHESDA
from pycyto.learning.bundle import Bundle, mark_of
from pycyto.learning.plan import default_settings
from pycyto.manifest import Row, read_manifest
from pycyto.parts import read_split, rows_by_part, write_split
from pycyto.pseudonyms import pseudonyms_of
from pycyto.records import SILENT, CellKey
from pycyto.steps.evaluate import METRICS_FILE, EvaluateResult, evaluate
from tests.manifests import write_manifest
from tests.steps.test_train import Listener
from tests.stub_model import BUNDLE

LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")

# Planted in every place that can hold a name; none may be in what is written.
SECRETS = ("IMG-Example-Anna", "PAT-4711", "SLIDE-0815", "PROJ-Example", "ANNO-Dr-X", "ENTRY-99")

Classify = Callable[..., np.ndarray]


def row_of(folder: Path, number: int, label: str) -> Row:
    """Write a patch whose red channel is the number, so that a fake can know the cell."""
    pixels = np.full((224, 224, 3), (number, 90, 120), np.uint8)
    file = f"images/{BETHESDA.folder_of(label)}/{SECRETS[0]}-{number}.png"
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / file)
    return Row(
        project_id="project", entry_id=f"{SECRETS[5]}-{number}", object_id=f"object {number}",
        point_index=None, image_key=f"key {number}", project_name=SECRETS[3],
        image_name=f"{SECRETS[0]}.svs", centroid_x=0.0, centroid_y=0.0, left=0, top=0, width=224,
        downsample=1.0, label=label, original_label=label, content_hash=content_hash(pixels),
        file=file, scheme="bethesda", source="lab", site="Site <1>",
        scanner=f"scanner {number % 2}", patient=f"{SECRETS[1]}-{number}", slide=SECRETS[2],
        annotator=SECRETS[4], outline_width=20.0 + number, outline_height=20.0, outline_area=300.0,
    )  # fmt: skip


def write_data(folder: Path, test: Iterable[str]) -> list[Row]:
    """Write a data set: two of each class in train and in validation, `test` in test."""
    wanted = [("train", label) for label in LABELS * 2]
    wanted += [("validation", label) for label in LABELS * 2]
    wanted += [("test", label) for label in test]
    rows: list[Row] = []
    parts: dict[CellKey, str] = {}
    for number, (part, label) in enumerate(wanted):
        rows.append(row_of(folder, number, label))
        parts[rows[-1].key] = part
    write_manifest(folder, rows)
    write_split(folder, parts)
    counts = {"given": 99, "patches": len(rows), "by_image": {f"{SECRETS[0]}.svs": 7}}
    provenance.keep_record(folder, provenance.record("export", {"x": SECRETS[0]}, counts=counts))
    return rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_data(tmp_path / "data", ["NILM", "NILM", "ASC-US", "LSIL", "HSIL", "HSIL", "SCC"])
    return tmp_path / "data"


@pytest.fixture
def model(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle that says NILM of the first HSIL and of SCC, and is right otherwise."""
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "history.csv").write_text(
        "epoch,phase,loss,accuracy,val_loss,val_accuracy,val_macro_f1\n"
        "1,head,1.2,0.4,1.3,0.4,0.3\n2,head,0.9,0.6,1.1,0.5,0.4\n",
        encoding="utf-8",
    )
    trained = frozenset(mark_of(row.key) for row in rows_by_part(data)["train"])
    card: dict[str, Any] = {
        **dict.fromkeys(("bundle_id", "intended_use", "network", "scheme"), "told"),
        "weights_origin": {"kind": "none"},
        "labels": list(LABELS),
        "patch_size": 224,
        "seed": 0,
        "record": {"finished_at": "then", "versions": {}},
        "settings": asdict(default_settings(pretrained=False)),
        "result": {
            "epochs": 2,
            "best_epoch": 1,
            "validation_macro_f1": 0.4,
            "backbone_weights_trained": {"all layers": 7},
        },
        "counts": {"train": {"NILM": 2}, "validation": {"NILM": 2}},
    }
    made = replace(BUNDLE, path=path, trained_on=trained, card=card)
    monkeypatch.setattr("pycyto.steps.evaluate.load_bundle", lambda _: made)
    rows = read_manifest(data)
    by_number = {int(row.object_id.split()[1]): row for row in rows}
    first_hsil = min(n for n, row in by_number.items() if row.label == "HSIL" and n >= 16)

    def classify(bundle: Bundle, patches: Iterable[np.ndarray], **_: object) -> np.ndarray:
        found = []
        for patch in patches:
            number = int(patch[0, 0, 0])
            label = by_number[number].label
            wrong = number == first_hsil or label not in LABELS
            found.append(np.eye(4)[0 if wrong else LABELS.index(label)] * 0.8 + 0.05)
        return np.array(found, np.float32)

    monkeypatch.setattr("pycyto.steps.answers.classify", classify)
    return made


@pytest.fixture
def result(data: Path, model: Bundle, tmp_path: Path) -> EvaluateResult:
    return evaluate(data, model=model.path, out=tmp_path / "out")


def test_the_figures_are_those_of_the_test_part(result: EvaluateResult) -> None:
    assert result.figures.n == 6
    assert result.figures.worst_miss.count == 1
    assert result.figures.worst_miss.of == 2
    assert result.groups == {"patient": 6, "slide": 0, "image": 0}
    assert result.others == {"SCC": {"NILM": 1}}
    assert result.beats_controls is None, "six patients decide nothing"


def test_the_json_holds_the_same_figures(result: EvaluateResult) -> None:
    content = files.read_json(result.metrics)
    assert content["schema"] == 4
    assert content["figures"] == result.figures.to_json()
    assert content["summary"][0] == "1 of 2 HSIL cells (50 %) were called NILM."
    assert content["cells_of_other_classes"] == {"SCC": {"NILM": 1}}
    assert content["groups_by_class"] == {"NILM": 2, "ASC-US": 1, "LSIL": 1, "HSIL": 2}
    counts = content["stages"]["evaluate"]
    assert counts["given"] == sum(counts["tested"].values()) + sum(counts["skipped"].values())
    assert set(content["domains"]["scanner"]) == {"scanner 0", "scanner 1"}
    assert sum(s["figures"]["n"] for s in content["domains"]["scanner"].values()) == 6
    assert content["provenance"]["seed"] == 0


def test_no_name_leaves(result: EvaluateResult) -> None:
    for path in (result.report, result.metrics):
        text = path.read_text(encoding="utf-8")
        for secret in (*SECRETS, "lab", "Site <1", "Site &lt;1"):
            assert not re.search(rf"\b{secret}\b", text), path.name
        assert "object 2" not in text, "a UUID finds the cell again; any other text may name it"
        assert str(result.report.parent) not in text
    content = files.read_json(result.metrics)
    assert content["confidential"] is None
    assert "onfidential" not in result.report.read_text(encoding="utf-8")


def test_the_pseudonyms_are_those_of_the_data_set(
    data: Path, result: EvaluateResult, model: Bundle, tmp_path: Path
) -> None:
    pseudonyms = pseudonyms_of(data, SILENT)
    content = files.read_json(result.metrics)
    assert set(content["domains"]["source"]) == {pseudonyms.of("source", "lab")}
    assert set(content["domains"]["site"]) == {pseudonyms.of("site", "Site <1>")}
    (worst,) = content["worst_undercalls"]
    assert worst["image"] == pseudonyms.of("image", f"{SECRETS[0]}.svs")
    assert worst["image"] in result.report.read_text(encoding="utf-8")
    listener = Listener()
    evaluate(data, model=model.path, out=tmp_path / "again", reporter=listener)
    again = files.read_json(tmp_path / "again" / METRICS_FILE)
    assert again["domains"] == content["domains"]
    assert f"In the report {pseudonyms.of('source', 'lab')} stands for lab." in listener.said


def test_with_identifiers_the_report_names_images_and_says_that_it_is_confidential(
    data: Path, model: Bundle, tmp_path: Path
) -> None:
    listener = Listener()
    result = evaluate(
        data, model=model.path, out=tmp_path / "out", identifiers=True, reporter=listener
    )
    text = result.report.read_text(encoding="utf-8")
    content = files.read_json(result.metrics)
    assert content["confidential"].startswith("Confidential: ")
    assert text.count(content["confidential"]) == 2, "at the top and at the bottom"
    assert "<title>Confidential: evaluation" in text
    (worst,) = content["worst_undercalls"]
    assert worst["image"] == f"{SECRETS[0]}.svs"
    assert worst["image"] in text
    assert set(content["domains"]["site"]) == {"Site <1>"}
    assert "Site &lt;1&gt;" in text, "what comes from the data is text, never markup"
    assert content["stages"]["export"]["by image"] == {f"{SECRETS[0]}.svs": 7}
    assert not any("stands for" in said for said in listener.said)
    for secret in SECRETS[1:]:
        assert secret not in text, "patients and slides are not even then in it"


class Reader(HTMLParser):
    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_fetches_nothing(result: EvaluateResult) -> None:
    text = result.report.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    assert "://" not in text
    assert "<script" not in text
    assert "@import" not in text
    ids = [own["id"] for _, own in reader.seen if "id" in own]
    assert len(ids) == len(set(ids))
    for tag, own in reader.seen:
        if tag == "img":
            assert (own["src"] or "").startswith("data:image/jpeg;base64,")
            assert own["alt"]
        if tag == "a":
            assert (own["href"] or "")[1:] in ids
        assert not {name for name in own if name.startswith("on")}
    said = re.sub(r"\s+", " ", reader.text)
    assert "Research use only" in said
    assert "1 of 2 HSIL cells (50 %) were called NILM." in said
    assert "The model does not know SCC: 1 of 1 such cells were called NILM" in said
    assert sum(tag == "img" for tag, _ in reader.seen) == 2, "an undercall, and a sure error"


def test_a_report_that_replaces_another_says_so(data: Path, model: Bundle, tmp_path: Path) -> None:
    told = f"The report of an earlier evaluation in {tmp_path / 'out'} was replaced."
    for again in (False, True):
        listener = Listener()
        evaluate(data, model=model.path, out=tmp_path / "out", reporter=listener)
        assert (told in listener.said) is again


def test_the_counts_of_a_run_are_shown(data: Path, model: Bundle, tmp_path: Path) -> None:
    files.write_json(
        tmp_path / "run" / "run.json",
        {
            "counts": {
                "given": 9,
                "predicted": 8,
                "skipped": {"no pixels": 1},
                "by_class": {"HSIL": 8},
                "by_image": {f"{SECRETS[0]}.svs": 8},
            }
        },
    )
    result = evaluate(data, model=model.path, out=tmp_path / "out", run=tmp_path / "run")
    found = files.read_json(result.metrics)["stages"]["predict (the run that was named)"]
    assert found == {
        "given": 9,
        "predicted": 8,
        "skipped": {"no pixels": 1},
        "by class": {"HSIL": 8},
        "by image": {"(names withheld)": 8},
    }


def test_a_run_without_counts_is_no_run(data: Path, model: Bundle, tmp_path: Path) -> None:
    files.write_json(tmp_path / "run" / "run.json", {})
    with pytest.raises(BadInputError, match="no counts"):
        evaluate(data, model=model.path, out=tmp_path / "out", run=tmp_path / "run")


def refused(
    data: Path, model: Bundle, monkeypatch: pytest.MonkeyPatch, error: type[Exception], said: str
) -> None:
    monkeypatch.setattr("pycyto.steps.evaluate.load_bundle", lambda _: model)
    with pytest.raises(error, match=said):
        evaluate(data, model=model.path, out=data.parent / "out")
    assert not (data.parent / "out").exists()


def test_cells_that_the_model_has_seen_are_refused(
    data: Path, model: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = frozenset(mark_of(row.key) for row in rows_by_part(data)["test"][:3])
    model = replace(model, trained_on=model.trained_on | seen)
    refused(data, model, monkeypatch, RefusedError, "Of 7 cells .* trained on 3: its figures")


def test_cells_of_a_patient_that_the_model_has_seen_are_refused(
    data: Path, model: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_manifest(data)
    known = next(row for row in rows if mark_of(row.key) in model.trained_on)
    tested = rows_by_part(data)["test"][0]
    changed = [replace(r, patient=known.patient) if r.key == tested.key else r for r in rows]
    write_manifest(data, changed)
    refused(data, model, monkeypatch, RefusedError, "In more than one part: 1 of 22 patients")
    # The same where the split no longer tells: only the model remembers what it saw.
    write_split(data, {**read_split(data), known.key: "test"})
    refused(data, model, monkeypatch, RefusedError, "Of 8 cells .* trained on 1, .* as 1 more")


@pytest.mark.parametrize(
    "rule", [Resolution(mpp=0.25), Resolution(downsample=2.0)], ids=["mpp", "downsample"]
)
def test_patches_at_another_resolution_are_refused(
    data: Path, model: Bundle, monkeypatch: pytest.MonkeyPatch, rule: Resolution
) -> None:
    model = replace(model, resolution=rule)
    refused(data, model, monkeypatch, BadInputError, "7 of 7 patches .* another resolution")


def test_cells_of_another_scale_are_tested_and_told(
    data: Path, model: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_by_part(data)["test"]
    changed = {rows[0].key: 0.4, rows[1].key: 0.26}
    write_manifest(data, [replace(r, mpp=changed.get(r.key)) for r in read_manifest(data)])
    model = replace(model, resolution=Resolution(trained_mpp=(0.22, 0.25)))
    monkeypatch.setattr("pycyto.steps.evaluate.load_bundle", lambda _: model)
    listener = Listener()
    found = evaluate(data, model=model.path, out=data.parent / "out", reporter=listener)
    told = "1 of 6 tested cells are of another scale than those that the model has learnt from."
    assert any(told in text and "here it would be 0.4" in text for text in listener.warned)
    assert told in found.report.read_text("utf-8")
    warned = files.read_json(found.metrics)["audit"]["findings"]
    assert any(told in own["what"] for own in warned)


def test_another_scheme_is_refused(
    data: Path, model: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = replace(model, scheme="other")
    refused(data, model, monkeypatch, BadInputError, "labelled by bethesda, the model by other")


def test_without_a_cell_to_test_on_nothing_is_said(
    data: Path, model: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_split(data, {row.key: "validation" for row in read_manifest(data)})
    refused(data, model, monkeypatch, BadInputError, "The test part has no cell")


def test_a_patch_that_was_changed_is_refused(
    data: Path, model: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = rows_by_part(data)["test"][0]
    Image.new("RGB", (224, 224)).save(data / row.file)
    refused(data, model, monkeypatch, BadInputError, "not the one that the manifest describes")


def test_an_external_set_without_training_part_has_no_controls(
    data: Path, model: Bundle, tmp_path: Path
) -> None:
    tested = rows_by_part(data)["test"]
    write_manifest(data, tested)
    write_split(data, {row.key: "test" for row in tested})
    result = evaluate(data, model=model.path, out=tmp_path / "out")
    assert result.beats_controls is None
    assert "there are no training cells" in result.report.read_text(encoding="utf-8")


def test_validation_stands_beside_the_test(result: EvaluateResult) -> None:
    content = files.read_json(result.metrics)
    assert content["validation"]["n"] == 8
    assert content["validation"]["confusion"] == np.diag([2, 2, 2, 2]).tolist()
    assert content["validation"]["labels"] == content["figures"]["labels"]
    text = result.report.read_text(encoding="utf-8")
    assert text.count('<table class="confusion">') == 2
    assert {line["reason"] for line in content["thresholds"][:3]} == {
        f"validation holds 2 such cells, and {needed} are needed" for needed in (10, 20, 100)
    }


def test_without_validation_cells_the_rest_is_told(
    data: Path, model: Bundle, tmp_path: Path
) -> None:
    parts = {key: part for key, part in read_split(data).items() if part != "validation"}
    write_manifest(data, [row for row in read_manifest(data) if row.key in parts])
    write_split(data, parts)
    result = evaluate(data, model=model.path, out=tmp_path / "out")
    content = files.read_json(result.metrics)
    assert content["validation"] is None
    assert content["calibration"]["temperature"] is None
    assert content["calibration"]["before"]["log_loss"]["value"] > 0
    assert "There are no validation cells" in result.report.read_text(encoding="utf-8")


@pytest.fixture
def more(tmp_path: Path, data: Path) -> Path:
    """Twelve cells of NILM and of HSIL in the test, all of different patients; data is gone."""
    for path in data.rglob("*.png"):
        path.unlink()
    write_data(data, ["NILM", "HSIL"] * 12)
    return data


def test_what_is_known_of_some_cells_is_compared_on_these(
    more: Path, model: Bundle, tmp_path: Path
) -> None:
    """The first sixteen cells came as pictures of their own; the others were cut from fields."""
    rows = read_manifest(more)
    tested = [row.key for row in rows_by_part(more)["test"]]
    cropped = {*(row.key for row in rows_by_part(more)["train"]), *tested[:16]}
    sizes = {"NILM": 60, "ASC-US": 70, "LSIL": 80, "HSIL": 90}
    write_manifest(more, [
        replace(
            row, original_width=sizes[row.label], original_height=sizes[row.label]
        ) if row.key in cropped else replace(row, original_width=None, original_height=None)
        for row in rows
    ])  # fmt: skip
    result = evaluate(more, model=model.path, out=tmp_path / "out")
    control = files.read_json(result.metrics)["controls"]["crop size only"]
    assert (control["cells"], control["cells_compared"]) == (24, 16)
    assert control["figures"]["accuracy"]["value"] == 1
    assert control["figures_of_the_model"]["n"] == control["lead_of_the_model"]["cells"] == 16
    page = result.report.read_text(encoding="utf-8")
    assert "<small>on 16 of 24 cells</small>" in page
    assert "this model, on the same 16 of 24 cells" in page
    assert "both on 16 of 24 cells" in page


def test_bounds_that_are_met_are_told(more: Path, model: Bundle, tmp_path: Path) -> None:
    listener = Listener()
    result = evaluate(
        more,
        model=model.path,
        out=tmp_path / "out",
        at_least={"hsil_sensitivity": 0.9, "hsil_sensitivity.low": 0.5},
        at_most={"hsil_to_nilm": 0.1},
        reporter=listener,
    )
    assert [own["met"] for own in files.read_json(result.metrics)["gates"]] == [True] * 3
    assert any(
        said.startswith("hsil_to_nilm (at most 0.1): met with 0.08 on 12 cells of 12 groups")
        for said in listener.said
    )
    assert "All bounds are met." in result.report.read_text(encoding="utf-8")


def test_a_bound_that_is_missed_fails_after_the_report_is_written(
    more: Path, model: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(GateError) as caught:
        evaluate(
            more,
            model=model.path,
            out=tmp_path / "out",
            at_least={"hsil_sensitivity.low": 0.85, "lsil_sensitivity": 0.1, "accuracy": 0.5},
        )
    assert caught.value.exit_code == 6
    said = str(caught.value)
    assert said.startswith("2 of 3 bounds not met:")
    assert re.search(r"hsil_sensitivity.low \(at least 0.85\): missed with 0.\d+ on 12 cells of "
                     r"12 groups", said)  # fmt: skip
    assert "lsil_sensitivity (at least 0.1): not decidable on 0 cells of 0 groups" in said
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Bounds not met: 2 of 3" in text
    content = files.read_json(tmp_path / "out" / METRICS_FILE)
    assert [own["met"] for own in content["gates"]] == [False, None, True]


def test_few_groups_decide_nothing(data: Path, model: Bundle, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="not decidable on 6 cells of 6 groups"):
        evaluate(data, model=model.path, out=tmp_path / "out", at_least={"accuracy": 0.1})


def test_a_misspelt_figure_is_told_before_anything_is_done(
    data: Path, model: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="Did you mean hsil_sensitivity"):
        evaluate(data, model=model.path, out=tmp_path / "out", at_least={"hsil_sensitivty": 0.9})
    assert not (tmp_path / "out").exists()


def test_predictive_values_at_a_prevalence(more: Path, model: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = evaluate(more, model=model.path, out=out, prevalence={"all": 0.02, "asc-us": 0.1})
    asked = files.read_json(result.metrics)["figures"]["at_least"]
    assert {label: own["at_prevalence"]["prevalence"] for label, own in asked.items()} == {
        "ASC-US": 0.1, "LSIL": 0.02, "HSIL": 0.02,
    }  # fmt: skip
    npv = asked["HSIL"]["at_prevalence"]["npv"]["value"]
    assert npv == pytest.approx(0.98 / (0.98 + 0.02 / 12))
    for wrong in ({"nilm": 0.1}, {"hsil": 1.5}, 0.0):
        with pytest.raises(UsageError):
            evaluate(more, model=model.path, out=tmp_path / "no", prevalence=wrong)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("how", [{"label_origin": "model_assisted"}, {"selected_by": "run 3"}])
def test_labels_made_with_help_are_left_out_and_told(
    data: Path, model: Bundle, tmp_path: Path, how: dict[str, Any]
) -> None:
    tested = {row.key for row in rows_by_part(data)["test"]}
    helped = next(row for row in rows_by_part(data)["test"] if row.label == "HSIL")
    manual: dict[str, Any] = {"label_origin": "manual", "selected_by": "manual"}
    write_manifest(
        data,
        [
            replace(row, **(how if row.key == helped.key else manual if row.key in tested else {}))
            for row in read_manifest(data)
        ],
    )
    result = evaluate(data, model=model.path, out=tmp_path / "out")
    content = files.read_json(result.metrics)
    assert result.figures.n == 5
    assert content["stages"]["evaluate"]["skipped"]["labelled or chosen with a model's help"] == 1
    beside = content["assisted_labels"]
    assert (beside["cells"], beside["counted"]) == (1, False)
    assert content["figures"]["most_severe_called_least_severe"]["count"] == 0
    assert beside["figures_with_them"]["most_severe_called_least_severe"]["count"] == 1
    assert beside["figures_with_them"]["n"] == 6
    assert any("1 tested cell was labelled, or chosen" in said for said in content["summary"])
    counted = evaluate(data, model=model.path, out=tmp_path / "with", with_assisted=True)
    content = files.read_json(counted.metrics)
    assert counted.figures.n == 6
    assert content["assisted_labels"]["figures_without_them"]["n"] == 5


def test_a_test_of_nothing_but_labels_made_with_help_is_refused(
    data: Path, model: Bundle, tmp_path: Path
) -> None:
    rows = [replace(row, label_origin="model_assisted") for row in read_manifest(data)]
    write_manifest(data, rows)
    with pytest.raises(BadInputError, match=r"All 6 cells .* with a model's help"):
        evaluate(data, model=model.path, out=tmp_path / "out")
    content = files.read_json(
        evaluate(data, model=model.path, out=tmp_path / "out", with_assisted=True).metrics
    )
    assert content["assisted_labels"]["figures_without_them"] is None


def test_every_key_of_the_json_is_explained(more: Path, model: Bundle, tmp_path: Path) -> None:
    """All keys but those that are names of classes, parts, steps, libraries and the like."""
    page = (Path(__file__).parents[2] / "docs" / "metrics-schema.md").read_text(encoding="utf-8")
    result = evaluate(
        more, model=model.path, out=tmp_path / "out", prevalence=0.02, at_least={"accuracy": 0.1},
        at_most={"hsil_to_nilm": 0.9},
    )  # fmt: skip
    content = files.read_json(result.metrics)
    named = {
        "named_figures", "per_class", "at_least", "ranking", "controls", "domains", "stages",
        "groups", "groups_by_class", "cells_of_other_classes", "probabilities", "split",
        "provenance",
    }  # fmt: skip

    def keys(value: Any, own_names: bool) -> Iterable[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                if not own_names:
                    yield key
                yield from keys(inner, key in named and not own_names)
        if isinstance(value, list):
            for inner in value:
                yield from keys(inner, own_names)

    content["domains"] = {"any": list(content["domains"]["scanner"].values())}
    for name in ("stages", "split", "provenance"):
        content[name] = {}
    content["audit"]["split"] = {}
    found = set(keys(content, False))
    assert len(found) > 60
    assert {key for key in found if f"`{key}`" not in page} == set()
    for name in content["named_figures"]:
        pattern = re.sub("^(nilm|asc_us|lsil|hsil)_", "CLASS_", name)
        pattern = re.sub("_to_(nilm|asc_us|lsil|hsil)$", "_to_CLASS", pattern)
        assert f"`{pattern}`" in page, name


def test_the_command_takes_bounds_and_prevalence(
    more: Path, model: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycyto.cli.main import main

    words = ["evaluate", str(more), "--model", str(model.path), "--out", str(tmp_path / "out")]
    words += ["--prevalence", "0.02", "--prevalence", "hsil=0.01"]
    assert main([*words, "--at-most", "hsil_to_nilm=0.10"]) == 0
    asked = files.read_json(tmp_path / "out" / METRICS_FILE)["figures"]["at_least"]
    assert asked["HSIL"]["at_prevalence"]["prevalence"] == 0.01
    assert asked["LSIL"]["at_prevalence"]["prevalence"] == 0.02
    assert main([*words, "--at-most", "hsil_to_nilm=0.05"]) == 6
    assert "hsil_to_nilm (at most 0.05): missed with 0.08" in capsys.readouterr().err
    assert main([*words, "--at-least", "hsil_sensitivity"]) == 2
    assert main([*words, "--at-least", "hsil_sensitivity=many"]) == 2
    assert main([*words, "--at-least", "accuracy=0.1", "--at-least", "accuracy=0.2"]) == 2


def test_a_model_that_does_not_know_hsil_cannot_hide_it(
    data: Path, model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    less = replace(model, labels=LABELS[:3])
    monkeypatch.setattr("pycyto.steps.evaluate.load_bundle", lambda _: less)
    monkeypatch.setattr(
        "pycyto.steps.answers.classify",
        lambda _, patches, **__: np.array([(0.8, 0.1, 0.1) for _ in patches], np.float32),
    )
    result = evaluate(data, model=model.path, out=tmp_path / "out")
    said = files.read_json(result.metrics)["summary"]
    assert any(text.startswith("The model does not know HSIL: 2 of 2") for text in said)


def test_a_real_bundle_is_evaluated(tmp_path: Path) -> None:
    from pycyto.steps.train import train

    write_data(tmp_path / "data", LABELS * 2)
    train(tmp_path / "data", out=tmp_path / "bundle", network="small", epochs=1)
    result = evaluate(tmp_path / "data", model=tmp_path / "bundle", out=tmp_path / "out")
    assert result.figures.n == 8
    content = files.read_json(result.metrics)
    assert content["model"]["network"] == "small"
    assert content["stages"]["train (this model)"]["train"] == dict.fromkeys(LABELS, 2)


def test_the_models_card_tells_the_figures_and_names_nobody(
    result: EvaluateResult, model: Bundle
) -> None:
    assert result.figures.n == 6
    page = (model.path / "README.txt").read_text("utf-8")
    assert "1 of 2 HSIL cells (50 %) were called NILM." in page
    assert "Known failures and limits:" in page
    kept = (model.path / "evaluation.json").read_text("utf-8")
    assert not any(secret in page + kept for secret in (*SECRETS, "Site <1>"))


def test_a_bundle_that_cannot_be_written_to_is_evaluated_all_the_same(
    data: Path, model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NotWritableError("The place is read-only.")

    monkeypatch.setattr("pycyto.steps.evaluate.keep_evaluation", refuse)
    result = evaluate(data, model=model.path, out=tmp_path / "out")
    assert result.report.exists()
    assert not (model.path / "evaluation.json").exists()
