"""Full-resolution pixels of slides (OpenSlide) and of camera fields (Pillow)."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile, TiffImagePlugin

from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels
from pycyto.images.profile import Profile, embedded
from pycyto.labels import Colour

_MODES = ("RGB", "RGBA", "P")
# A stitched field of a good camera has a tenth of that; decoded it takes 2 GB.
_LARGEST_FIELD = 500_000_000
_PILLOW_LIMIT = threading.Lock()
_BOUNDS = tuple(f"openslide.bounds-{side}" for side in ("x", "y", "width", "height"))


class FieldImage:
    """A camera image: decoded when it is first read, then kept in memory.

    Parameters
    ----------
    icc
        Whether pixels are brought to sRGB by the colour profile in the file, if there is one.

    Attributes
    ----------
    width, height
        In pixels, as stored: EXIF orientation is ignored, as QuPath ignores it.
    profile
        The colour profile that is applied.

    Raises
    ------
    BadInputError
        When it is no image, not 8-bit RGB, larger than any camera's, or a TIFF
        with an orientation; or its profile cannot be used.
    """

    def __init__(self, path: Path, *, icc: bool = False) -> None:
        self._path = path
        with _explained(path), _limit_of_ours():
            self._image = Image.open(path)
        try:
            _check_kind(self._image, path)
            self.profile = _profile_of(self._image, path) if icc else None
        except BadInputError:
            self.close()
            raise
        self.width, self.height = self._image.size
        self._is_opaque = False

    def read(self, left: int, top: int, width: int, height: int) -> Pixels:
        """Return a box inside the image as (height, width, 3) uint8.

        Raises
        ------
        BadInputError
            When the file is damaged, or has transparent parts.
        """
        with _explained(self._path):
            self._image.load()
        if not self._is_opaque:
            _check_opaque(self._image, self._path)
            self._is_opaque = True
        with _limit_of_ours():
            box = self._image.crop((left, top, left + width, top + height))
        pixels = np.asarray(box.convert("RGB"))
        return self.profile(pixels) if self.profile else pixels

    def close(self) -> None:
        """Close the file."""
        self._image.close()


class SlideImage:
    """A whole-slide image, read box by box at level 0.

    Parameters
    ----------
    crop_to_bounds
        True where QuPath opened it through OpenSlide: QuPath then shows only
        the scanner's bounding box, if all four of its figures are there, and its
        (0, 0) is that box's corner. This is the one place where the offset is added.
    icc
        Whether pixels are brought to sRGB by the colour profile in the file, if there is one.

    Attributes
    ----------
    width, height
        Of what QuPath shows, in full-resolution pixels.
    profile
        The colour profile that is applied.
    """

    def __init__(self, path: Path, *, crop_to_bounds: bool = True, icc: bool = False) -> None:
        import openslide

        with _explained(path):
            self._path = path
            self._slide = openslide.OpenSlide(path)
        found = self._slide.properties
        self._x, self._y = 0, 0
        self.width, self.height = self._slide.dimensions
        if crop_to_bounds:
            with contextlib.suppress(KeyError, ValueError):
                self._x, self._y, self.width, self.height = (int(found[key]) for key in _BOUNDS)
        self.profile = embedded(lambda: self._slide.color_profile, path) if icc else None
        self._background = _colour(found.get("openslide.background-color", ""))

    def read(self, left: int, top: int, width: int, height: int) -> Pixels:
        """Return a box inside the image as (height, width, 3) uint8.

        Where the scanner stored nothing the pixels have the background colour
        that the file names, else black, as in QuPath; no profile changes it.
        """
        with _explained(self._path):
            box = self._slide.read_region((left + self._x, top + self._y), 0, (width, height))
        pixels = np.asarray(box)
        colours = self.profile(pixels[..., :3]) if self.profile else pixels[..., :3]
        if pixels[..., 3].min() == 255:
            return colours
        box = Image.fromarray(np.dstack([colours, pixels[..., 3]]))
        canvas = Image.new("RGBA", (width, height), (*self._background, 255))
        canvas.alpha_composite(box)
        return np.asarray(canvas)[..., :3]

    def close(self) -> None:
        """Close the file."""
        self._slide.close()


@contextlib.contextmanager
def opened(
    path: Path, *, crop_to_bounds: bool = True, icc: bool = False
) -> Iterator[FieldImage | SlideImage]:
    """Open an image for the length of a block; see `open_image`."""
    image = open_image(path, crop_to_bounds=crop_to_bounds, icc=icc)
    try:
        yield image
    finally:
        image.close()


def open_image(
    path: Path, *, crop_to_bounds: bool = True, icc: bool = False
) -> FieldImage | SlideImage:
    """Open an image of either kind.

    Raises
    ------
    BadInputError
        When it is missing, truncated, not an image, or not 8-bit RGB, or when its profile is
        asked for and cannot be used.
    """
    import openslide

    if not path.is_file():
        raise BadInputError(
            "The image file is missing.",
            where=path,
            remedy="Put it back, or say where it is now: --map OLD_FOLDER=NEW_FOLDER.",
        )
    if openslide.OpenSlide.detect_format(path) is not None:
        return SlideImage(path, crop_to_bounds=crop_to_bounds, icc=icc)
    return FieldImage(path, icc=icc)


def _profile_of(image: ImageFile.ImageFile, path: Path) -> Profile | None:
    """Return the colour profile in a camera image, if it has one."""
    if "icc_profile" not in image.info:
        return None
    # Of one that cannot be unpacked Pillow gives None.
    content = image.info["icc_profile"] or b""
    return embedded(lambda: ImageCms.getOpenProfile(io.BytesIO(content)), path)


def _check_kind(image: ImageFile.ImageFile, path: Path) -> None:
    """Refuse by the header alone what is not to be decoded."""
    if image.width * image.height > _LARGEST_FIELD:
        raise BadInputError(
            f"This image claims to be {image.width} x {image.height} pixels; "
            f"camera images are read up to {_LARGEST_FIELD // 10**6} megapixels.",
            where=path,
            remedy="If it is a slide, save it as a pyramidal TIFF; if not, copy it again.",
        )
    # Pillow opens RGB of 16 bits as RGB too, and drops the lower half.
    deep = ";16" in str(image.tile)
    if image.mode not in _MODES or deep:
        raise BadInputError(
            f"Only 8-bit RGB images are read; this one is {'16-bit ' * deep}{image.mode!r}.",
            where=path,
            remedy="Save it as 8-bit RGB, or leave it out with --images.",
        )
    _check_orientation(image, path)


def _check_orientation(image: ImageFile.ImageFile, path: Path) -> None:
    """Refuse a TIFF that Pillow would turn: QuPath does not, so cells would be elsewhere."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return  # of other formats Pillow leaves the pixels as they are stored
    orientation = image.tag_v2.get(ExifTags.Base.Orientation)
    if orientation in range(2, 9):
        raise BadInputError(
            f"This TIFF is to be shown turned or mirrored (orientation {orientation}), "
            "and QuPath shows it as it is stored.",
            where=path,
            remedy="Save it without an orientation. Where that turns the picture, it is another "
            "image to QuPath, to be annotated anew.",
        )


