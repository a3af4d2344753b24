"""Images are read to the pixel, and whatever cannot be read is said in words."""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels, cut, square_around
from pycyto.images.reading import FieldImage, SlideImage, open_image, opened, size_of
from tests.images.conftest import HOLE

BOXES = [(0, 0, 600, 520), (1, 2, 3, 4), (10, 300, 224, 200), (599, 519, 1, 1), (0, 0, 256, 256)]


def box_of(pixels: Pixels, left: int, top: int, width: int, height: int) -> Pixels:
    return pixels[top : top + height, left : left + width]


@pytest.fixture
def field(scene: Pixels) -> Image.Image:
    """The scene as a camera image."""
    return Image.fromarray(scene)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".PNG"])
def test_a_field_is_read_to_the_pixel(
    suffix: str, field: Image.Image, scene: Pixels, tmp_path: Path
) -> None:
    path = tmp_path / f"Feld é 50%{suffix}"
    field.save(path)
    with opened(path) as image:
        assert isinstance(image, FieldImage)
        assert (image.width, image.height) == (600, 520)
        for box in BOXES:
            np.testing.assert_array_equal(image.read(*box), box_of(scene, *box))


def test_a_jpeg_is_close(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (256, 256, 3))
    Image.fromarray(ramp.copy()).save(tmp_path / "a.jpg", quality=95)
    pixels = open_image(tmp_path / "a.jpg").read(0, 0, 256, 256)
    assert np.abs(pixels.astype(int) - ramp).max() <= 3


def test_the_camera_being_upside_down_is_ignored_as_in_qupath(
    field: Image.Image, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    field.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    field.save(tmp_path / "plain.jpg", quality=95)
    turned, plain = open_image(tmp_path / "turned.jpg"), open_image(tmp_path / "plain.jpg")
    assert (turned.width, turned.height) == (600, 520)
    np.testing.assert_array_equal(turned.read(0, 0, 600, 520), plain.read(0, 0, 600, 520))


@pytest.mark.parametrize(("name", "alpha"), [("a.png", 255), ("a.tif", 255), ("a.tif", 7)])
def test_a_fourth_channel_that_hides_nothing_is_dropped(
    name: str, alpha: int, scene: Pixels, tmp_path: Path
) -> None:
    """QuPath ignores it in a TIFF, whatever it says."""
    fourth = np.full((520, 600, 1), alpha, np.uint8)
    Image.fromarray(np.concatenate([scene, fourth], 2)).save(tmp_path / name)
    np.testing.assert_array_equal(open_image(tmp_path / name).read(0, 0, 600, 520), scene)


def test_transparent_parts_are_refused(scene: Pixels, tmp_path: Path) -> None:
    """QuPath shows them on white; a colour below them that nobody has seen is no patch."""
    fourth = np.full((520, 600, 1), 255, np.uint8)
    fourth[-1, -1] = 254
    Image.fromarray(np.concatenate([scene, fourth], 2)).save(tmp_path / "rgba.png")
    Image.fromarray(scene).save(tmp_path / "colour.png", transparency=tuple(scene[9, 9].tolist()))
    Image.fromarray(scene).quantize(9).save(tmp_path / "palette.png", transparency=0)
    for path in tmp_path.iterdir():
        with opened(path) as image:
            for _ in range(2):
                with pytest.raises(BadInputError, match="transparent") as raised:
                    image.read(0, 0, 1, 1)
                assert raised.value.where == str(path)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}])
