"""The eight ways to lay a patch on the table: a cell has no up."""

from __future__ import annotations

import numpy as np

from pycyto.images.crop import Pixels

# Quarter turns, and whether the patch is mirrored too; no two of them are the same.
_ORIENTATIONS = (
    (0, False),
    (1, True),
    (2, False),
    (3, True),
    (1, False),
    (0, True),
    (3, False),
    (2, True),
)
MOST = len(_ORIENTATIONS)


def oriented(patches: Pixels, number: int) -> Pixels:
    """Return patches, (…, s, s, c), in an orientation, from 0 on; 0 is as they are.

    The first two are the patch and the patch mirrored about its diagonal; four add the same,
    turned by half; eight are all quarter turns and their mirror images.
    """
    quarters, mirrored = _ORIENTATIONS[number]
    turned = np.rot90(patches, quarters, axes=(-3, -2))
    return np.ascontiguousarray(turned[..., ::-1, :] if mirrored else turned)
