"""A pathologist sees each cell before and after, and their verdict is kept with what it is on."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pycyto import train
from pycyto.cli.main import main
from pycyto.errors import BadInputError, PycytoError, RefusedError, UsageError
from pycyto.evaluation.colour_verdicts import COLUMNS
from pycyto.images.colour import Colour, reader_of
from pycyto.images.crop import Pixels
from pycyto.images.patches import content_hash, read_patch, write_patch
from pycyto.images.stain import Sums, reference_statistics, sums_of
from pycyto.learning.bundle import load_bundle
from pycyto.manifest import Row, read_manifest
from pycyto.records import SILENT
from pycyto.steps.colour import colour
from tests.learning.patch_data import SECRETS, write_data
from tests.manifests import edit, write_manifest
from tests.steps.test_train import Listener

GLASS = np.full((224, 224, 3), 240, np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two sources of two classes; one patch of the second shows nothing but glass."""
    folder = tmp_path / "data"
    counts = {"NILM": 3, "HSIL": 3}
    rows = write_data(folder, {"train": counts, "validation": {"NILM": 1, "HSIL": 1}})
    rows = [replace(row, source="lab" if n < 5 else "clinic") for n, row in enumerate(rows)]
    write_patch(folder / rows[5].file, GLASS)
    rows[5] = rows[5].with_hash(content_hash(GLASS))
    write_manifest(folder, rows)
    return folder


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    ramp = np.tile(np.linspace(90, 190, 224).astype(np.uint8)[:, None, None], (1, 224, 3))
    ramp[..., 1] //= 2
    Image.fromarray(ramp).save(tmp_path / "reference.png")
    return tmp_path / "reference.png"


def page_of(out: Path) -> str:
    return (out / "index.html").read_text("utf-8")


def pooled(patches: Sequence[Pixels]) -> Sums:
    return sum(map(sums_of, patches), Sums())


def test_figures_are_those_of_the_patches_before_and_after(
    data: Path, reference: Path, tmp_path: Path
) -> None:
    found = colour(data, out=tmp_path / "out", reference=reference, stats="source").figures
    rows = read_manifest(data)
    target = reference_statistics(reference)
    assert found == json.loads((tmp_path / "out" / "colour.json").read_text("utf-8"))
    assert found["target"]["mean"] == list(target.mean)
    names = [own["patches"] for own in found["sources"]]
    assert names == [3, 5]  # clinic, lab
    for own, source in zip(found["sources"], ("clinic", "lab"), strict=True):
        of_source = [row for row in rows if row.source == source]
        before = pooled([read_patch(data, row) for row in of_source])
        assert own["before"]["mean"] == list(before.statistics.mean)
        assert own["before"]["deviation"] == list(before.statistics.deviation)
        assert own["before"]["tissue_share"] == before.tissue / before.pixels
        assert own["slides"] == len({(row.patient, row.slide) for row in of_source})
        assert np.allclose(own["after"]["mean"], target.mean, atol=2)
        assert own["after"]["distance_to_target"] < own["before"]["distance_to_target"]
    assert [own["left_as_they_were"] for own in found["sources"]] == [1, 0]


def test_the_target_is_the_one_of_a_training(data: Path, tmp_path: Path) -> None:
    """The training part of the source that has most of it."""
    listener = Listener()
    found = colour(data, out=tmp_path / "out", reporter=listener).figures
    (pseudonym,) = (text.split()[3] for text in listener.said if text.endswith(" stands for lab."))
    assert found["target"]["of"] == f"{pseudonym}, the source that has most training patches"
    assert f"The target is the tissue of {pseudonym}, " in page_of(tmp_path / "out")
    assert any(" training patches of lab, the largest of 2 sources." in t for t in listener.said)
    lab = [read_patch(data, row) for row in read_manifest(data) if row.source == "lab"]
    assert found["target"]["mean"] == list(pooled(lab).statistics.mean)
    (data / "split.csv").unlink()
    again = colour(data, out=tmp_path / "out").figures
    assert again["target"]["digest"] == found["target"]["digest"]


def test_a_verdict_on_the_page_is_one_on_the_model(
    data: Path, reference: Path, tmp_path: Path
) -> None:
    for number, options in enumerate(({}, {"reference": reference, "stats": "patch"})):
        page = colour(data, out=tmp_path / f"page {number}", **options)  # type: ignore[arg-type]
        out = tmp_path / f"model {number}"
        train(data, out=out, epochs=1, colour="reinhard", **options)  # type: ignore[arg-type]
        found = load_bundle(out).colour
        assert found is not None
        assert found.digest == page.target
        assert page.target in (out / "README.txt").read_text("utf-8")