def test_a_tiff_that_pillow_would_turn_is_refused(
    orientation: int,
    options: Mapping[str, Any],
    field: Image.Image,
    scene: Pixels,
    tmp_path: Path,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    field.save(tmp_path / "a.tif", exif=exif, **options)
    if orientation > 1:
        with pytest.raises(BadInputError, match=f"orientation {orientation}"):
            open_image(tmp_path / "a.tif")
    else:
        pixels = open_image(tmp_path / "a.tif").read(0, 0, 600, 520)
        np.testing.assert_array_equal(pixels, scene)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([1, 2, 3, 250, 251, 252])
    image.putdata([1, 0])
    image.save(tmp_path / "a.png")
    found = open_image(tmp_path / "a.png").read(0, 0, 2, 1)
    assert found.tolist() == [[[250, 251, 252], [1, 2, 3]]]


@pytest.mark.parametrize("mode", ["L", "LA", "1", "I;16", "CMYK", "F"])
def test_other_kinds_of_pixels_are_refused(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.png" if mode in ("L", "LA", "1", "I;16") else "a.tif")
    Image.new(mode, (8, 8)).save(path)
    with pytest.raises(BadInputError, match=f"this one is .*'{mode}'") as raised:
        open_image(path)
    assert raised.value.where == str(path)
    assert "8-bit RGB" in str(raised.value)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_not_cut_to_eight(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    pixels = np.full((8, 8, 3), 4660, np.uint16)
    if suffix == "png":
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        tifffile.imwrite(path, pixels, photometric="rgb")
    with pytest.raises(BadInputError, match="8-bit RGB"):
        open_image(path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.jpg", {"quality": 90}),
        ("p.jpg", {"quality": 90, "progressive": True}),
        ("a.tif", {}),
        ("z.tif", {"compression": "tiff_adobe_deflate"}),
        ("a.bmp", {}),
    ],
)
def test_a_copy_that_broke_off_is_never_read_as_if_whole(
    name: str, options: Mapping[str, Any], scene: Pixels, tmp_path: Path
) -> None:
    path = tmp_path / name
    Image.fromarray(scene[:60, :70]).save(path, **options)
    content = path.read_bytes()
    with opened(path) as image:
        whole = image.read(0, 0, 70, 60)
    refused = 0
    for end in [0, 1, 7, 8, 9, *range(10, len(content), len(content) // 40), len(content) - 1]:
        path.write_bytes(content[:end])
        try:
            with opened(path) as image:
                found = image.read(0, 0, 70, 60)
        except BadInputError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, whole)
    assert refused >= 40


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"II*\x00"])
def test_what_is_no_image_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "slide.svs").write_bytes(content)
    with pytest.raises(BadInputError, match="cannot be read"):
        open_image(tmp_path / "slide.svs")


def test_a_missing_image_gets_a_remedy(tmp_path: Path) -> None:
    for path in (tmp_path / "no.svs", tmp_path):
        with pytest.raises(BadInputError, match="missing") as raised:
            open_image(path)
        assert "--map" in str(raised.value)
        assert raised.value.where == str(path)


def paletted(path: Path, width: int, height: int) -> None:
    """Write a PNG of one bit per pixel, all of them red: small, however large it is."""
    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    packed = [packer.compress(row * 100) for _ in range(height // 100)]
    packed += [packer.compress(row * (height % 100)), packer.flush()]
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)),
        (b"PLTE", bytes([255, 0, 0, 0, 0, 255])),
        (b"IDAT", b"".join(packed)),
        (b"IEND", b""),
    )
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(content)


def test_a_field_beyond_pillows_limit_is_read(tmp_path: Path) -> None:
    paletted(tmp_path / "a.png", 15_000, 12_100)
    limit = Image.MAX_IMAGE_PIXELS
    with opened(tmp_path / "a.png") as image:
        assert image.width * image.height > 2 * (limit or 0)
        assert np.unique(image.read(14_900, 12_000, 100, 100).reshape(-1, 3), axis=0).tolist() == [
            [255, 0, 0]
        ]
    assert limit == Image.MAX_IMAGE_PIXELS  # other programs' pictures are not ours to allow


def test_a_small_file_that_claims_to_be_gigantic_is_refused_unread(tmp_path: Path) -> None:
    paletted(tmp_path / "a.png", 8, 8)
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadInputError, match="claims to be 60000 x 60000 pixels") as raised:
        open_image(tmp_path / "a.png")
    assert raised.value.where == str(tmp_path / "a.png")
    assert "pyramidal" in str(raised.value)


def test_a_field_is_not_decoded_before_it_is_read(tmp_path: Path) -> None:
    paletted(tmp_path / "a.png", 8, 8)
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 20_000, 20_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "a.png").write_bytes(content)
    with opened(tmp_path / "a.png") as image:
        assert (image.width, image.height) == (20_000, 20_000)


def test_a_slide_is_read_to_the_pixel(slide_file: Path, scene: Pixels) -> None:
    expected = scene.copy()
    expected[HOLE[1] : HOLE[1] + 256, HOLE[0] : HOLE[0] + 256] = 0
    with opened(slide_file) as image:
        assert isinstance(image, SlideImage)
        assert (image.width, image.height) == (600, 520)
        for box in BOXES:
            np.testing.assert_array_equal(image.read(*box), box_of(expected, *box))


