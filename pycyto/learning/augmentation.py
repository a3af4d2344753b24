"""Random views of a training patch: a cell has no up, and no two slides one brightness.

What a laboratory, a scanner or the focus changes is varied for all classes
alike. Where only rare classes are blurred, as is sometimes done, a network can
tell them by the blur.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from pycyto.images.crop import Pixels
from pycyto.learning.orientations import MOST, oriented

# Goes up with every change that makes other views of the same settings.
VERSION = 2

Named = Literal["standard", "free", "orientations", "none"]

# To grey, in the weights of Rec. 601, as Pillow's own conversion.
_GREY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far views differ from the patch. All numbers are the largest, drawn evenly.

    Attributes
    ----------
    turns, flips
        Whether the patch is turned by multiples of 90 degrees, and mirrored.
    rotation
        Degrees to either side; 180 is any angle.
    zoom
        To either side of 1: 0.1 is 0.9 to 1.1.
    contrast, saturation
        Likewise.
    brightness
        Grey levels of 255 to either side.
    hue
        Degrees around the grey axis to either side.
    blur
        Standard deviation of the Gaussian, in pixels.
    noise
        Standard deviation of Gaussian noise, in grey levels.
    in_order
        Views are the orientations of a patch, one after the other: nothing is drawn, and all
        other numbers are without effect.
    """

    turns: bool = True
    flips: bool = True
    rotation: float = 15.0
    zoom: float = 0.1
    contrast: float = 0.1
    brightness: float = 12.0
    saturation: float = 0.15
    hue: float = 8.0
    blur: float = 1.0
    noise: float = 5.0
    in_order: bool = False


STANDARD = Augmentation()
NOTHING = Augmentation(
    turns=False,
    flips=False,
    rotation=0,
    zoom=0,
    contrast=0,
    brightness=0,
    saturation=0,
    hue=0,
    blur=0,
    noise=0,
)
AUGMENTATIONS: dict[Named, Augmentation] = {
    "standard": STANDARD,
    "free": Augmentation(rotation=180.0),
    "orientations": replace(NOTHING, in_order=True),
    "none": NOTHING,
}


@dataclass(frozen=True, slots=True)
class Look:
    """One way to look at patches.

    Attributes
    ----------
    name
        Tells it from all others.
    of
        Makes what is seen, (224, 224, 3) uint8, of a patch and its content hash.
    """

    name: str
    of: Callable[[Pixels, str], Pixels]


def look_at(orientation: int) -> Look:
    """Return the look at patches in an orientation; see `pycyto.learning.orientations`."""
    return Look(f"orientation {orientation}", lambda pixels, _: oriented(pixels, orientation))


AS_IT_IS = look_at(0)


@dataclass(frozen=True, slots=True)
class Views:
    """The numbered random views of patches that a seed and settings make.

    A view depends on the patch's pixels, the seed, the settings and its number
    alone, so that it is the same in every epoch, order and thread.
    """

    augmentation: Augmentation
    seed: int

    def of(self, pixels: Pixels, content_hash: str, number: int) -> Pixels:
        """Return a view of a patch, (224, 224, 3) uint8; `number` is from 0 on."""
        if self.augmentation.in_order:
            return oriented(pixels, number % MOST)
        start = (self.seed, int(content_hash[:16], 16), number)
        return augmented(pixels, np.random.default_rng(start), self.augmentation)

    def look(self, number: int) -> Look:
        """Return the look that shows this view of every patch."""
        if self.augmentation.in_order:
            # The same whatever the seed, and the same as those that answers are averaged over.
            return look_at(number % MOST)
        if self.augmentation == NOTHING:
            return AS_IT_IS
        name = json.dumps([VERSION, asdict(self.augmentation), self.seed, number])
        return Look(name, lambda pixels, content_hash: self.of(pixels, content_hash, number))