def pictures(html: str) -> list[Pixels]:
    uris = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))) for uri in uris]


def small(pixels: Pixels) -> Any:
    return np.asarray(Image.fromarray(pixels).resize((128, 128), Image.Resampling.BOX), np.float64)


def test_the_same_cell_is_above_and_below(data: Path, reference: Path, tmp_path: Path) -> None:
    result = colour(data, out=tmp_path / "out", reference=reference, cells=2, stats="patch")
    found = pictures(page_of(tmp_path / "out"))
    assert len(found) == 2 * (1 + 2 + 2 + 2)  # clinic has one NILM cell
    wanted = Colour(reference_statistics(reference), "patch")
    assert wanted.digest == result.target
    read = reader_of(data, wanted, SILENT)
    rows = read_manifest(data)
    known = [(small(read_patch(data, row)), small(read(row))) for row in rows]
    for pair in zip(found[::2], found[1::2], strict=True):
        # JPEG blurs the colours of noise; another cell is further off.
        of = [
            [float(np.abs(picture - one[which]).mean()) for one in known]
            for which, picture in enumerate(pair)
        ]
        assert int(np.argmin(of[0])) == int(np.argmin(of[1]))
        assert max(map(min, of)) < 7
    assert page_of(tmp_path / "out").count("left as it was") == 1


def test_the_same_seed_shows_the_same_cells(data: Path, reference: Path, tmp_path: Path) -> None:
    sheets = []
    for number, seed in enumerate((0, 0, 1)):
        out = tmp_path / str(number)
        colour(data, out=out, reference=reference, cells=1, seed=seed)
        sheets.append((out / "sheets.json").read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]