def test_slide_and_field_give_the_same_patch(
    slide_file: Path, field: Image.Image, tmp_path: Path
) -> None:
    field.save(tmp_path / "a.png")
    square = square_around(10.5, 500.2)
    with opened(slide_file) as slide, opened(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(cut(slide, square), cut(image, square))


def with_properties(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    import openslide

    class Scanned(openslide.OpenSlide):
        @property
        def properties(self) -> Any:
            return {**super().properties, **{f"openslide.{k}": v for k, v in more.items()}}

    monkeypatch.setattr(openslide, "OpenSlide", Scanned)


BOUNDS = {"bounds-x": "20", "bounds-y": "270", "bounds-width": "300", "bounds-height": "200"}


def test_the_scanners_bounding_box_is_added_as_in_qupath(
    slide_file: Path, scene: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_properties(monkeypatch, **BOUNDS)
    with opened(slide_file) as image:
        assert (image.width, image.height) == (300, 200)
        np.testing.assert_array_equal(image.read(5, 6, 50, 40), box_of(scene, 25, 276, 50, 40))


def test_it_is_not_added_where_qupath_did_not_crop(
    slide_file: Path, scene: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_properties(monkeypatch, **BOUNDS)
    with opened(slide_file, crop_to_bounds=False) as image:
        assert (image.width, image.height) == (600, 520)
        np.testing.assert_array_equal(image.read(5, 6, 50, 40), box_of(scene, 5, 6, 50, 40))


@pytest.mark.parametrize("change", [{"bounds-height": ""}, {"bounds-x": "1.5"}, None])
def test_half_a_bounding_box_is_none_as_in_qupath(
    change: dict[str, str] | None,
    slide_file: Path,
    scene: Pixels,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {**BOUNDS, **change} if change else {"bounds-x": "20", "bounds-y": "270"}
    with_properties(monkeypatch, **found)
    with opened(slide_file) as image:
        assert (image.width, image.height) == (600, 520)
        np.testing.assert_array_equal(image.read(0, 0, 9, 9), scene[:9, :9])


@pytest.mark.parametrize(
    ("colour", "expected"),
    [("FFFFFF", [255] * 3), ("#0A141e", [10, 20, 30]), ("nonsense", [0] * 3), ("FF", [0] * 3)],
)
def test_what_was_not_scanned_has_the_background_colour(
    colour: str, expected: list[int], slide_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_properties(monkeypatch, **{"background-color": colour})
    with opened(slide_file) as image:
        pixels = image.read(*HOLE, 256, 256)
        assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [expected]


def test_a_slide_that_broke_off_is_an_error_in_words(slide_file: Path, tmp_path: Path) -> None:
    content = slide_file.read_bytes()
    path = tmp_path / "half.svs"
    with tifffile.TiffFile(slide_file) as tiff:
        start = tiff.pages[0].dataoffsets[-1]
    damaged = bytearray(content)
    damaged[start : start + 200] = bytes(200)
    path.write_bytes(damaged)
    with opened(path) as image, pytest.raises(BadInputError, match="cannot be read") as raised:
        image.read(512, 512, 80, 8)
    assert raised.value.where == str(path)
    for end in range(0, len(content), len(content) // 10):
        path.write_bytes(content[:end])
        with pytest.raises(BadInputError), opened(path) as image:
            image.read(0, 0, image.width, image.height)


def test_a_slide_is_closed_even_after_an_error(slide_file: Path) -> None:
    with pytest.raises(ValueError, match="a cell"), opened(slide_file) as image:
        raise ValueError("a cell")
    with pytest.raises(ctypes.ArgumentError, match="closed slide"):
        image.read(0, 0, 1, 1)


def test_the_size_is_known_before_a_pixel_is_read(
    field: Image.Image, slide_file: Path, tmp_path: Path
) -> None:
    field.save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    assert size_of(tmp_path / "a.png") == size_of(slide_file) == (600, 520)
    (tmp_path / "a.png").write_bytes(whole[:20])
    with pytest.raises(BadInputError, match="cannot be read"):
        size_of(tmp_path / "a.png")
