"""With --icc pixels are what the camera means, in sRGB; without it, what it stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels
from pycyto.images.reading import FieldImage, SlideImage, open_image, opened
from pycyto.images.stain import reference_statistics, sums_of
from tests.icc import profile, srgb_of

HOLE = (0, 256)


def same(found: Pixels, expected: Pixels) -> bool:
    """Whether no pixel is off by more than littleCMS' rounding in 8 bits."""
    return int(np.abs(found.astype(int) - expected).max()) <= 1


def slide(path: Path, scene: Pixels, content: bytes) -> Path:
    """A slide as an Aperio scanner writes it, with a profile, and one tile that is not stored."""
    tiles = []
    for top in range(0, 512, 256):
        for left in range(0, 512, 256):
            stored = scene[top : top + 256, left : left + 256]
            tiles.append(None if (left, top) == HOLE else np.ascontiguousarray(stored))
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            iter(tiles),
            shape=(512, 512, 3),
            dtype=np.uint8,
            photometric="rgb",
            compression="zlib",
            tile=(256, 256),
            description="Aperio Image Library v11.2.1\r\n512x512 (256x256)|AppMag = 20|MPP = 0.5",
            metadata=None,
            iccprofile=content,
        )
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
@pytest.mark.parametrize(("gamma", "order"), [(1.0, "rgb"), (1.8, "bgr")])
def test_a_field_is_read_as_its_camera_means_it(
    name: str, gamma: float, order: str, scene: Pixels, tmp_path: Path
) -> None:
    path, content = tmp_path / name, profile(gamma, order=order)
    Image.fromarray(scene).save(path, icc_profile=content)
    with opened(path) as image:
        assert isinstance(image, FieldImage)
        assert image.profile is None
        stored = image.read(30, 40, 200, 100)
    with opened(path, icc=True) as image:
        assert image.profile is not None
        assert image.profile.name == "Camera X"
        found = image.read(30, 40, 200, 100)
    if name != "a.jpg":
        np.testing.assert_array_equal(stored, scene[40:140, 30:230])
    assert same(found, srgb_of(stored, gamma, order=order))
    assert not same(found, stored)


def test_a_slide_is_read_as_its_scanner_means_it(
    scene: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the scanner did not store keeps the background colour."""
    import openslide

    path = slide(tmp_path / "a.svs", scene, profile(1.0))

    class Scanned(openslide.OpenSlide):
        @property
        def properties(self) -> Any:
            return {**super().properties, "openslide.background-color": "646464"}

    monkeypatch.setattr(openslide, "OpenSlide", Scanned)
    with opened(path) as image:
        assert isinstance(image, SlideImage)
        assert image.profile is None
        np.testing.assert_array_equal(image.read(0, 0, 256, 256), scene[:256, :256])
    with opened(path, icc=True) as image:
        assert image.profile is not None
        whole = image.read(0, 0, 512, 512)
        np.testing.assert_array_equal(image.read(300, 20, 100, 90), whole[20:110, 300:400])
    expected = srgb_of(scene[:512, :512], 1.0)
    expected[HOLE[1] : HOLE[1] + 256, HOLE[0] : HOLE[0] + 256] = 100
    assert same(whole, expected)
    assert (whole[256:, :256] == 100).all()


def test_a_palette_has_a_profile_too(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([1, 2, 3, 250, 120, 60])
    image.putdata([1, 0])
    image.save(tmp_path / "a.png", icc_profile=profile(1.0))
    found = open_image(tmp_path / "a.png", icc=True).read(0, 0, 2, 1)
    assert same(found, srgb_of(np.array([[[250, 120, 60], [1, 2, 3]]], np.uint8), 1.0))


def test_without_a_profile_or_with_srgb_pixels_stay(scene: Pixels, tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.fromarray(scene).save(tmp_path / "none.png")
    Image.fromarray(scene).save(tmp_path / "srgb.png", icc_profile=srgb.tobytes())
    with opened(tmp_path / "none.png", icc=True) as image:
        assert image.profile is None
        np.testing.assert_array_equal(image.read(0, 0, 600, 520), scene)
    with opened(tmp_path / "srgb.png", icc=True) as image:
        assert image.profile is not None
        assert "sRGB" in image.profile.name
        assert same(image.read(0, 0, 600, 520), scene)


def broken() -> dict[str, bytes]:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    sound = profile(1.0)
    return {
        "nonsense": b"not a profile at all" * 20,
        "cut off": sound[:200],
        "not of RGB": lab,
        "without curves": sound.replace(b"rTRC", b"xxxx", 1),
    }


@pytest.mark.parametrize("kind", broken())
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.svs"])
def test_a_broken_profile_names_the_image(
    kind: str, name: str, scene: Pixels, tmp_path: Path
) -> None:
    path, content = tmp_path / name, broken()[kind]
    if name == "a.svs":
        slide(path, scene, content)
    else:
        Image.fromarray(scene).save(path, icc_profile=content)
    open_image(path).close()
    with pytest.raises(BadInputError, match="colour profile") as raised:
        open_image(path, icc=True)
    assert raised.value.where == str(path)
    assert "--icc" in str(raised.value)


def test_the_profile_of_a_reference_is_applied(scene: Pixels, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(scene).save(path, icc_profile=profile(1.0))
    assert reference_statistics(path) == sums_of(scene).statistics
    found = reference_statistics(path, icc=True)
    assert np.allclose(found.mean, sums_of(srgb_of(scene, 1.0)).statistics.mean, atol=0.3)
    assert abs(found.mean[0] - sums_of(scene).statistics.mean[0]) > 3
