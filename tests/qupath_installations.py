"""The QuPath installations that marked tests run against."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "PYCYTO_QUPATH_DIRS"


def installations() -> list[Path]:
    """Return the folders that the environment names."""
    return [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]


def parameters() -> list[object]:
    """Return one pytest parameter per installation, or one that skips and says why."""
    found = installations()
    if found:
        return [pytest.param(folder, id=folder.name) for folder in found]
    reason = f"needs a real QuPath: set {VARIABLE} to its folder"
    return [pytest.param(None, id="no QuPath", marks=pytest.mark.skip(reason=reason))]
