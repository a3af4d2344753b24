"""A landmark is in the middle of its patch, whatever the file is and however it was cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels, cut, square_around
from pycyto.images.reading import SlideImage, opened
from pycyto.images.resolution import Resolution, check_downsample
from tests import landmarks
from tests.landmarks import BOUNDS, HEIGHT, PLACES, WIDTH, picture, shown

# As an outline in QuPath: a point is there too.
Place = tuple[int, int]

SLIDES: dict[str, Callable[[Path], object]] = {
    "aperio.svs": landmarks.write_aperio,
    "odd.tif": lambda path: landmarks.write_pyramid(path, 2.33, 3.7, 15.9),
    "big.tif": lambda path: landmarks.write_pyramid(path, 2.33, bigtiff=True),
    "bounded.scn": landmarks.write_bounded,
    "sub.tif": landmarks.write_with_sub_levels,
}
FIELDS: dict[str, Callable[[Path], object]] = {
    "field.png": lambda path: Image.fromarray(picture()).save(path),
    "field.jpg": lambda path: Image.fromarray(picture()).save(path, quality=95),
    "turned.jpg": lambda path: landmarks.write_oriented(path, 6),
    "turned.png": lambda path: landmarks.write_oriented(path, 3),
    "stack.tif": lambda path: landmarks.write_stack(path, "ZYXS"),
    "times.tif": lambda path: landmarks.write_stack(path, "TYXS"),
    "planar.tif": lambda path: tifffile.imwrite(
        path, np.moveaxis(picture(), -1, 0).copy(), photometric="rgb", planarconfig="separate"
    ),
}


@pytest.fixture(scope="module", params=[*SLIDES, *FIELDS])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the picture in one kind of file."""
    path: Path = tmp_path_factory.mktemp("landmarks") / request.param
    {**SLIDES, **FIELDS}[request.param](path)
    return path


def patch_of(path: Path, place: Place, downsample: float = 1.0) -> Pixels:
    with opened(path) as image:
        assert (image.width, image.height) == (WIDTH, HEIGHT)
        assert isinstance(image, SlideImage) is (path.name in SLIDES)
        return cut(image, square_around(*place, downsample))


@pytest.mark.parametrize("place", PLACES)
def test_it_is_in_the_middle_at_full_resolution(place: Place, file: Path) -> None:
    x, y, *told = shown(patch_of(file, place))
    assert (x, y) == pytest.approx((112, 112), abs=0.1 if file.suffix == ".jpg" else 1e-9)
    assert told == pytest.approx(place, abs=24 if min(place) < 24 else 6)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("downsample", [0.3, 0.77, 1.37, 2.0, 2.33, 3.7])
def test_it_is_within_half_a_pixel_at_others(downsample: float, place: Place, file: Path) -> None:
    """Half a pixel of the patch where it shrinks, of the image where it grows."""
    x, y, *_ = shown(patch_of(file, place, downsample))
    noise = 0.3 if file.suffix == ".jpg" else 0.05
    half = 0.5 / min(downsample, 1.0)
    assert (x, y) == pytest.approx((112, 112), abs=half + noise)


@pytest.mark.parametrize("mpp", [0.3, 0.345, 0.5, 0.583, 0.925])
def test_micrometres_are_those_of_the_image(mpp: float, tmp_path: Path) -> None:
    """A square of 8 pixels is as wide in the patch as it is in micrometres."""
    landmarks.write_pyramid(tmp_path / "odd.tif", 2.33)
    downsample = Resolution(mpp=mpp).downsample_for(landmarks.MPP)
    patch = patch_of(tmp_path / "odd.tif", PLACES[1], downsample)
    area = patch[88:136, 88:136, 0].sum(dtype=int) / 255
    assert area**0.5 * mpp == pytest.approx(8 * landmarks.MPP, rel=0.08)


def test_a_bounding_box_of_a_real_file_is_added_and_not_without_the_crop(tmp_path: Path) -> None:
    landmarks.write_bounded(tmp_path / "a.scn")
    with opened(tmp_path / "a.scn", crop_to_bounds=False) as image:
        assert (image.width, image.height) == (1000, 800)
        for x, y in PLACES:
            whole = cut(image, square_around(x + BOUNDS[0], y + BOUNDS[1]))
            assert shown(whole)[:2] == (112, 112)


def test_pixels_of_another_plane_are_never_those_of_the_first(tmp_path: Path) -> None:
    landmarks.write_stack(tmp_path / "a.tif", "ZYXS")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        first, second = tiff.asarray()[:2]
    with opened(tmp_path / "a.tif") as image:
        pixels = image.read(0, 0, WIDTH, HEIGHT)
    np.testing.assert_array_equal(pixels, first)
    assert (pixels != second).any()


@pytest.mark.parametrize("downsample", [32.0, 1.0, 1 / 32])
def test_scales_up_to_the_bound_are_cut(downsample: float, tmp_path: Path) -> None:
    landmarks.write_pyramid(tmp_path / "odd.tif", 2.33)
    check_downsample(downsample)
    assert patch_of(tmp_path / "odd.tif", PLACES[1], downsample).shape == (224, 224, 3)


@pytest.mark.parametrize("downsample", [400.0, 32.001, 0.031, 0.0])
def test_scales_beyond_it_are_refused(downsample: float) -> None:
    with pytest.raises(BadInputError, match="from 1/32 to 32 are possible") as raised:
        check_downsample(downsample)
    assert "--mpp" in str(raised.value)
