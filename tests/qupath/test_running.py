"""A running QuPath is found by its processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pycyto.qupath import running

# The fixture of all tests replaces the function; this is the real one.
REAL = running.running


@pytest.fixture(autouse=True)
def _real(monkeypatch: pytest.MonkeyPatch, _no_qupath_runs: None) -> None:
    monkeypatch.setattr(running, "running", REAL)


def found(process: subprocess.Popen[str]) -> bool:
    return any(f"process {process.pid} since 20" in text for text in running.running())


def waiting(*command: str) -> subprocess.Popen[str]:
    """Start a program that says when it runs and ends with its input."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_java_that_runs_qupaths_main_class_counts() -> None:
    code = "print(flush=True); input()"
    with waiting(sys.executable, "-c", code, "-cp", "x.jar", "qupath.QuPath", "-q") as process:
        assert found(process)
        process.kill()
    assert not found(process)


def test_other_programs_do_not_count(tmp_path: Path) -> None:
    code = "print(flush=True); input()"
    with waiting(sys.executable, "-c", code, "QuPath-0.6.0/notes.txt", str(tmp_path)) as process:
        assert not found(process)
        process.kill()