def _check_opaque(image: Image.Image, path: Path) -> None:
    """Refuse pixels that QuPath mixes with white; of a TIFF it ignores the transparency."""
    if image.format == "TIFF" or not image.has_transparency_data:
        return
    with _limit_of_ours():
        alpha = (image if image.mode == "RGBA" else image.convert("RGBA")).getchannel("A")
    if alpha.getextrema() != (255, 255):
        raise BadInputError(
            "Parts of this image are transparent.",
            where=path,
            remedy="Save it without an alpha channel, or leave it out with --images.",
        )


@contextlib.contextmanager
def _limit_of_ours() -> Iterator[None]:
    """Suspend Pillow's limit of 179 megapixels, for which it has but one switch per process."""
    with _PILLOW_LIMIT:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def size_of(path: Path, *, crop_to_bounds: bool = True) -> tuple[int, int]:
    """Return width and height of an image in full-resolution pixels; none is decoded.

    Raises
    ------
    BadInputError
        When it is no image that is read here.
    """
    import openslide

    if openslide.OpenSlide.detect_format(path) is not None:
        slide = SlideImage(path, crop_to_bounds=crop_to_bounds)
        slide.close()
        return slide.width, slide.height
    with _explained(path), _limit_of_ours(), Image.open(path) as image:
        return image.size


def _colour(text: str) -> Colour:
    try:
        red, green, blue = bytes.fromhex(text.removeprefix("#"))
    except ValueError:
        return (0, 0, 0)
    return (red, green, blue)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    import openslide

    try:
        yield
    except (OSError, SyntaxError, openslide.OpenSlideError, Image.DecompressionBombError) as error:
        empty = path.is_file() and path.stat().st_size == 0
        raise BadInputError(
            f"This image cannot be read ({'its file is empty' if empty else error}).",
            where=path,
            remedy="Open it in another program; if it fails there too, copy it again.",
        ) from error
