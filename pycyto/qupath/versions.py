"""What one QuPath does differently from another, each difference by its name.

What every supported version does is no fact of a version: docs/hazards.md lists
that. ``tests/real_qupath/test_hazards.py`` compares each fact with the QuPath
that runs, so that a new version that differs is noticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OLDEST = (0, 5, 1)


@dataclass(frozen=True, slots=True)
class Facts:
    """Named differences between versions.

    Attributes
    ----------
    java
        The Java that it ships, and runs on: its classes are compiled for no older
        one, and its Groovy reads the classes of no newer one (0.6.0 has Groovy
        4.0.26, which fails on those of Java 25).
    opens_images_late
        Since 0.6 ``readImageData`` gives the image data a builder in place of a
        server (``DefaultProject``), and that an image file is missing shows when
        the server is asked for; 0.5 raises at once. So whoever is to save asks
        for the server first.
    detections_hold_metadata
        In 0.5 the metadata of a detection cannot be written to. So what marks
        objects as ours are measurements.
    writes_metadata_twice
        Since 0.6 the GeoJSON of an object with metadata has the key ``metadata``
        twice (``PathObjectTypeAdapters``), which strict readers refuse. So such
        objects are written anew from their tree.
    """

    java: int
    opens_images_late: bool
    detections_hold_metadata: bool
    writes_metadata_twice: bool

    @property
    def wants_native_access(self) -> bool:
        """Whether Java is to be told that native code may be called.

        From 24 on it warns where it was not, and is to refuse one day (JEP 472).
        """
        return self.java >= 24


_0_5 = Facts(
    java=17,
    opens_images_late=False,
    detections_hold_metadata=False,
    writes_metadata_twice=False,
)
_0_6 = Facts(
    java=21,
    opens_images_late=True,
    detections_hold_metadata=True,
    writes_metadata_twice=True,
)
_0_7 = Facts(
    java=25,
    opens_images_late=True,
    detections_hold_metadata=True,
    writes_metadata_twice=True,
)
_SINCE = {(0, 7): _0_7, (0, 6): _0_6, (0, 5): _0_5}


def is_supported(version: str) -> bool:
    """Whether pycyto works with a QuPath, e.g. ``0.6.0-rc4``."""
    return _numbers(version) >= OLDEST


def facts_of(version: str) -> Facts:
    """Return what holds for a supported QuPath; a newer one than is known is taken for the last."""
    return next(facts for since, facts in _SINCE.items() if _numbers(version) >= since)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
