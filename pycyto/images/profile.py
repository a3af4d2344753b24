"""Embedded colour profiles (ICC): the pixels that a camera or scanner means, in sRGB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels


@dataclass(frozen=True, slots=True)
class Profile:
    """Brings pixels of one image to sRGB.

    Attributes
    ----------
    name
        What the profile calls itself.
    transform
        By littleCMS, with the intent that the profile names.
    """

    name: str
    transform: ImageCms.ImageCmsTransform

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return pixels, (height, width, 3) uint8, in sRGB."""
        image = Image.fromarray(np.ascontiguousarray(pixels))
        ImageCms.applyTransform(image, self.transform, inPlace=True)
        return np.asarray(image)


def embedded(find: Callable[[], ImageCms.ImageCmsProfile | None], where: Path) -> Profile | None:
    """Return the profile of an image, ready to be used; None where it has none.

    Parameters
    ----------
    find
        Takes the profile out of the image. What it raises is explained.
    where
        The image, for the message.

    Raises
    ------
    BadInputError
        The profile is damaged, or not of RGB.
    """
    try:
        profile = find()
        if profile is None:
            return None
        name = " ".join(ImageCms.getProfileDescription(profile).split())
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(profile))
        srgb = ImageCms.createProfile("sRGB")
        return Profile(
            name or "without a name",
            ImageCms.buildTransform(profile, srgb, "RGB", "RGB", intent),
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        raise BadInputError(
            f"The colour profile in this image cannot be used ({error}).",
            where=where,
            remedy="Leave this image out, save it with a sound profile or with none, or leave "
            "--icc out for all images.",
        ) from error
