"""A Python for scripts to start whose pycyto predicts with the stub model: no TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Python runs this before anything else. It may be told to take its time, or to die half-way.
_CUSTOM = """
import os, sys, time
sys.path.insert(0, {root!r})
from unittest import mock
from tests import stub_model

def slowly(patch):
    time.sleep(float(os.environ.get("STUB_SECONDS_PER_CELL", "0")))
    return stub_model.by_brightness(patch)

in_place = stub_model.in_place(slowly)  # held, or it would end at once
in_place.__enter__()
if os.environ.get("STUB_DIES"):
    mock.patch("pycyto.steps.staging.runs.save", lambda run: os._exit(9)).__enter__()
"""


def use(patch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Let every Python that is started from now on predict with the stub; return a model for it."""
    custom = folder / "custom"
    custom.mkdir()
    (custom / "sitecustomize.py").write_text(_CUSTOM.format(root=str(ROOT)), "utf-8")
    patch.setenv("PYTHONPATH", os.pathsep.join([str(custom), str(ROOT)]))
    model = folder / "modèle 1"
    model.mkdir()
    (model / "bundle.json").write_text("{}")
    return model
