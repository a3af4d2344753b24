"""Keras comes late, quietly and repeatably."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pycyto.errors import UsageError
from pycyto.learning.backend import LARGEST_SEED, make_repeatable

ROOT = Path(__file__).resolve().parents[2]


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    names = ["pycyto.steps.train"] + [
        f"pycyto.learning.{path.stem}" for path in (ROOT / "pycyto" / "learning").glob("*.py")
    ]
    done = run(
        f"import importlib, sys\n[importlib.import_module(name) for name in {names}]\n"
        "print({'tensorflow', 'keras', 'sklearn'} & set(sys.modules))\n"
    )
    assert done.stdout == "set()\n", done.stderr


def test_tensorflow_says_nothing() -> None:
    done = run("from pycyto.learning.networks import build\nbuild('small', 2)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1])
def test_a_seed_that_numpy_would_refuse_is_refused_in_words(seed: int) -> None:
    with pytest.raises(UsageError, match="seed"):
        make_repeatable(seed)
