"""Public sets become data sets, what is wrong is refused, and nothing half-made stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import shape

import pycyto
from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.images.patches import read_patch
from pycyto.images.resolution import resolution_of
from pycyto.manifest import UNKNOWN, Row, read_manifest
from pycyto.provenance import records_in
from pycyto.steps.ingest import OUTLINES_FILE, IngestResult, Layout, ingest
from tests import published
from tests.links import link
from tests.published import picture, save
from tests.steps.test_split import Listener

FIELDS = [
    ("a.png", "HSIL", 200, 150),
    ("a.png", "Negative for intraepithelial lesion", 5, 290),
    ("b.png", "ASC-H", 100, 100),
    ("b.png", "SCC", 120, 120),
    ("b.png", "LSIL", 380, 200),
]


def rows_of(folder: Path) -> dict[str, Row]:
    return {row.image_name: row for row in read_manifest(folder)}


def counts_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = records_in(folder)["ingest"]["counts"]
    return found


def refused(layout: Any, src: Path, out: Path, **options: Any) -> str:
    """Return why a source is refused, having made sure that nothing of it stays."""
    with pytest.raises(BadInputError) as caught:
        ingest(layout, src, out=out, **options)
    assert list(out.parent.glob(f"*{out.name}*")) == []
    return str(caught.value)


def test_herlev(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"normal_columnar": 2, "moderate_dysplastic": 2})
    result = ingest("herlev", src, out=tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert (result.given, result.cells) == (4, 4)
    row = rows["moderate_dysplastic/148419-1480001-001.BMP"]
    assert (row.label, row.original_label, row.scheme) == (
        "HSIL",
        "moderate_dysplastic",
        "bethesda",
    )
    assert (row.label_origin, row.selected_by, row.source) == ("manual", "manual", "herlev")
    assert (row.slide, row.mpp, row.downsample) == ("148419-1480001", 0.201, 1.0)
    assert (row.original_width, row.original_height) == (100, 80)
    assert (row.left, row.top, row.centroid_x) == (-62, -72, 50)
    assert (row.outline_width, row.outline_height, row.outline_area) == (40, 30, 1200)
    assert rows["normal_columnar/148415-1480001-002.BMP"].outline_area is None
    assert counts_of(tmp_path / "out")["notes"] == {"without an outline": 2}


def test_patches_have_the_pixels_in_the_middle_on_black(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 1})
    ingest("herlev", src, out=tmp_path / "out")
    (row,) = read_manifest(tmp_path / "out")
    patch = read_patch(tmp_path / "out", row)
    assert (patch[72:152, 62:162] == picture(1)).all()
    patch = patch.copy()
    patch[72:152, 62:162] = 0
    assert not patch.any()


def test_images_larger_than_a_patch_show_their_middle_and_are_counted(tmp_path: Path) -> None:
    save(tmp_path / "h" / "light_dysplastic" / "1-1-001.BMP", picture(1, 300, 100))
    ingest("herlev", tmp_path / "h", out=tmp_path / "out")
    (row,) = read_manifest(tmp_path / "out")
    patch = read_patch(tmp_path / "out", row)
    assert (patch[62:162] == picture(1, 300, 100)[:, 38:262]).all()
    assert counts_of(tmp_path / "out")["notes"]["larger than the patch: their middle is shown"] == 1


def test_brought_to_fit_the_longer_side_is_the_patch(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 2})
    save(src / "light_dysplastic" / "9-9-001.BMP", picture(7, 400, 200))
    ingest("herlev", src, out=tmp_path / "out", scale="fit")
    rows = rows_of(tmp_path / "out")
    wide = rows["light_dysplastic/9-9-001.BMP"]
    assert (wide.width, wide.downsample) == (400, 400 / 224)
    assert wide.mpp == pytest.approx(0.201 * 400 / 224)
    patch = read_patch(tmp_path / "out", wide)
    assert not patch[:50].any()
    assert patch[60:160].all()
    with pytest.raises(BadInputError, match="not cut at one resolution"):
        resolution_of(list(rows.values()), tmp_path)


def test_sipakmed_as_downloaded(tmp_path: Path) -> None:
    src = published.sipakmed(tmp_path / "s", {"Dyskeratotic": [2, 1], "Parabasal": [1]})
    result = ingest("sipakmed", src, out=tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert {name: row.slide for name, row in rows.items()} == {
        "Dyskeratotic/001_01.bmp": "Dyskeratotic_001",
        "Dyskeratotic/001_02.bmp": "Dyskeratotic_001",
        "Dyskeratotic/002_01.bmp": "Dyskeratotic_002",
        "Parabasal/001_01.bmp": "Parabasal_001",
    }
    assert {row.mpp for row in rows.values()} == {None}
    assert {row.outline_area for row in rows.values()} == {60 * 50}
    assert result.skipped == {"field that the cells were cropped from": 3}
    assert (result.given, result.cells) == (7, 4)


def test_outlines_come_along_in_pixels_of_the_image(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 2})
    ingest("herlev", src, out=tmp_path / "out")
    text = (tmp_path / "out" / "outlines.geojson").read_text("utf-8")
    features = json.loads(text)["features"]
    assert len(text.splitlines()) == len(features) + 2
    found = {f["properties"]["part"]: shape(f["geometry"]) for f in features}
    assert found["cell"].bounds == (30, 20, 70, 50)
    assert found["nucleus"].bounds == (40, 30, 50, 36)
    row = rows_of(tmp_path / "out")[features[0]["properties"]["image"]]
    assert {f["properties"]["object_id"] for f in features} == {row.object_id}


def test_outlines_that_cannot_be_read_are_told_and_the_cell_is_in(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 5})
    folder = src / "light_dysplastic"
    first, second, third = sorted(folder.glob("*-d.bmp"))
    save(first, published.mask(90, 80))
    save(second, np.zeros((80, 100, 3), np.uint8))
    third.write_bytes(b"BM")
    listener = Listener()
    ingest("herlev", src, out=tmp_path / "out", reporter=listener)
    assert len(read_manifest(tmp_path / "out")) == 5
    assert counts_of(tmp_path / "out")["notes"]["with an outline that cannot be read"] == 3
    told = "\n".join(listener.warned)
    assert "another size" in told
    assert "none of the published colours" in told
    assert not (tmp_path / "out" / "outlines.geojson").exists()


def test_many_warnings_are_summed_up(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 30})
    for path in src.rglob("*-d.bmp"):
        path.write_bytes(b"BM")
    listener = Listener()
    ingest("herlev", src, out=tmp_path / "out", reporter=listener)
    assert listener.warned[10] == "… and 6 more warnings."  # missing folders, and 15 masks
    assert len(listener.warned) == 11


def test_cric(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    result = ingest("cric", src, out=tmp_path / "out")
    rows = read_manifest(tmp_path / "out")
    assert result.skipped == {"ASC-H: left out by the table": 1, "SCC: left out by the table": 1}
    assert (result.given, result.cells) == (5, 3)
    (hsil,) = [row for row in rows if row.label == "HSIL"]
    assert (hsil.centroid_x, hsil.centroid_y) == (199.5, 149.5)
    assert (hsil.left, hsil.top, hsil.width) == (88, 38, 224)
    field = np.asarray(Image.open(src / "images" / "a.png"))
    assert (read_patch(tmp_path / "out", hsil) == field[38:262, 88:312]).all()
    assert (hsil.slide, hsil.preparation, hsil.mpp) == ("a", "conventional", None)
    assert (hsil.original_width, hsil.outline_area) == (None, None)
    (nilm,) = [row for row in rows if row.label == "NILM"]
    patch = read_patch(tmp_path / "out", nilm)
    assert not patch[:, :106].any()  # left of the field
    assert (patch[:121, 107:] == field[178:299, :117]).all()
    assert {row.slide for row in rows} == {"a", "b"}
    assert result.notes["nearer to the edge than half a patch: what lies outside is black"] == 2


def test_the_first_and_the_last_pixel_of_a_field_are_inside(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", [("a.png", "HSIL", 1, 1), ("a.png", "HSIL", 400, 300)])
    assert ingest("cric", src, out=tmp_path / "out").cells == 2


def test_contested_classes_of_cric_on_demand(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    ingest("cric", src, out=tmp_path / "out", alternative=["ASC-H=HSIL", "SCC=HSIL"])
    found = {row.original_label: row.label for row in read_manifest(tmp_path / "out")}
    assert found["ASC-H"] == found["SCC"] == found["HSIL"] == "HSIL"
    table = counts_of(tmp_path / "out")["table"]
    assert table["alternatives"] == {"ASC-H": "HSIL", "SCC": "HSIL"}
    assert table["version"] == 1


def test_further_columns_of_cric_have_their_place(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS[:2], patient="p7", scanner="Axio", annotator="")
    ingest("cric", src, out=tmp_path / "out", mpp=0.25)
    row, _ = read_manifest(tmp_path / "out")
    assert (row.patient, row.scanner, row.annotator, row.mpp) == ("p7", "Axio", UNKNOWN, 0.25)


def test_fields_that_are_missing_or_not_in_the_table_are_told(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    (src / "images" / "b.png").unlink()
    save(src / "images" / "z.png", picture(1))
    listener = Listener()
    result = ingest("cric", src, out=tmp_path / "out", reporter=listener)
    assert result.skipped == {"in a field whose image is missing": 3}
    told = "\n".join(listener.warned)
    assert "Images are missing: b.png." in told
    assert "no cell in these images: z.png" in told


def test_ps3c_keeps_its_own_classes(tmp_path: Path) -> None:
    src = published.ps3c(tmp_path / "p", {"healthy": 2, "rubbish": 1}, untold=3)
    listener = Listener()
    result = ingest("ps3c", src, out=tmp_path / "out", reporter=listener)
    rows = read_manifest(tmp_path / "out")
    assert {(row.label, row.scheme) for row in rows} == {("healthy", "ps3c"), ("rubbish", "ps3c")}
    assert result.skipped == {"test image without a published class": 3}
    told = "\n".join(listener.warned)
    assert "2 of 4 classes have no image in isbi2025-ps3c-train-dataset: bothcells, unh" in told
    assert "rest on the image alone" in told


def test_ps3c_whose_table_says_otherwise_is_refused(tmp_path: Path) -> None:
    src = published.ps3c(tmp_path / "p", {"healthy": 2, "rubbish": 1})
    top = src / "isbi2025-ps3c-train-dataset"
    one, _ = sorted((top / "healthy").iterdir())
    shutil.move(one, top / "rubbish" / one.name)
    assert f"rubbish/{one.name} is 'healthy'" in refused("ps3c", src, tmp_path / "out")


def test_a_folder_per_class(tmp_path: Path) -> None:
    src = tmp_path / "lab"
    save(src / "asc_us" / "p1" / "x.png", picture(1))
    save(src / "HSIL" / "p1 y.tif", picture(2, 300, 300))
    ingest("folder", src, out=tmp_path / "out", group_regex=r"(p\d)\b", mpp=0.5)
    rows = rows_of(tmp_path / "out")
    assert {(row.label, row.original_label) for row in rows.values()} == {
        ("ASC-US", "asc_us"), ("HSIL", "HSIL"),
    }  # fmt: skip
    assert {(row.slide, row.source, row.mpp) for row in rows.values()} == {("p1", "lab", 0.5)}
    assert set(rows) == {"asc_us/p1/x.png", "HSIL/p1 y.tif"}


def test_files_that_are_left_alone_are_named(tmp_path: Path) -> None:
    src = tmp_path / "lab"
    save(src / "HSIL" / "1.png", picture(1))
    save(src / "NILM" / "1.png", picture(2))
    shutil.copyfile(src / "HSIL" / "1.png", src / "HSIL" / "2.webp")
    shutil.copyfile(src / "HSIL" / "1.png", src / "loose.png")
    listener = Listener()
    ingest("folder", src, out=tmp_path / "out", reporter=listener)
    [told] = [line for line in listener.warned if "left alone" in line]
    assert told.startswith("2 files left alone")
    assert told.endswith(": HSIL/2.webp, loose.png.")


def test_a_folder_with_a_table_of_its_own(tmp_path: Path) -> None:
    src = tmp_path / "lab"
    save(src / "Trich" / "1.png", picture(1))
    save(src / "benign" / "1.png", picture(2))
    table = tmp_path / "own.toml"
    table.write_text(
        'source = "clinic"\nversion = 2\nscheme = "bethesda"\n'
        '[[class]]\noriginal = "benign"\nlabel = "NILM"\nreason = "our word"\n'
        '[[class]]\noriginal = "trich"\nreason = "no epithelium"\n',
        encoding="utf-8",
    )
    result = ingest("folder", src, out=tmp_path / "out", table=table, name="clinic")
    (row,) = read_manifest(tmp_path / "out")
    assert (row.label, row.original_label, row.source) == ("NILM", "benign", "clinic")
    assert result.skipped == {"trich: left out by the table": 1}
    assert len(records_in(tmp_path / "out")["ingest"]["inputs"]["table of classes"]) == 64


def test_the_same_cells_have_the_same_identifiers_wherever_they_lie(tmp_path: Path) -> None:
    src = published.sipakmed(tmp_path / "s", {"Parabasal": [2, 1]})
    flat = tmp_path / "flat"
    shutil.copytree(src / "im_Parabasal" / "im_Parabasal" / "CROPPED", flat / "Parabasal")
    ingest("sipakmed", src, out=tmp_path / "one")
    ingest("sipakmed", flat, out=tmp_path / "two")
    one, two = ((tmp_path / name / "manifest.csv").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len({row.key for row in read_manifest(tmp_path / "one")}) == 3


def test_a_download_in_a_folder_of_its_own_is_found(tmp_path: Path) -> None:
    published.herlev(tmp_path / "smear2005" / "New database pictures", {"light_dysplastic": 1})
    listener = Listener()
    result = ingest("herlev", tmp_path / "smear2005", out=tmp_path / "out", reporter=listener)
    assert result.cells == 1
    assert "The folders of classes are in New database pictures." in listener.said


def test_the_top_of_a_set_is_not_named(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 1})
    listener = Listener()
    ingest("herlev", src, out=tmp_path / "out", reporter=listener)
    assert not any("folders of classes" in text for text in listener.said)


@pytest.mark.parametrize(
    ("places", "told"),
    [
        (("train", "test"), ["test (1 class folder)", "train (1 class folder)"]),
        (("two/a", "two/b"), ["two/a (1 class folder)", "two/b (1 class folder)"]),
        (("deep/er/than/before", "b"), ["deep/er/than/before (1 class folder)", "b (1 class"]),
        ((".", "old"), ["this folder itself (1 class folder)", "old (1 class folder)"]),
    ],
)
@pytest.mark.parametrize("layout", ["herlev", "sipakmed", "ps3c"])
def test_classes_in_several_places_are_refused(
    tmp_path: Path, layout: Layout, places: tuple[str, str], told: list[str]
) -> None:
    label = {"herlev": "light_dysplastic", "sipakmed": "im_Parabasal", "ps3c": "healthy"}[layout]
    for seed, place in enumerate(places):
        save(tmp_path / "src" / place / label / f"00{seed}_01.bmp", picture(seed))
    message = refused(layout, tmp_path / "src", tmp_path / "out")
    assert "classes are in 2 places, and only one can be read" in message
    assert all(place in message for place in told)
    assert "Give one of these places, or bring the images of each class together" in message


def test_images_of_a_published_set_in_no_folder_of_a_class_are_named(tmp_path: Path) -> None:
    src = tmp_path / "smear2005"
    published.herlev(src / "New", {"light_dysplastic": 1})
    for name in ("loose.png", "New/9-9-001.BMP", "Old/9-9-002.BMP", ".hidden/3.png"):
        save(src / name, picture(9))
    (src / "New" / "readme.txt").touch()
    listener = Listener()
    ingest("herlev", src, out=tmp_path / "out", reporter=listener)
    told = "3 images left alone, not in the folder of a class: "
    assert f"{told}New/9-9-001.BMP, Old/9-9-002.BMP, loose.png." in listener.warned


@pytest.mark.parametrize("suffix", [".BMP", ".jpg"])
@pytest.mark.parametrize("layout", ["herlev", "sipakmed"])
def test_jpegs_in_a_set_that_is_published_without_loss_are_warned_of(
    tmp_path: Path, layout: Layout, suffix: str
) -> None:
    label, other = {
        "herlev": ("light_dysplastic", "normal_columnar"), "sipakmed": ("Parabasal", "Metaplastic"),
    }[layout]  # fmt: skip
    for number in (1, 2):
        save(tmp_path / "src" / label / f"00{number}_01.bmp", picture(number))
    save(tmp_path / "src" / other / "001_01.bmp", picture(4))
    jpeg = tmp_path / "src" / label / f"003_01{suffix}"
    Image.fromarray(picture(5)).save(jpeg, format="JPEG")
    listener = Listener()
    result = ingest(layout, tmp_path / "src", out=tmp_path / "out", reporter=listener)
    assert result.cells == 4
    [told] = [text for text in listener.warned if "JPEG" in text]
    assert told.startswith(f"1 of 4 images are JPEGs, where the set is published as BMP: {label} 1")
    jpeg.unlink()
    ingest(layout, tmp_path / "src", out=tmp_path / "other", reporter=listener)
    assert sum("JPEG" in text for text in listener.warned) == 1


def test_a_class_of_two_folders_is_refused(tmp_path: Path) -> None:
    for seed, name in enumerate(("Parabasal", "im_Parabasal")):
        save(tmp_path / "src" / name / f"00{seed}_01.bmp", picture(seed))
    message = refused("sipakmed", tmp_path / "src", tmp_path / "out")
    assert "Parabasal of SIPaKMeD has 2 folders: Parabasal, im_Parabasal." in message


def test_a_class_inside_the_folder_of_another_is_refused(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 1, "normal_columnar": 1})
    shutil.move(src / "normal_columnar", src / "light_dysplastic" / "x" / "normal_columnar")
    message = refused("herlev", src, tmp_path / "out")
    inner = "light_dysplastic/x/normal_columnar"
    assert f"The folder {inner} is inside that of the class light_dysplastic." in message


def test_what_a_mac_adds_is_no_place_of_classes(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 1})
    save(src / "__MACOSX" / "light_dysplastic" / "1-1-001.BMP", picture(9))
    assert ingest("herlev", src, out=tmp_path / "out").cells == 1


def test_cells_photographed_twice_are_one_group(tmp_path: Path) -> None:
    src = published.sipakmed(tmp_path / "s", {"Parabasal": [1, 1], "Metaplastic": [1]})
    parabasal = src / "im_Parabasal" / "im_Parabasal" / "CROPPED"
    shutil.copy(
        parabasal / "001_01.bmp", src / "im_Metaplastic" / "im_Metaplastic" / "CROPPED/001_01.bmp"
    )
    listener = Listener()
    result = ingest("sipakmed", src, out=tmp_path / "out", reporter=listener)
    assert result.joined == [["Metaplastic_001", "Parabasal_001"]]
    assert counts_of(tmp_path / "out")["joined"] == [["Metaplastic_001", "Parabasal_001"]]
    slides = {name: row.slide for name, row in rows_of(tmp_path / "out").items()}
    assert slides["Metaplastic/001_01.bmp"] == slides["Parabasal/001_01.bmp"]
    assert slides["Parabasal/002_01.bmp"] == "Parabasal_002"
    assert any("2 groups became 1" in text for text in listener.said)


def _truncate(src: Path) -> None:
    path = next(src.rglob("*-001.BMP"))
    path.write_bytes(path.read_bytes()[:2000])


def _grey(src: Path) -> None:
    save(src / "light_dysplastic" / "9-9-001.BMP", picture(1)[..., 0])


def _deep(src: Path) -> None:
    pixels = np.full((50, 50), 40000, np.uint16)
    Image.fromarray(pixels).save(src / "light_dysplastic" / "9-9-001.png")


def _transparent(src: Path) -> None:
    pixels = np.dstack([picture(1), np.full((80, 100), 200, np.uint8)])
    Image.fromarray(pixels).save(src / "light_dysplastic" / "9-9-001.png")


def _text(src: Path) -> None:
    (src / "light_dysplastic" / "9-9-001.BMP").write_text("no image", encoding="ascii")


def _empty(src: Path) -> None:
    (src / "light_dysplastic" / "9-9-001.BMP").touch()


def _misspelt(src: Path) -> None:
    save(src / "normal_superficial" / "9-9-001.BMP", picture(1))


def _extra(src: Path) -> None:
    save(src / "artefacts" / "9-9-001.BMP", picture(1))


def _twice(src: Path) -> None:
    stem = next(src.rglob("*-001.BMP"))
    save(stem.with_suffix(".png"), picture(77))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_truncate, "-001.BMP: This image cannot be read"),
        (_grey, "9-9-001.BMP: Only 8-bit RGB images are read; this one is 'L'"),
        (_deep, "9-9-001.png: Only 8-bit RGB images are read; this one is 16-bit 'I;16'"),
        (_transparent, "9-9-001.png: Parts of this image are transparent"),
        (_text, "9-9-001.BMP: This image cannot be read"),
        (_empty, "9-9-001.BMP: This image cannot be read (its file is empty)."),
        (_misspelt, "'normal_superficial' (1 image) is of no class. Did you mean 'normal_superfic"),
        (_extra, "'artefacts' (1 image) is of no class"),
        (_twice, "-001 is there twice: light_dysplastic/1484"),
    ],
)
def test_a_source_that_is_wrong_is_refused_with_the_file(
    tmp_path: Path, harm: Callable[[Path], None], told: str
) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 3, "normal_columnar": 1})
    harm(src)
    assert told in refused("herlev", src, tmp_path / "out")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 30})
    for path in src.rglob("*-0[012]?.BMP"):
        path.write_bytes(b"BM")
    message = refused("herlev", src, tmp_path / "out")
    assert "29 problems" in message
    assert "… and 9 more" in message


def test_opaque_images_with_an_alpha_channel_are_read(tmp_path: Path) -> None:
    pixels = np.dstack([picture(1), np.full((80, 100), 255, np.uint8)])
    (tmp_path / "lab" / "NILM").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "lab" / "NILM" / "1.png")
    assert ingest("folder", tmp_path / "lab", out=tmp_path / "out").cells == 1


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("nucleus_x", "x", "Columns are missing: nucleus_x"),
        (",200,150", ",2000,150", "line 2: (2000, 150) is outside a.png, which is 400 x 300"),
        (",200,150", ",0,150", "(0, 150) is outside a.png, which is 400 x 300 pixels, counted"),
        (",200,150", ",200,0", "(200, 0) is outside"),
        (",200,150", ",200,350", "(200, 350) is outside"),
        (",200,150", ",20.5,150", "nucleus_x: '20.5' is not a whole number"),
        (
            ",HSIL,",
            ",HSLI,",
            "'HSLI' (1 cell; classifications.csv, line 2) is not in the table of classes. Did",
        ),
        ("10.1/x,2,", "10.1/x,1,", "line 3: the cell 1 is in line 2 too"),
        (",200,150", ",200", "line 2 has another number of columns"),
    ],
)
def test_a_table_of_cric_that_is_wrong_is_refused(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    path = src / "classifications.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert told in refused("cric", src, tmp_path / "out")


def test_all_lines_of_a_table_of_cric_that_are_wrong_are_told_at_once(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", [*FIELDS, *FIELDS])
    path = src / "classifications.csv"
    head, *lines = path.read_text("utf-8").splitlines()
    lines[0] = lines[0].replace(",200,150", ",20.5,far")
    lines[1] = lines[1].replace(",5,290", ",5")
    lines[2] = lines[2].replace("ASC-H", "ASC-X")
    lines[3] = lines[3].replace("SCC", " ")
    lines[4] = lines[4].replace(",380,200", ",380,2000")
    lines[5] = lines[5].replace("10.1/x,6,", "10.1/x,7,")
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    message = refused("cric", src, tmp_path / "out")
    assert "7 problems" in message
    for told in (
        "The class 'ASC-X' (1 cell; classifications.csv, line 4) is not in the table",
        "Did you mean 'ASC-H'?",
        "classifications.csv, line 2, column nucleus_x: '20.5' is not a whole number",
        "classifications.csv, line 2, column nucleus_y: 'far' is not a whole number",
        "classifications.csv, line 3 has another number of columns",
        "classifications.csv, line 5, column bethesda_system: it is empty",
        "classifications.csv, line 6: (380, 2000) is outside b.png",
        "classifications.csv, line 8: the cell 7 is in line 7 too",
        "--table FILE",
    ):
        assert told in message


def test_a_table_with_semicolons_says_so(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    path = src / "classifications.csv"
    path.write_text(path.read_text("utf-8").replace(",", ";"), encoding="utf-8")
    assert "separated by semicolons" in refused("cric", src, tmp_path / "out")


def test_an_image_that_is_there_twice_is_ambiguous(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    save(src / "images" / "old" / "a.png", picture(1, 400, 300))
    message = refused("cric", src, tmp_path / "out")
    assert "a.png is there twice: images/a.png and images/old/a.png." in message


def test_no_field_of_the_table_says_why_there_is_no_cell(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    shutil.rmtree(src / "images")
    message = refused("cric", src, tmp_path / "out")
    assert "no cell in this source" in message
    assert "5: in a field whose image is missing" in message
    assert "Images are missing: a.png, b.png." in message


def test_one_spot_with_two_labels_is_left_out_and_both_lines_are_named(tmp_path: Path) -> None:
    fields = [("a.png", "HSIL", 9, 9), ("a.png", "LSIL", 9, 9), ("a.png", "LSIL", 90, 90)]
    listener = Listener()
    src = published.cric(tmp_path / "c", fields)
    result = ingest("cric", src, out=tmp_path / "out", reporter=listener)
    told = "classifications.csv, line 2 is HSIL, classifications.csv, line 3 is LSIL."
    assert_left_out(result, listener, told)


def assert_left_out(result: IngestResult, listener: Listener, told: str) -> None:
    """Check that two cells were left out and named, and that nothing of them is there."""
    note = "the same picture, pixel by pixel, under two labels"
    assert result.skipped[note] == 2
    assert f"Left out, {note}: {told}" in listener.warned
    rows = read_manifest(result.out)
    assert len(rows) == result.cells == result.given - sum(result.skipped.values()) > 0
    assert {path.name for path in result.out.rglob("*.png")} == {
        Path(row.file).name for row in rows
    }


def test_cells_that_are_left_out_count_nowhere_twice(tmp_path: Path) -> None:
    """Of three cells of one spot two have one label: all three are left out all the same."""
    spots = [("a.png", label, 9, 9) for label in ("LSIL", "LSIL", "HSIL")]
    listener = Listener()
    src = published.cric(tmp_path / "c", [*spots, ("a.png", "LSIL", 90, 90)])
    result = ingest("cric", src, out=tmp_path / "out", reporter=listener)
    assert (result.given, result.cells) == (4, 1)
    assert not any("as another cell of their class" in note for note in result.notes)
    assert not any("counts twice" in told for told in listener.warned)


def test_one_spot_with_a_class_that_is_left_out_is_told(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", [("a.png", "HSIL", 9, 9), ("a.png", "ASC-H", 9, 9)])
    listener = Listener()
    assert ingest("cric", src, out=tmp_path / "out", reporter=listener).cells == 1
    assert (
        "classifications.csv has several classes on one spot of a.png, (9, 9): HSIL (line 2), "
        "ASC-H (line 3)." in listener.warned
    )


def test_one_picture_under_two_labels_in_a_folder_is_refused(tmp_path: Path) -> None:
    src = tmp_path / "src"
    save(src / "HSIL" / "1.png", picture(1))
    save(src / "NILM" / "p" / "2.png", picture(1))
    save(src / "NILM" / "3.png", picture(3))
    message = refused("folder", src, tmp_path / "out")
    assert "1 problem" in message
    told = "under two labels: HSIL/1.png is HSIL, NILM/p/2.png is NILM. Keep the one that is right"
    assert told in message


def _in_herlev(src: Path) -> tuple[Layout, str]:
    published.herlev(src, {"light_dysplastic": 2, "normal_columnar": 1})
    one = next((src / "light_dysplastic").glob("*1.BMP"))
    for end in ("009.BMP", "009-d.bmp"):
        own = one if end == "009.BMP" else one.with_name(f"{one.stem}-d.bmp")
        shutil.copyfile(own, src / "normal_columnar" / f"9-9-{end}")
    return "herlev", f"normal_columnar/9-9-009.BMP is NILM, light_dysplastic/{one.name} is LSIL."


def _in_sipakmed(src: Path) -> tuple[Layout, str]:
    published.sipakmed(src, {"Parabasal": [2], "Dyskeratotic": [1]})
    one, other = (
        src / f"im_{name}" / f"im_{name}" / "CROPPED" for name in ("Parabasal", "Dyskeratotic")
    )
    shutil.copyfile(one / "001_01.bmp", other / "001_01.bmp")
    return "sipakmed", "Parabasal/001_01.bmp is NILM, Dyskeratotic/001_01.bmp is HSIL."


@pytest.mark.parametrize("make", [_in_herlev, _in_sipakmed])
def test_one_picture_under_two_labels_in_a_published_set_is_left_out_and_named(
    tmp_path: Path, make: Callable[[Path], tuple[Layout, str]]
) -> None:
    layout, told = make(tmp_path / "src")
    listener = Listener()
    result = ingest(layout, tmp_path / "src", out=tmp_path / "out", reporter=listener)
    assert_left_out(result, listener, told)
    drawn = json.loads((result.out / OUTLINES_FILE).read_text("utf-8"))["features"]
    kept = {row.object_id for row in read_manifest(result.out)}
    assert {feature["properties"]["object_id"] for feature in drawn} <= kept


def test_all_cells_of_a_picture_under_two_labels_are_named(tmp_path: Path) -> None:
    published.sipakmed(tmp_path / "s", {"Parabasal": [1, 1]})
    first = tmp_path / "s" / "im_Parabasal" / "im_Parabasal" / "CROPPED" / "001_01.bmp"
    for name in ("Superficial-Intermediate", "Metaplastic", "Dyskeratotic"):
        save(tmp_path / "s" / f"im_{name}" / "001_01.bmp", np.asarray(Image.open(first)))
    listener = Listener()
    result = ingest("sipakmed", tmp_path / "s", out=tmp_path / "out", reporter=listener)
    assert result.skipped["the same picture, pixel by pixel, under two labels"] == 4
    [told] = [text for text in listener.warned if text.startswith("Left out")]
    # The one cell that is left has an outline.
    assert (result.cells, result.notes) == (1, {})
    assert told.endswith(
        "under two labels: Superficial-Intermediate/001_01.bmp is NILM, Parabasal/001_01.bmp is "
        "NILM, Metaplastic/001_01.bmp is NILM, Dyskeratotic/001_01.bmp is HSIL."
    )


def test_one_picture_twice_under_one_label_is_one_group_counted_and_named(tmp_path: Path) -> None:
    for name in ("1", "2"):
        save(tmp_path / "lab" / "HSIL" / f"{name}.png", picture(1))
    save(tmp_path / "lab" / "NILM" / "3.png", picture(3))
    listener = Listener()
    result = ingest("folder", tmp_path / "lab", out=tmp_path / "out", reporter=listener)
    note = "the same picture, pixel by pixel, as another cell of their class"
    assert (result.cells, result.notes) == (3, {note: 1})
    assert len({row.group for row in read_manifest(tmp_path / "out")}) == 2
    assert any("1 cell (HSIL/1.png and HSIL/2.png)" in text for text in listener.warned)


def test_nearly_identical_cells_of_two_labels_are_named(tmp_path: Path) -> None:
    brighter = np.clip(picture(1).astype(int) + 7, 0, 255).astype(np.uint8)
    save(tmp_path / "lab" / "HSIL" / "1.png", picture(1))
    save(tmp_path / "lab" / "NILM" / "2.png", brighter)
    listener = Listener()
    ingest("folder", tmp_path / "lab", out=tmp_path / "out", reporter=listener)
    [told] = [text for text in listener.warned if "two classes" in text]
    assert "HSIL/1.png (HSIL)" in told
    assert "NILM/2.png (NILM)" in told


def linked(src: Path, disk: Path) -> Path:
    """A folder per class whose images lie elsewhere: a folder, a folder below, and a file."""
    save(disk / "h" / "1.png", picture(1))
    save(disk / "n" / "2.png", picture(2))
    save(disk / "3.png", picture(3))
    (src / "NILM").mkdir(parents=True)
    link(src / "HSIL", disk / "h", folder=True)
    link(src / "NILM" / "p1", disk / "n", folder=True)
    link(src / "NILM" / "3.png", disk / "3.png")
    return src


def test_links_are_followed(tmp_path: Path) -> None:
    src = linked(tmp_path / "lab", tmp_path / "disk")
    link(src / "NILM" / "back", src / "NILM", folder=True)
    listener = Listener()
    ingest("folder", src, out=tmp_path / "out", reporter=listener)
    assert set(rows_of(tmp_path / "out")) == {"HSIL/1.png", "NILM/p1/2.png", "NILM/3.png"}
    assert not any("left alone" in text for text in listener.warned)


def test_a_published_set_behind_links_is_read(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    shutil.move(src / "images", tmp_path / "disk")
    link(src / "images", tmp_path / "disk", folder=True)
    assert ingest("cric", src, out=tmp_path / "out").cells == 3


def test_links_to_nothing_are_named(tmp_path: Path) -> None:
    src = linked(tmp_path / "lab", tmp_path / "disk")
    shutil.rmtree(tmp_path / "disk" / "h")
    (tmp_path / "disk" / "3.png").unlink()
    link(src / ".lock", Path("somebody@elsewhere"))
    message = refused("folder", src, tmp_path / "out")
    assert "2 links in this source to what is not there" in message
    assert f"HSIL → {tmp_path / 'disk' / 'h'}" in message
    assert "NILM/3.png → " in message


def test_an_unknown_class_folder_names_the_table(tmp_path: Path) -> None:
    for name in ("1", "2"):
        save(tmp_path / "lab" / "CIN 3" / f"{name}.png", picture(int(name)))
    save(tmp_path / "lab" / "HSLI" / "3.png", picture(3))
    message = refused("folder", tmp_path / "lab", tmp_path / "out")
    assert "The class 'CIN 3' (2 cells; the first: CIN 3/1.png) is not in the table" in message
    assert "Did you mean 'HSIL'?" in message
    assert "Known classes: NILM, ASC-US, LSIL, HSIL. --table FILE" in message
    assert "download" not in message


def test_images_that_lie_loose_are_named(tmp_path: Path) -> None:
    save(tmp_path / "lab" / "1.png", picture(1))
    message = refused("folder", tmp_path / "lab", tmp_path / "out")
    assert "no image in a folder of a class. 1 file left alone" in message
    assert "1.png" in message


@pytest.mark.parametrize("layout", ["herlev", "sipakmed", "cric", "ps3c", "folder"])
def test_an_archive_is_no_folder(tmp_path: Path, layout: Any) -> None:
    (tmp_path / "set.zip").touch()
    message = refused(layout, tmp_path / "set.zip", tmp_path / "out")
    assert "a file, not a folder" in message
    assert "Unpack it" in message


@pytest.mark.parametrize("layout", ["herlev", "sipakmed", "cric", "ps3c", "folder"])
def test_another_folder_is_no_source(tmp_path: Path, layout: Any) -> None:
    (tmp_path / "empty").mkdir()
    refused(layout, tmp_path / "empty", tmp_path / "out")
    refused(layout, tmp_path / "missing", tmp_path / "out")


def test_only_classes_that_are_left_out(tmp_path: Path) -> None:
    src = published.cric(tmp_path / "c", FIELDS[2:4])
    assert "no cell in this source" in refused("cric", src, tmp_path / "out")


def test_a_group_regex_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "lab" / "NILM" / "1.png", picture(1))
    message = refused("folder", tmp_path / "lab", tmp_path / "out", group_regex=r"p\d")
    assert r"--group-regex p\d finds no group in any of 1 path, such as NILM/1.png" in message
    save(tmp_path / "lab" / "NILM" / "p1.png", picture(2))
    message = refused("folder", tmp_path / "lab", tmp_path / "out", group_regex=r"p\d")
    assert "no group in NILM/1.png" in message


@pytest.mark.parametrize(
    ("layout", "options", "told"),
    [
        ("herlef", {}, "no source 'herlef'"),
        ("cric", {"scale": "fit"}, "one scale only"),
        ("herlev", {"name": "x"}, "for 'folder'"),
        ("herlev", {"mpp": 0.2}, "what is published"),
        ("cric", {"mpp": 200.0}, "cannot be meant"),
        ("folder", {"group_regex": "("}, "no regular expression"),
        ("cric", {"alternative": ["ASC-H=LSIL"]}, "does not offer"),
    ],
)
def test_options_that_do_not_fit(
    tmp_path: Path, layout: Any, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        ingest(layout, tmp_path, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_data_set_inside_its_source_is_refused(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 1})
    for out in (src, src / "light_dysplastic" / "out"):
        with pytest.raises(UsageError, match="inside the source"):
            ingest("herlev", src, out=out)
    assert [path.name for path in src.iterdir()] == ["light_dysplastic"]


def test_nothing_is_written_over_what_is_there(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 1})
    kept = save(tmp_path / "out" / "kept.png", picture(1))
    with pytest.raises(RefusedError, match="something in this place"):
        ingest("herlev", src, out=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [kept.name]
    kept.unlink()
    assert ingest("herlev", src, out=tmp_path / "out").cells == 1


def test_what_a_killed_ingest_left_is_cleared_away(tmp_path: Path) -> None:
    src = published.herlev(tmp_path / "h", {"light_dysplastic": 1})
    left = save(tmp_path / ".out.999999999.making" / "images" / "1.png", picture(1))
    other = save(tmp_path / ".else.999999999.making" / "1.png", picture(1))
    ingest("herlev", src, out=tmp_path / "out")
    assert not left.exists()
    assert other.exists()


def test_an_ingested_set_can_be_split_and_audited(tmp_path: Path) -> None:
    src = published.sipakmed(tmp_path / "s", {"Parabasal": [1] * 6, "Dyskeratotic": [1] * 6})
    ingest("sipakmed", src, out=tmp_path / "out")
    pycyto.split(tmp_path / "out", fractions=(0.5, 0.25, 0.25))
    audit = pycyto.audit(tmp_path / "out")
    assert not audit.audit.of("failure")


def test_without_qupath_the_cells_are_left_as_files_for_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycyto.steps.to_project.find_qupath", lambda _: None)
    src = published.cric(tmp_path / "c", FIELDS)
    listener = Listener()
    ingest("cric", src, out=tmp_path / "out", to_project=tmp_path / "p", reporter=listener)
    fields = tmp_path / "p" / "pycyto" / "fields"
    assert sorted(path.name for path in fields.iterdir()) == [
        "a.png.geojson", "b.png.geojson", "fields.json",
    ]  # fmt: skip
    features = json.loads((fields / "b.png.geojson").read_text("utf-8"))["features"]
    assert [f["properties"]["classification"]["name"] for f in features] == ["ASC-H", "SCC", "LSIL"]
    assert features[2]["geometry"] == {"type": "Point", "coordinates": [379.5, 199.5]}
    ids = {row.object_id for row in read_manifest(tmp_path / "out")}
    assert features[2]["id"] in ids
    assert any("import_cells.groovy" in text for text in listener.said)


def test_images_of_single_cells_make_no_project(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not for herlev"):
        ingest("herlev", tmp_path, out=tmp_path / "out", to_project=tmp_path / "p")


@pytest.mark.parametrize(("out", "project"), [("x", "x"), ("x", "x/p"), ("x/o", "x")])
def test_a_project_and_a_data_set_in_one_place_are_refused_at_once(
    tmp_path: Path, out: str, project: str
) -> None:
    src = published.cric(tmp_path / "c", FIELDS)
    with pytest.raises(UsageError, match="--out and --to-project are the same folder, or one is"):
        ingest("cric", src, out=tmp_path / out, to_project=tmp_path / project)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_project_is_not_written_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "kept.txt").touch()
    # There is no source either: nothing of it has been read yet.
    with pytest.raises(RefusedError, match="something in this place"):
        ingest("cric", tmp_path / "c", out=tmp_path / "out", to_project=tmp_path / "p")
