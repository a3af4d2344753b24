"""A patch that is read back is the one that the manifest means, or an error."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pycyto.errors import BadInputError, StaleError
from pycyto.images.crop import Pixels
from pycyto.images.patches import content_hash, is_whole, read_patch, write_patch
from pycyto.manifest import Row
from pycyto.records import project_id_of_source

PATCH: Pixels = np.random.default_rng(2).integers(0, 256, (224, 224, 3), np.uint8)


def row_of(pixels: Pixels) -> Row:
    return Row(
        project_id="p", entry_id="1", object_id="o", point_index=None, image_key="k",
        project_name="p", image_name="i", centroid_x=0.0, centroid_y=0.0, left=0, top=0, width=224,
        downsample=1.0, label="HSIL", original_label="HSIL", content_hash=content_hash(pixels),
        file="images/HSIL é~1/1_o.png",
    )  # fmt: skip


@pytest.fixture
def row(tmp_path: Path) -> Row:
    """The row of a patch that is in its place."""
    row = row_of(PATCH)
    write_patch(tmp_path / row.file, PATCH)
    return row


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_patch_comes_back_to_the_pixel(row: Row, tmp_path: Path) -> None:
    found = read_patch(tmp_path, row)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, PATCH)
    assert [path.name for path in (tmp_path / row.file).parent.iterdir()] == ["1_o.png"]


def test_the_hash_is_of_rows_from_the_top_in_rgb() -> None:
    pixels = np.zeros((224, 224, 3), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[1, 0] = (1, 2, 3), (4, 5, 6), (7, 8, 9)
    flat = bytearray(224 * 224 * 3)
    flat[0:6] = bytes([1, 2, 3, 4, 5, 6])
    flat[224 * 3 : 224 * 3 + 3] = bytes([7, 8, 9])
    assert content_hash(pixels) == hashlib.sha256(flat).hexdigest()
    assert content_hash(np.asfortranarray(pixels)) == hashlib.sha256(flat).hexdigest()


def test_another_encoder_writes_the_same_patch(row: Row, tmp_path: Path) -> None:
    Image.fromarray(PATCH).save(tmp_path / row.file, compress_level=9)
    np.testing.assert_array_equal(read_patch(tmp_path, row), PATCH)


def test_one_changed_pixel_is_noticed(row: Row, tmp_path: Path) -> None:
    changed = PATCH.copy()
    changed[223, 223, 2] ^= 1
    write_patch(tmp_path / row.file, changed)
    with pytest.raises(StaleError, match="not the one that the manifest describes"):
        read_patch(tmp_path, row)


def test_a_missing_patch_gets_a_remedy(row: Row, tmp_path: Path) -> None:
    (tmp_path / row.file).unlink()
    with pytest.raises(BadInputError, match="A patch is missing") as raised:
        read_patch(tmp_path, row)
    assert "pycyto export" in str(raised.value)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (lambda: Image.new("RGB", (225, 224)), "225 x 224 RGB"),
        (lambda: Image.new("RGB", (224, 223)), "224 x 223 RGB"),
        (lambda: Image.new("L", (224, 224)), "224 x 224 L"),
        (lambda: Image.new("RGBA", (224, 224)), "224 x 224 RGBA"),
        (lambda: Image.new("P", (224, 224)), "224 x 224 P"),
    ],
)
def test_another_kind_of_image_is_refused(
    image: Callable[[], Image.Image], found: str, row: Row, tmp_path: Path
) -> None:
    (tmp_path / row.file).write_bytes(png(image()))
    with pytest.raises(BadInputError, match=f"this one is {found}"):
        read_patch(tmp_path, row)


def test_a_patch_that_broke_off_is_never_read_as_if_whole(row: Row, tmp_path: Path) -> None:
    content = (tmp_path / row.file).read_bytes()
    for end in range(0, len(content) - 100, len(content) // 30):
        (tmp_path / row.file).write_bytes(content[:end])
        with pytest.raises(BadInputError) as raised:
            read_patch(tmp_path, row)
        assert raised.value.where == str(tmp_path / row.file)


@pytest.mark.parametrize("side", [5_000, 10_000, 60_000])
def test_a_small_file_that_claims_to_be_huge_is_refused_unread(
    side: int, row: Row, tmp_path: Path
) -> None:
    content = bytearray((tmp_path / row.file).read_bytes())
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / row.file).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(BadInputError, match="A patch is 224 px square") as raised:
            read_patch(tmp_path, row)
    assert raised.value.where == str(tmp_path / row.file)


def test_only_png_is_read(row: Row, tmp_path: Path) -> None:
    Image.fromarray(PATCH).save(tmp_path / row.file, "BMP")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_patch(tmp_path, row)


def test_a_patch_that_broke_off_is_not_whole(row: Row, tmp_path: Path) -> None:
    path = tmp_path / row.file
    content = path.read_bytes()
    assert is_whole(path)
    for damaged in (b"", content[:5], content[:-1], content[:-20] + bytes(20)):
        path.write_bytes(damaged)
        assert not is_whole(path)
    assert not is_whole(path.with_name("none.png"))
    assert not is_whole(path.parent)


def test_what_to_do_about_a_patch_fits_where_it_comes_from(row: Row, tmp_path: Path) -> None:
    ingested = replace(row, project_id=project_id_of_source("herlev"))
    path = tmp_path / row.file
    for content in (png(Image.fromarray(PATCH[::-1])), b"no image", None):
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(BadInputError, match="pycyto export again"):
            read_patch(tmp_path, row)
        with pytest.raises(BadInputError, match="ingest the source again") as raised:
            read_patch(tmp_path, ingested)
        assert "export" not in str(raised.value)
