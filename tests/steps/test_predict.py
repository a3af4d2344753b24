from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pycyto import Access, doctor, export, predict, runs, undo, write_back
from pycyto.errors import (
    BadInputError,
    MissingDependencyError,
    PartlyDoneError,
    RefusedError,
    StaleError,
    UsageError,
)
from pycyto.images.crop import Pixels
from pycyto.images.resolution import Resolution
from pycyto.learning.bundle import Bundle, mark_of
from pycyto.manifest import read_manifest
from pycyto.records import RUN_MARK, UPDATED_MARK, CellKey, Silent, run_mark
from pycyto.steps.cells import UNKNOWN_SCALE
from pycyto.steps.failures import Failures
from pycyto.steps.ingest import ingest
from pycyto.steps.merge import merge
from tests import published
from tests.stub_model import BUNDLE, Probabilities, in_place, likeliest
from tests.tiny_project import TinyCell, TinyImage, build, save_cells

GEOJSON = Access(backend="geojson")
SAID = {"pycyto: P(HSIL)": 0.75, "pycyto: P(LSIL)": 0.25}
CELLS = (
    TinyCell(200, 150, "NILM"),
    TinyCell(60, 60, None),
    TinyCell(70, 60, "Trichomonas"),
    TinyCell(120, 90, "LSIL", points=((100.0, 80.0), (140.0, 100.0))),
    TinyCell(150, 60, None, kind="detection"),
    TinyCell(160, 60, "HSIL", kind="detection"),
    TinyCell(170, 60, None, kind="cell"),
    TinyCell(180, 60, "HSIL", kind="detection", measurements={RUN_MARK: 7.0}),
    TinyCell(190, 60, "HSIL", kind="detection", measurements={UPDATED_MARK: 7.0, **SAID}),
    TinyCell(195, 60, "LSIL", kind="detection", measurements={UPDATED_MARK: 7.0, **SAID}),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    images = [TinyImage("1", "a.png", CELLS), TinyImage("7", "b.png", [TinyCell(50, 50, "HSIL")])]
    return build(tmp_path / "project", images)


@pytest.fixture
def bundle() -> Iterator[Bundle]:
    """A model that calls the class by the brightness of the centre pixel."""
    with in_place(by_centre):
        yield BUNDLE


def by_centre(patch: Pixels) -> Probabilities:
    return likeliest(patch[112, 112, 0] // 64)


def table(folder: Path) -> list[dict[str, str]]:
    """Return the rows of all images, with the entry ID that the file is named after."""
    rows = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as stream:
            rows += [{"entry_id": path.stem, **row} for row in csv.DictReader(stream)]
    return rows


@pytest.mark.usefixtures("bundle")
def test_annotations_become_new_detections(project: Path) -> None:
    result = predict(project, model="m", access=GEOJSON)

    assert (result.tally.given, result.tally.used) == (12, 5)
    assert result.tally.skipped == {"other kind of object": 6, "class outside the scheme": 1}
    new = table(result.run.folder / "new")
    assert len(new) == len({row["object_id"] for row in new}) == 5
    assert {row["source_id"] for row in new} == {
        cell.object_id for cell in (*CELLS[:2], CELLS[3], TinyCell(50, 50, "HSIL"))
    }
    assert [row["radius"] for row in new if row["point_index"]] == ["20.0", "20.0"]
    said = {row["source_id"]: row["source_class"] for row in new}
    assert [said[cell.object_id] for cell in (*CELLS[:2], CELLS[3])] == ["NILM", "", "LSIL"]
    assert table(result.run.folder / "updates") == []
    assert sum(result.by_label.values()) == 5
    content = json.loads((result.run.folder / "run.json").read_text())
    assert content["model"]["engine"] == "a stub"


@pytest.mark.usefixtures("bundle")
def test_detections_without_a_class_get_one(project: Path) -> None:
    result = predict(project, model="m", objects="detections", access=GEOJSON)

    updates = table(result.run.folder / "updates")
    # Also what an earlier run has classified, unless somebody has decided otherwise since.
    assert {row["object_id"] for row in updates} == {CELLS[n].object_id for n in (4, 6, 8)}
    assert table(result.run.folder / "new") == []
    assert result.tally.skipped["detection with a class"] == 2
    assert result.tally.skipped["made by pycyto"] == 1


@pytest.mark.usefixtures("bundle")
def test_only_chosen_objects_are_predicted(project: Path) -> None:
    point, detection = CELLS[3].object_id, CELLS[4].object_id
    result = predict(project, model="m", cells=[point.upper(), detection], access=GEOJSON)

    new = table(result.run.folder / "new")
    assert [(row["source_id"], row["point_index"]) for row in new] == [(point, "0"), (point, "1")]
    # The others are not even counted.
    assert (result.tally.given, result.tally.used) == (3, 2)
    assert result.tally.skipped == {"other kind of object": 1}


@pytest.mark.usefixtures("bundle")
def test_an_entry_id_is_no_name_of_another_image(tmp_path: Path) -> None:
    cells = [TinyCell(50, 50, "HSIL")]
    images = [TinyImage("1", "2", cells), TinyImage("2", "b.png", cells)]
    run = predict(build(tmp_path / "p", images), model="m", images=["2"], access=GEOJSON).run
    assert list(run.images) == ["2"]


@pytest.mark.usefixtures("bundle")
def test_chosen_objects_that_are_not_there_are_told(project: Path) -> None:
    there, gone = CELLS[0].object_id, "1f9c2a00-0000-4000-8000-000000000001"
    said = Said()
    predict(project, model="m", cells=[there, gone], access=GEOJSON, reporter=said)
    assert said.warnings == ["1 object asked for not found in these images."]
    with pytest.raises(UsageError, match="None of the 1 object asked for is there"):
        predict(project, model="m", cells=[gone], access=GEOJSON)


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize(("cells", "message"), [([], "No cell is named"), (["x"], "is no UUID")])
def test_what_names_no_object_is_refused(project: Path, cells: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        predict(project, model="m", cells=cells, access=GEOJSON)


@pytest.mark.usefixtures("bundle")
def test_a_program_is_told_the_run_before_anything_of_it_is_there(project: Path) -> None:
    """Who stops the process can then clear away what it has left."""

    class Program(Silent):
        def tell(self, **facts: str) -> None:
            assert not (project / "pycyto" / "runs" / facts["run"]).exists()
            told.append(facts["run"])

    told: list[str] = []
    result = predict(project, model="m", access=GEOJSON, reporter=Program())
    assert told == [result.run.name]


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize(("images", "of", "total"), [(["1"], "cells", 4), (None, "images", 2)])
def test_progress_counts_the_cells_of_one_image_or_images(
    project: Path, images: list[str] | None, of: str, total: int
) -> None:
    class Watching(Silent):
        @contextmanager
        def progress(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
            seen.append((description, total))
            yield done.append

    seen: list[tuple[str, int | None]] = []
    done: list[int] = []
    predict(project, model="m", images=images, access=GEOJSON, reporter=Watching())
    assert seen == [(of, total)]
    assert sum(done) == total


@pytest.mark.usefixtures("bundle")
def test_nothing_of_the_experts_is_changed(project: Path) -> None:
    def state() -> dict[Path, bytes]:
        ours = [project / "pycyto" / name for name in ("runs", "project.json", "lock")]
        return {
            path: path.read_bytes()
            for path in project.rglob("*")
            if path.is_file() and not any(path.is_relative_to(place) for place in ours)
        }

    before = state()
    predict(project, model="m", access=GEOJSON)
    assert state() == before


@pytest.mark.usefixtures("bundle")
def test_leftovers_of_a_killed_prediction_go(project: Path) -> None:
    part = project / "pycyto" / "runs" / "2026-01-31_120000_1f9c2a" / ".run.json.999999999.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    predict(project, model="m", access=GEOJSON)
    assert not part.exists()


def test_the_class_is_the_likeliest(project: Path, bundle: Bundle) -> None:
    result = predict(project, model="m", access=GEOJSON)

    for row in table(result.run.folder / "new"):
        chances = {label: float(row[f"P({label})"]) for label in bundle.labels}
        assert max(chances, key=chances.__getitem__) == row["class"]
        assert sum(chances.values()) == pytest.approx(1)


def test_cells_that_the_model_knows_are_counted(project: Path, bundle: Bundle) -> None:
    first = predict(project, model="m", access=GEOJSON)
    key = CellKey(first.run.project_id, "1", CELLS[0].object_id)
    known = replace(bundle, trained_on=frozenset({mark_of(key)}))

    with in_place(by_centre, known):
        assert predict(project, model="m", access=GEOJSON).run.counts["trained_on"] == 1


@pytest.mark.usefixtures("bundle")
def test_no_cells_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    project = build(tmp_path / "p", [TinyImage("1", "a", [TinyCell(50, 50, "Trichomonas")])])

    with pytest.raises(BadInputError, match=r"no cell to predict .*1 class outside the scheme"):
        predict(project, model="m", access=GEOJSON)
    assert runs(project) == []


@pytest.mark.usefixtures("bundle")
def test_a_missing_image_leaves_the_others_staged(project: Path) -> None:
    (project / "images" / "7.png").unlink()

    with pytest.raises(PartlyDoneError, match=r"b\.png.*missing"):
        predict(project, model="m", access=GEOJSON)

    (run,) = runs(project)
    assert run.counts["failed"] == {"image not readable": 1}
    assert run.counts["given"] == 12
    assert run.counts["predicted"] == run.counts["staged"] == 4
    assert set(run.images) == {"1"}


@pytest.mark.usefixtures("bundle")
def test_chosen_patches_alone_are_predicted(project: Path, tmp_path: Path) -> None:
    patches = tmp_path / "patches"
    export(project, out=patches, access=GEOJSON)
    result = predict(patches, model="m", cells=[CELLS[0].object_id])
    assert [row["source_id"] for row in table(result.run.folder / "new")] == [CELLS[0].object_id]
    with pytest.raises(UsageError, match="has a patch here"):
        predict(patches, model="m", cells=[CELLS[1].object_id])


@pytest.mark.usefixtures("bundle")
def test_exported_patches_give_the_same_run(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "patches"
    export(project, out=out, unclassified=True, access=GEOJSON)
    shutil.rmtree(project / "images")

    away = predict(out, model="m").run

    assert away.folder.is_relative_to(out)
    assert [row["class"] for row in table(away.folder / "new")]
    with pytest.raises(MissingDependencyError, match=r"import_predictions\.groovy"):
        write_back(project, away.folder, access=GEOJSON)
    (home,) = runs(project)
    assert home.folder == project / "pycyto" / "runs" / away.name
    assert home.images["1"].data_sha256
    assert table(home.folder / "new") == table(away.folder / "new")


def test_a_projects_run_and_that_of_its_patches_agree(
    project: Path, tmp_path: Path, bundle: Bundle
) -> None:
    here = predict(project, model="m", access=GEOJSON).run
    export(project, out=tmp_path / "patches", unclassified=True, access=GEOJSON)
    away = predict(tmp_path / "patches", model="m").run

    def said(folder: Path) -> set[tuple[str, ...]]:
        place = ("entry_id", "source_id", "point_index", "x", "y", "radius")
        columns = (*place, "class", "P(HSIL)", "source_class")
        return {tuple(row[name] for name in columns) for row in table(folder / "new")}

    assert said(here.folder) == said(away.folder)
    assert {key: image.data_sha256 for key, image in here.images.items()} == {
        key: image.data_sha256 for key, image in away.images.items()
    }


def test_patches_of_another_resolution_are_refused(
    project: Path, tmp_path: Path, bundle: Bundle
) -> None:
    export(project, out=tmp_path / "patches", mpp=0.5, access=GEOJSON)

    with pytest.raises(
        RefusedError, match=r"needs patches at full resolution; these are at 0\.5"
    ) as raised:
        predict(tmp_path / "patches", model="m")
    assert "Export again without --mpp" in str(raised.value.remedy)
    assert predict(tmp_path / "patches", model="m", any_resolution=True).tally.used == 4


@pytest.mark.usefixtures("bundle")
def test_a_run_of_another_project_is_refused(project: Path, tmp_path: Path) -> None:
    other = build(tmp_path / "other", [TinyImage("1", "a.png", CELLS)])
    foreign = predict(other, model="m", access=GEOJSON).run
    predict(project, model="m", access=GEOJSON)

    before = [run.name for run in runs(project)]
    with pytest.raises(RefusedError, match="another project"):
        write_back(project, foreign.folder, access=GEOJSON)
    assert [run.name for run in runs(project)] == before


@pytest.mark.usefixtures("bundle")
def test_without_qupath_the_script_is_named(project: Path) -> None:
    run = predict(project, model="m", access=GEOJSON).run

    with pytest.raises(MissingDependencyError, match=r"import_predictions\.groovy"):
        write_back(project, access=GEOJSON)
    assert runs(project)[0].state == "staged" == run.state


@pytest.mark.usefixtures("bundle")
def test_a_staged_run_is_withdrawn_only_by_name(project: Path) -> None:
    run = predict(project, model="m", access=GEOJSON).run
    with pytest.raises(BadInputError, match="No run here is written"):
        undo(project, access=GEOJSON)
    assert runs(project)[0].state == "staged"

    assert undo(project, run.name, access=GEOJSON).run.state == "undone"

    assert runs(project)[0].state == "undone"
    # Named, it is written after all, for which a QuPath is needed.
    with pytest.raises(MissingDependencyError, match="import_predictions"):
        write_back(project, run.name, access=GEOJSON)


@pytest.mark.usefixtures("bundle")
def test_undo_takes_the_written_run_not_a_newer_staged_one(project: Path) -> None:
    first = predict(project, model="m", access=GEOJSON).run
    pretend_written(first.folder, project, "1")
    predict(project, model="m", images=["7"], access=GEOJSON)

    assert undo(project, access=GEOJSON).run.name == first.name
    assert [run.state for run in runs(project)].count("staged") == 1


@pytest.mark.usefixtures("bundle")
def test_write_back_never_turns_to_an_older_run_by_itself(project: Path) -> None:
    predict(project, model="m", images=["7"], access=GEOJSON)
    newest = predict(project, model="m", images=["1"], access=GEOJSON).run
    pretend_written(newest.folder, project, "1", state="written")

    with pytest.raises(BadInputError, match=f"newest run, {newest.name}, is written already"):
        write_back(project, access=GEOJSON)
    assert write_back(project, newest.name, access=GEOJSON).run.state == "written"


@pytest.mark.usefixtures("bundle")
def test_a_misspelt_class_is_named(project: Path, tmp_path: Path) -> None:
    words = r"(?s)class HSLI.*Classes there are: .*HSIL"
    with pytest.raises(UsageError, match=words):
        export(project, out=tmp_path / "out", classes=["HSLI"], access=GEOJSON)
    with pytest.raises(UsageError, match=words):
        predict(project, model="m", classes=["HSLI"], access=GEOJSON)
    assert runs(project) == []
    assert not (tmp_path / "out" / "manifest.csv").exists()


@pytest.mark.usefixtures("bundle")
def test_a_misspelt_class_is_named_also_while_an_image_is_missing(project: Path) -> None:
    for picture in (project / "images").iterdir():
        picture.unlink()
    with pytest.raises(UsageError, match="No object has the class HSLI"):
        predict(project, model="m", classes=["HSLI", "HSIL"], access=GEOJSON)
    assert runs(project) == []


def test_many_images_of_one_cause_are_one_message() -> None:
    failures = Failures()
    for number in range(33):
        failures.add_error(f"image {number}", BadInputError("The file is missing.", remedy="--map"))
    assert len(failures) == 33
    assert str(failures).count("\n") == 1
    assert "33 images (image 0; image 1; image 2; and 30 more): The file is missing." in str(
        failures
    )


@pytest.mark.usefixtures("bundle")
def test_a_written_run_is_undone_byte_for_byte_without_qupath(project: Path) -> None:
    run = predict(project, model="m", access=GEOJSON).run
    data = project / "data" / "1" / "data.qpdata"
    before = data.read_bytes()
    pretend_written(run.folder, project, "1")
    assert data.read_bytes() != before

    result = undo(project, access=GEOJSON)

    assert (result.restored, result.left) == (1, 0)
    assert data.read_bytes() == before


@pytest.mark.usefixtures("bundle")
def test_undo_without_qupath_does_not_touch_data_saved_since(project: Path) -> None:
    run = predict(project, model="m", access=GEOJSON).run
    pretend_written(run.folder, project, "1")
    data = project / "data" / "1" / "data.qpdata"
    data.write_bytes(b"work of the expert since")

    with pytest.raises(PartlyDoneError, match="needs QuPath"):
        undo(project, access=GEOJSON)

    assert data.read_bytes() == b"work of the expert since"
    assert runs(project)[0].images["1"].state == "written"


@pytest.mark.usefixtures("bundle")
def test_stale_cells_are_refused(project: Path) -> None:
    (project / "data" / "7" / "data.qpdata").write_bytes(b"saved since")

    with pytest.raises(StaleError):
        predict(project, model="m", access=GEOJSON)


def pretend_written(run: Path, project: Path, entry_id: str, state: str = "partly written") -> None:
    """Leave what a write by import_predictions.groovy leaves."""
    import hashlib

    data = project / "data" / entry_id / "data.qpdata"
    snapshot = run / "snapshots" / entry_id / "data.qpdata"
    snapshot.parent.mkdir(parents=True)
    shutil.copy(data, snapshot)
    data.write_bytes(data.read_bytes() + b"with detections")
    content = json.loads((run / "run.json").read_text())
    content["images"][entry_id] |= {
        "state": "written",
        "snapshot_sha256": hashlib.sha256(snapshot.read_bytes()).hexdigest(),
        "written_sha256": hashlib.sha256(data.read_bytes()).hexdigest(),
    }
    content["state"] = state
    (run / "run.json").write_text(json.dumps(content))


def test_a_slide_of_another_pixel_size_is_refused_unless_told(
    tmp_path: Path, bundle: Bundle
) -> None:
    fine = TinyImage("1", "fine", [TinyCell(50, 50)], mpp=0.25)
    coarse = TinyImage("2", "coarse", [TinyCell(50, 50)], mpp=0.5)
    project = build(tmp_path / "p", [fine, coarse])

    with in_place(by_centre, replace(bundle, resolution=Resolution(trained_mpp=(0.22, 0.26)))):
        with pytest.raises(PartlyDoneError, match=r"(?s)coarse.*known it is 0\.22 to 0\.26.*0\.5"):
            predict(project, model="m", access=GEOJSON)
        assert set(runs(project)[-1].images) == {"1"}
        told = predict(project, model="m", any_resolution=True, access=GEOJSON)
        assert set(told.run.images) == {"1", "2"}

        export(project, out=tmp_path / "patches", access=GEOJSON)
        with pytest.raises(RefusedError, match=r"known it is 0\.22 to 0\.26") as raised:
            predict(tmp_path / "patches", model="m")
        # An export of these images alone would change nothing.
        assert "Train at one scale" in str(raised.value.remedy)


def test_a_slide_of_no_pixel_size_is_predicted_and_said(tmp_path: Path, bundle: Bundle) -> None:
    project = build(tmp_path / "p", [TinyImage("1", "a", [TinyCell(50, 50)], mpp=None)])
    with in_place(by_centre, replace(bundle, resolution=Resolution(trained_mpp=(0.22, 0.26)))):
        done = predict(project, model="m", access=GEOJSON)
    assert done.tally.notes[UNKNOWN_SCALE] == 1
    with in_place(by_centre, replace(bundle, resolution=Resolution())):
        assert not predict(project, model="m", access=GEOJSON).tally.notes


@pytest.mark.usefixtures("bundle")
def test_a_run_that_was_saved_over_is_named_by_every_command(project: Path, tmp_path: Path) -> None:
    run = predict(project, model="m", images=["1"], access=GEOJSON).run
    pretend_written(run.folder, project, "1", state="written")
    content = json.loads((run.folder / "run.json").read_text())
    content["images"]["1"] |= {"created": 4, "read_back": 4}
    (run.folder / "run.json").write_text(json.dumps(content))
    # QuPath, open all the while, saves what it has: the cells without the run's detections.
    save_cells(project, "1", CELLS, state="saved from the window")
    said = Said()

    assert runs(project, reporter=said)[0].state == "overwritten"
    export(project, out=tmp_path / "out", access=GEOJSON, reporter=said)
    predict(project, model="m", access=GEOJSON, reporter=said)
    assert [run.name in text for text in said.warnings if "no longer there" in text] == [True] * 3
    findings = doctor(project, access=GEOJSON)
    assert any(run.name in f.text and f.level == "problem" for f in findings)

    save_cells(
        project,
        "1",
        [*CELLS, TinyCell(99, 99, kind="detection", measurements={RUN_MARK: mark(run.run_id)})],
        state="one of them is there",
    )
    assert runs(project)[0].state == "written"


def mark(run_id: str) -> float:
    return float(run_mark(run_id))


class Said(Silent):
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.mark.usefixtures("bundle")
def test_a_running_qupath_is_asked_about(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = predict(project, model="m", images=["1"], access=GEOJSON).run
    pretend_written(run.folder, project, "1", state="written")
    monkeypatch.setattr("pycyto.qupath.running.running", lambda: ["process 7 since noon"])
    before = {path: path.read_bytes() for path in project.rglob("data.qpdata")}

    with pytest.raises(RefusedError, match=r"(?s)QuPath is running \(process 7.*--yes"):
        undo(project, access=GEOJSON)
    assert {path: path.read_bytes() for path in project.rglob("data.qpdata")} == before

    said = Said()
    assert undo(project, yes=True, access=GEOJSON, reporter=said).restored == 1
    assert "QuPath is running" in said.warnings[0]


@pytest.mark.usefixtures("bundle")
def test_ingested_cells_are_predicted_into_a_table_and_written_back_nowhere(
    project: Path, tmp_path: Path
) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 2, "normal_columnar": 1})
    ingest("herlev", src, out=tmp_path / "data")
    said = Said()
    run = predict(tmp_path / "data", model="m", reporter=said).run

    with (run.folder / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        found = {row["file"]: row for row in csv.DictReader(stream)}
    rows = read_manifest(tmp_path / "data")
    assert set(found) == {row.file for row in rows}
    for row in rows:
        line = found[row.file]
        assert (line["object_id"], line["image_name"], line["label"]) == (
            row.object_id, row.image_name, row.label,
        )  # fmt: skip
        assert float(line[f"P({line['class']})"]) == max(
            float(value) for name, value in line.items() if name.startswith("P(")
        )
    told = "\n".join(said.said)
    assert str(run.folder / "predictions.csv") in told
    assert "in no QuPath project" in told
    assert "nothing in QuPath has changed yet" not in told

    with pytest.raises(RefusedError, match=r"(?s)ingested from a public set.*predictions\.csv"):
        write_back(project, run.folder, access=GEOJSON)
    assert runs(project) == []
    with pytest.raises(BadInputError, match="a data set, not a QuPath project"):
        write_back(tmp_path / "data", run.name, access=GEOJSON)


@pytest.mark.usefixtures("bundle")
def test_merged_sources_are_predicted_one_by_one(tmp_path: Path) -> None:
    one = published.herlev(tmp_path / "herlev", {"light_dysplastic": 1})
    ingest("herlev", one, out=tmp_path / "one")
    two = published.sipakmed(tmp_path / "sipakmed", {"Parabasal": [1]})
    ingest("sipakmed", two, out=tmp_path / "two")
    merge([tmp_path / "one", tmp_path / "two"], out=tmp_path / "all")
    with pytest.raises(BadInputError, match=r"(?s)not of one project.*merged by itself"):
        predict(tmp_path / "all", model="m")
    assert not (tmp_path / "all" / "runs").exists()