def test_a_verdict_is_kept_and_shown(data: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    colour(data, out=out, reference=reference)
    assert "Nobody has judged" in page_of(out)
    colour(data, out=out, verdict="not-acceptable", by="Ann Example", note="Blue,\n glass")
    first = page_of(out)
    assert "Not acceptable" in first
    assert "Blue, glass" in first
    colour(data, out=out, verdict="acceptable", by="Bo Example", reference=reference)
    html = page_of(out)
    assert ">Acceptable</strong>" in html
    assert "Nobody has judged" not in html
    np.testing.assert_array_equal(pictures(html), pictures(first))
    with (out / "verdicts.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert tuple(lines[0]) == COLUMNS
    assert [line["by"] for line in lines] == ["Ann Example", "Bo Example"]
    assert [line["verdict"] for line in lines] == ["not-acceptable", "acceptable"]
    assert {line["target"] for line in lines} == {
        json.loads((out / "colour.json").read_text("utf-8"))["target"]["digest"]
    }


def test_a_verdict_on_another_target_says_nothing_about_this_page(
    data: Path, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    colour(data, out=out, reference=reference)
    colour(data, out=out, verdict="acceptable", by="Ann")
    colour(data, out=out)  # the target of a training instead
    assert "Nobody has judged" in page_of(out)
    assert "another target" in page_of(out)
    colour(data, out=out, reference=reference)
    assert "Nobody has judged" not in page_of(out)
    drop_one(data)
    colour(data, out=out, reference=reference)
    assert "Nobody has judged" in page_of(out)
    assert "other patches" in page_of(out)


def drop_one(data: Path) -> None:
    write_manifest(data, read_manifest(data)[:-1])


def test_a_verdict_on_what_the_page_does_not_show_is_refused(
    data: Path, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(BadInputError, match="no page"):
        colour(data, out=out, verdict="acceptable", by="Ann")
    colour(data, out=out)
    for other in ({"reference": reference}, {"stats": "patch"}):
        with pytest.raises(RefusedError, match="another target"):
            colour(data, out=out, verdict="acceptable", by="Ann", **other)
    drop_one(data)
    with pytest.raises(RefusedError, match="other patches"):
        colour(data, out=out, verdict="acceptable", by="Ann")
    assert not (out / "verdicts.csv").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"verdict": "fine", "by": "Ann"}, "acceptable, not-acceptable"),
        ({"verdict": "acceptable"}, "Whose"),
        ({"verdict": "acceptable", "by": " "}, "Whose"),
        ({"by": "Ann"}, "belong to a verdict"),
        ({"note": "x"}, "belong to a verdict"),
        ({"cells": 0}, "one at least"),
        ({"stats": "image"}, "patch, slide, source"),
    ],
)
def test_arguments_that_do_not_fit_are_said(
    data: Path, options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        colour(data, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_bad_input_is_named_and_nothing_is_left(
    data: Path, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    Image.fromarray(GLASS).save(tmp_path / "glass.png")
    (tmp_path / "text.png").write_text("no image")
    tries: list[tuple[dict[str, Any], str]] = [
        ({"data": tmp_path / "none"}, "manifest.csv"),
        ({"reference": tmp_path / "glass.png"}, "0 pixels of tissue"),
        ({"reference": tmp_path / "text.png"}, "cannot be read"),
        ({"reference": tmp_path / "none.png"}, "no such reference"),
    ]
    for options, words in tries:
        with pytest.raises(PycytoError, match=words):
            colour(**{"data": data, "out": out, **options})
    patch = read_manifest(data)[0].file
    (data / patch).write_bytes((data / patch).read_bytes()[:99])
    with pytest.raises(BadInputError) as raised:
        colour(data, out=out, reference=reference)
    assert Path(patch).name in str(raised.value)
    assert not out.exists()
    with pytest.raises(UsageError, match="data set"):
        colour(data, out=data)


def test_files_that_were_changed_are_named(data: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    colour(data, out=out, reference=reference)
    colour(data, out=out, verdict="acceptable", by="Ann")
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    for name, old, new in (
        ("verdicts.csv", "acceptable", "perhaps"),
        ("verdicts.csv", "note", "notes"),
        ("colour.json", "pycyto colour", "pycyto study"),
        ("colour.json", '"sources"', '"source"'),
        ("sheets.json", '"of"', '"to"'),
        ("sheets.json", '"before"', '"then"'),
    ):
        edit(out / name, lambda text, old=old, new=new: text.replace(old, new))  # type: ignore[misc]
        with pytest.raises(BadInputError):
            colour(data, out=out, verdict="acceptable", by="Bo")
        (out / name).write_bytes(whole[name])
    assert (out / "index.html").read_bytes() == whole["index.html"]
    # A verdict would replace no page: what is wrong is the file itself.
    edit(out / "colour.json", lambda text: text[:-9])
    with pytest.raises(BadInputError, match=r"not valid JSON(.|\n)*colour.json"):
        colour(data, out=out, verdict="acceptable", by="Bo")
    (out / "colour.json").write_bytes(whole["colour.json"])
    edit(out / "verdicts.csv", lambda text: text.replace("acceptable", "perhaps"))
    with pytest.raises(BadInputError, match="'perhaps' is no verdict"):
        colour(data, out=out)
    assert (out / "colour.json").read_bytes() == whole["colour.json"]


def test_no_name_is_in_the_page_unless_it_was_asked_for(
    data: Path, reference: Path, tmp_path: Path
) -> None:
    names = {"lab", "clinic", "Ann Example"}
    for identifiers in (False, True):
        out = tmp_path / str(identifiers)
        colour(data, out=out, reference=reference, identifiers=identifiers)
        colour(data, out=out, verdict="acceptable", by="Ann Example")
        text = re.sub(r"base64,[^\"]+", "", page_of(out) + (out / "colour.json").read_text("utf-8"))
        found = {name for name in names if re.search(rf"\b{name}\b", text)}
        assert found == (names if identifiers else set())
        assert ("confidential" in text) == identifiers
        assert not any(secret in text for secret in SECRETS)


def test_what_somebody_writes_is_no_part_of_the_page(
    data: Path, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    colour(data, out=out, reference=reference, identifiers=True)
    colour(data, out=out, verdict="acceptable", by="<b>A", note="<script>alert(1)</script>")
    assert "<script" not in page_of(out)
    assert "<b>A" not in page_of(out)


def test_the_command_says_what_it_did(
    data: Path, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["colour", str(data), "--out", out, "--reference", str(reference)]) == 0
    said = capsys.readouterr().out
    assert "3 patches of 3 slides" in said
    assert "1 left as they were" in said
    line = ["colour", str(data), "--out", out, "--verdict", "acceptable"]
    assert main(line) == 2
    assert main([*line, "--by", "Ann", "--note", "fine"]) == 0
    assert "Recorded: acceptable, by Ann." in capsys.readouterr().out


def test_cells_without_a_class_are_shown_too(data: Path, reference: Path, tmp_path: Path) -> None:
    rows: list[Row] = read_manifest(data)
    rows[0] = replace(rows[0], label="")
    write_manifest(data, rows)
    colour(data, out=tmp_path / "out", reference=reference)
    assert "unclassified" in page_of(tmp_path / "out")
