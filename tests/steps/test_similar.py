"""Similar adjudicated cells: found, never the cell itself, and the same each time."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from pycyto import Access, export, predict, write_back
from pycyto.cli.main import main
from pycyto.errors import BadInputError, MissingDependencyError, RefusedError, UsageError
from pycyto.images.crop import Square
from pycyto.images.patches import read_patch
from pycyto.manifest import Row, lines_of, read_manifest
from pycyto.qupath.similar_table import SIMILAR_COLUMNS
from pycyto.records import CellKey, Silent
from pycyto.steps.similar import References
from tests.manifests import a_row, write_manifest
from tests.stub_model import seeing_in_place
from tests.tiny_project import TinyCell, TinyImage, build

GEOJSON = Access(backend="geojson")
LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")

# A tiny image's pixels depend on its entry ID alone: two projects with one hold twins.
IMAGES = [
    TinyImage("1", "a.png", [TinyCell(200, 150, None), TinyCell(60, 60, "HSIL")]),
    TinyImage("2", "b.png", [TinyCell(50, 50, points=((50.0, 50.0), (90.0, 90.0)))]),
]


@pytest.fixture(autouse=True)
def model() -> Iterator[None]:
    with seeing_in_place():
        yield


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return build(tmp_path / "project", IMAGES)


@pytest.fixture
def references(tmp_path: Path) -> Path:
    """Eight cells of another project; the first two are twins of cells of this one."""
    cells = [("1", 200.0, 150.0), ("2", 50.0, 50.0), *((str(n), 120.0, 90.0) for n in range(3, 9))]
    images = [
        TinyImage(entry, f"{entry}.png", [TinyCell(x, y, LABELS[int(entry) % 4])])
        for entry, x, y in cells
    ]
    return data_set(build(tmp_path / "other", images), tmp_path / "references")


def data_set(project: Path, out: Path, origins: Sequence[str] = ("consensus",)) -> Path:
    """Export a project, and let its labels be of these origins in turn."""
    export(project, out=out, access=GEOJSON)
    rows = read_manifest(out)
    decided = [replace(row, label_origin=origins[i % len(origins)]) for i, row in enumerate(rows)]
    write_manifest(out, decided)
    return out


def similar_to(run: Path, entry_id: str) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Return the table of an image, by object and point."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    with (run / "similar" / f"{entry_id}.csv").open(newline="") as stream:
        reader = csv.DictReader(stream)
        assert tuple(reader.fieldnames or ()) == SIMILAR_COLUMNS
        for row in reader:
            found.setdefault((row["object_id"], row["point_index"]), []).append(row)
    return found


def test_six_are_found_and_the_twin_comes_first(project: Path, references: Path) -> None:
    run = predict(project, model="m", similar=references, access=GEOJSON).run

    first = similar_to(run.folder, "1")[IMAGES[0].cells[0].object_id, ""]
    assert [row["rank"] for row in first] == list("123456")
    assert (first[0]["label"], first[0]["label_origin"]) == ("ASC-US", "consensus")
    assert float(first[0]["similarity"]) == 1.0 > float(first[1]["similarity"])
    similarities = [float(row["similarity"]) for row in first]
    assert similarities == sorted(similarities, reverse=True)

    points = similar_to(run.folder, "2")
    assert points[IMAGES[1].cells[0].object_id, "0"][0]["label"] == "LSIL"
    assert float(points[IMAGES[1].cells[0].object_id, "1"][0]["similarity"]) < 0.5
    assert run.counts["similar"] == {"references": 8, "fewer": 0}
    assert run.model["engine"] == "a stub that sees"


def test_each_of_many_cells_has_its_own_twin(tmp_path: Path) -> None:
    points = [(3.0 * n, 100.0 + n) for n in range(1, 71)]
    image = TinyImage("1", "a.png", [TinyCell(50, 50, points=points)])
    project = build(tmp_path / "project", [image])
    data = data_set(build(tmp_path / "other", [image]), tmp_path / "data")
    run = predict(project, model="m", similar=data, access=GEOJSON).run

    for row in read_manifest(data):
        nearest, *_ = similar_to(run.folder, "1")[row.object_id, str(row.point_index)]
        assert Path(nearest["file"]).stem == row.content_hash


def test_patches_are_kept_once_and_hold_pixels_only(project: Path, references: Path) -> None:
    for row in read_manifest(references):  # as a program that leaves a name in the file would
        path = references / row.file
        text = mock.Mock(chunks=[(b"tEXt", b"Patient\0Erika", False)])
        with Image.open(path) as image:
            image.load()
            image.save(path, pnginfo=text)
    run = predict(project, model="m", similar=references, access=GEOJSON).run

    tables = [*similar_to(run.folder, "1").values(), *similar_to(run.folder, "2").values()]
    named = {row["file"] for rows in tables for row in rows}
    folder = run.folder / "similar"
    assert named == {path.relative_to(folder).as_posix() for path in folder.glob("patches/*")}
    pixels = {row.content_hash: read_patch(references, row) for row in read_manifest(references)}
    for file in named:
        content = (folder / file).read_bytes()
        assert b"Erika" not in content
        with Image.open(folder / file) as image:
            np.testing.assert_array_equal(np.asarray(image), pixels[Path(file).stem])


def test_a_cell_is_never_shown_itself(project: Path, tmp_path: Path) -> None:
    cells = [TinyCell(60, 60, "HSIL"), TinyCell(70, 60, "NILM"), TinyCell(340, 60, "LSIL")]
    build(project, [TinyImage("1", "a.png", cells), *IMAGES[1:]])
    data = data_set(project, tmp_path / "own")
    shutil.move(project, tmp_path / "moved")  # so that its images have other keys

    for where in (tmp_path / "moved", data):
        run = predict(where, model="m", similar=data, access=GEOJSON).run
        hashes = {row.object_id: row.content_hash for row in read_manifest(data)}
        for cell in cells:
            shown = similar_to(run.folder, "1").get((cell.object_id, ""), [])
            near = {hashes[other.object_id] for other in cells if abs(other.x - cell.x) < 224}
            assert shown
            assert near.isdisjoint(Path(row["file"]).stem for row in shown)
            assert all(float(row["similarity"]) < 0.9 for row in shown)
        assert run.counts["similar"]["fewer"] == run.counts["predicted"] == 5


def test_patches_that_share_pixels_hide_each_other_however_little_they_share() -> None:
    rows = [a_row(left=left, top=0, object_id=str(left)) for left in (-224, -223, 0, 223, 224)]
    folder_is_not_looked_at = Path()
    references = References(folder_is_not_looked_at, rows, np.eye(5, dtype=np.float32))

    def hidden(image_key: str, key: CellKey, square: Square) -> list[bool]:
        place = mock.Mock(image_key=image_key, key=key, square=square)
        return [bool(value) for value in references.hidden_from([place])[0]]

    here, shared = Square(0, 0, 224), [False, True, True, True, False]
    assert hidden("k", CellKey("another project", "9", "new"), here) == shared
    assert hidden("another key", CellKey("p", "1", "new"), here) == shared
    assert hidden("another key", CellKey("p", "2", "new"), here) == [False] * 5
    assert hidden("k", CellKey("p", "1", "new"), Square(0, 224, 224)) == [False] * 5
    assert hidden("k", CellKey("p", "1", "new"), Square(0, 223, 448)) == [
        False,
        True,
        True,
        True,
        True,
    ]


def test_the_same_cells_give_the_same_files(project: Path, references: Path) -> None:
    found = read_manifest(references)
    as_similar = [
        replace(row, entry_id=f"9{row.entry_id}", label_origin="adjudicated") for row in found
    ]
    write_manifest(references, [*found, *as_similar])
    first = predict(project, model="m", similar=references, access=GEOJSON).run.folder
    rows = reversed(read_manifest(references))
    (references / "manifest.csv").write_text(
        header_of(references) + "".join(lines_of([row]) for row in rows), encoding="utf-8"
    )
    second = predict(project, model="m", similar=references, access=GEOJSON).run.folder

    assert contents(first / "similar") == contents(second / "similar") != {}


def header_of(folder: Path) -> str:
    return (folder / "manifest.csv").read_text(encoding="utf-8").partition("\n")[0] + "\n"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_exported_patches_are_shown_the_same(
    project: Path, references: Path, tmp_path: Path
) -> None:
    here = predict(project, model="m", similar=references, access=GEOJSON).run.folder
    export(project, out=tmp_path / "patches", unclassified=True, access=GEOJSON)
    away = predict(tmp_path / "patches", model="m", similar=references).run.folder

    for entry_id in ("1", "2"):
        assert similar_to(here, entry_id) == similar_to(away, entry_id)
    assert contents(here / "similar").keys() == contents(away / "similar").keys()
    # The run's folder brings them home.
    with pytest.raises(MissingDependencyError, match=r"import_predictions\.groovy"):
        write_back(project, away, access=GEOJSON)
    home = project / "pycyto" / "runs" / away.name
    assert contents(home / "similar") == contents(away / "similar")


def test_only_what_people_agreed_on_is_shown(project: Path, tmp_path: Path) -> None:
    images = [TinyImage(str(n), "x.png", [TinyCell(120, 90)]) for n in range(3, 15)]
    origins = ("manual", "consensus", "blinded", "adjudicated", "model_assisted", "unknown")
    data = data_set(build(tmp_path / "other", images), tmp_path / "data", origins)
    run = predict(project, model="m", similar=data, access=GEOJSON).run

    shown = [row for rows in similar_to(run.folder, "1").values() for row in rows]
    assert {row["label_origin"] for row in shown} == {"consensus", "adjudicated"}
    assert run.counts["similar"] == {"references": 4, "fewer": 4}


def test_the_same_slide_is_told(project: Path, tmp_path: Path) -> None:
    slides = ("S1", "S2", "")
    images = [
        TinyImage(
            str(n), "x.png", [TinyCell(120, 90)], {"Slide": slides[n % 3]} if n % 3 < 2 else {}
        )
        for n in range(3, 9)
    ]
    data = data_set(build(tmp_path / "other", images), tmp_path / "data")
    slide_of = {row.content_hash: row.slide for row in read_manifest(data)}
    build(project, [replace(IMAGES[0], metadata={"Slide": "S1"}), IMAGES[1]])
    run = predict(project, model="m", similar=data, access=GEOJSON).run

    for entry_id, told in (("1", {"S1"}), ("2", set())):
        for rows in similar_to(run.folder, entry_id).values():
            same = {slide_of[Path(row["file"]).stem] for row in rows if row["same_slide"] == "1"}
            assert same == told


def test_too_few_cells_are_told(project: Path, tmp_path: Path) -> None:
    class Listener(Silent):
        said = ""

        def say(self, text: str) -> None:
            self.said += f"{text}\n"

        warn = say

    images = [TinyImage(str(n), "x.png", [TinyCell(120, 90)]) for n in (3, 4)]
    data = data_set(build(tmp_path / "other", images), tmp_path / "data")
    listener = Listener()
    predict(project, model="m", similar=data, access=GEOJSON, reporter=listener)

    assert "looked for among 2 (2 consensus)" in listener.said
    assert "fewer than 6 cells to choose from" in listener.said
    assert "4 cells have fewer than 6 similar ones" in listener.said


def changed(data: Path, **values: Any) -> Path:
    """Give all rows of a data set other values."""
    write_manifest(data, [replace(row, **values) for row in read_manifest(data)])
    return data


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"label_origin": "manual"}, BadInputError, r"(?s)No cell.*consensus.*export .*--reviewed"),
        ({"label": ""}, BadInputError, "No cell"),
        ({"scheme": "another"}, BadInputError, "labelled by another, the model by bethesda"),
        ({"downsample": 2.0, "width": 448}, RefusedError, "needs patches at full resolution"),
    ],
)
def test_a_data_set_that_will_not_do_is_refused_before_anything_is_staged(
    project: Path, references: Path, values: dict[str, Any], error: type[Exception], words: str
) -> None:
    changed(references, **values)
    with pytest.raises(error, match=words):
        predict(project, model="m", similar=references, access=GEOJSON)
    assert not (project / "pycyto" / "runs").exists()


def test_a_changed_patch_is_refused(project: Path, references: Path) -> None:
    row: Row = read_manifest(references)[0]
    Image.fromarray(np.zeros((224, 224, 3), np.uint8)).save(references / row.file)
    with pytest.raises(BadInputError, match="not the one that the manifest describes"):
        predict(project, model="m", similar=references, access=GEOJSON)


def test_openvino_shows_no_features(project: Path, references: Path) -> None:
    with pytest.raises(UsageError, match="OpenVINO"):
        predict(project, model="m", similar=references, engine="openvino", access=GEOJSON)


def test_the_command_takes_the_data_set(project: Path, references: Path) -> None:
    arguments = ["predict", str(project), "--model", "m", "--similar", str(references)]
    assert main([*arguments, "--backend", "geojson"]) == 0
    assert (next((project / "pycyto" / "runs").iterdir()) / "similar" / "1.csv").exists()


def test_without_it_nothing_is_looked_for(project: Path) -> None:
    run = predict(project, model="m", access=GEOJSON).run
    assert not (run.folder / "similar").exists()
    assert "similar" not in run.counts


def test_a_patch_is_named_after_its_pixels(project: Path, references: Path) -> None:
    run = predict(project, model="m", similar=references, access=GEOJSON).run
    for path in (run.folder / "similar" / "patches").iterdir():
        with Image.open(path) as image:
            assert path.stem == hashlib.sha256(image.tobytes()).hexdigest()
