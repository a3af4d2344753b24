"""Links, where the system lets a test make them."""

from __future__ import annotations

from pathlib import Path

import pytest


def link(path: Path, target: Path, *, folder: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target, target_is_directory=folder)
    except OSError:
        pytest.skip("this system lets nobody make links")