def augmented(
    pixels: Pixels, generator: np.random.Generator, how: Augmentation = STANDARD
) -> Pixels:
    """Return a random view of a patch, (224, 224, 3) uint8.

    Colour, blur and noise change what the slide shows; the black that the crop
    rule leaves beyond an image's edge stays black, as it is in the patches that
    the network will be asked about. Then the patch is turned, mirrored, rotated
    and zoomed. It depends on the patch, the settings and the generator's state.
    """
    lit = pixels.copy()
    shown = _shown(pixels)
    if pixels[shown].size:
        lit[shown] = _photographed(pixels[shown], generator, how)
    turned = np.rot90(lit, int(generator.integers(4)) if how.turns else 0)
    if generator.random() < 0.5 and how.flips:
        turned = turned[:, ::-1]
    angle = generator.uniform(-how.rotation, how.rotation)
    return _rotated(turned, math.radians(angle), 1 + generator.uniform(-how.zoom, how.zoom))


def _shown(pixels: Pixels) -> tuple[slice, slice]:
    """Return the part of a patch without the rows and columns at its edge that are all black."""
    rows, columns = (np.flatnonzero(pixels.any(axis=(axis, 2))) for axis in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _photographed(pixels: Pixels, generator: np.random.Generator, how: Augmentation) -> Pixels:
    """Return the same field under another light, focus and camera."""
    colours = _colour_matrix(
        contrast=1 + generator.uniform(-how.contrast, how.contrast),
        saturation=1 + generator.uniform(-how.saturation, how.saturation),
        hue=math.radians(generator.uniform(-how.hue, how.hue)),
    )
    mean = pixels.mean(axis=(0, 1))
    offset = _GREY @ mean - colours @ np.full(3, _GREY @ mean)
    offset = offset + generator.uniform(-how.brightness, how.brightness)
    matrix = np.column_stack([colours, offset]).ravel().tolist()
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB", matrix)
    image = image.filter(ImageFilter.GaussianBlur(generator.uniform(0, how.blur)))
    noise = generator.uniform(0, how.noise)
    grain = generator.standard_normal(pixels.shape, np.float32)
    return np.clip(np.rint(np.asarray(image) + noise * grain), 0, 255).astype(np.uint8)


def _colour_matrix(*, contrast: float, saturation: float, hue: float) -> npt.NDArray[np.float64]:
    """Return a (3, 3) matrix for RGB columns; grey stays grey, and only contrast changes it."""
    grey = np.tile(_GREY, (3, 1))
    third, root = 1 / 3, math.sqrt(1 / 3)
    cosine, sine = math.cos(hue), math.sin(hue)
    # Rodrigues' rotation about the axis (1, 1, 1).
    axis = np.array([[0, -root, root], [root, 0, -root], [-root, root, 0]])
    turned = cosine * np.eye(3) + (1 - cosine) * third + sine * axis
    saturated = saturation * np.eye(3) + (1 - saturation) * grey
    matrix: npt.NDArray[np.float64] = contrast * (turned @ saturated)
    return matrix


def _reach(side: int, angle: float, zoom: float) -> int:
    """Return how many pixels a rotated, zoomed square reaches beyond itself, and one or two."""
    turned = abs(math.cos(angle)) + abs(math.sin(angle))
    return max(0, math.ceil(side / 2 * (turned / zoom - 1))) + 2


def _rotated(pixels: Pixels, angle: float, zoom: float) -> Pixels:
    """Rotate about the centre; what comes in from outside is mirrored, never black.

    Black would tell a network which patches are training patches, and what the
    crop rule leaves black at an image's edge would no longer stand out. That
    black is mirrored like everything else, so it stays in one piece.
    """
    side = pixels.shape[0]
    reach = _reach(side, angle, zoom)
    around = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
    # Pillow asks where each pixel comes from, counting from its corner.
    middle = side / 2
    shift_x = middle - cosine * middle - sine * middle + reach
    shift_y = middle + sine * middle - cosine * middle + reach
    image = Image.fromarray(around).transform(
        (side, side),
        Image.Transform.AFFINE,
        (cosine, sine, shift_x, -sine, cosine, shift_y),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(image)
