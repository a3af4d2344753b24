"""Starting a script in QuPath, with launchers that only pretend to be QuPath."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pycyto.errors import BadInputError, MissingDependencyError, PartlyDoneError, PycytoError
from pycyto.qupath.headless import ScriptResult, launcher_of, run_script

pytestmark = pytest.mark.skipif(
    platform.system() == "Windows", reason="the pretended launchers are Unix scripts"
)

# To the shell the second line starts Python, whose path may hold spaces; to Python it is a text.
PRETEND = """#!/bin/sh
"exec" "{python}" "$0" "$@"
import json, pathlib, sys, time
config = json.loads(pathlib.Path(sys.argv[sys.argv.index("--args") + 1]).read_text("utf-8"))
result = pathlib.Path(config["project"], "pycyto", "results", "demo.json")
def leave(ok=True, error=None, **images):
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(dict(schema=1, script="demo", qupath="0.5.1", ok=ok, error=error,
        counts=dict(objects=2), images=images)), "utf-8")
good, bad = dict(ok=True, error=None), dict(ok=False, error="no")
print("12:00 [INFO] hello")
{body}
"""


def pretend(folder: Path, body: str) -> Path:
    """Make an installation whose launcher runs `body`."""
    launcher = folder / "QuPath" / "bin" / "QuPath"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(PRETEND.format(python=sys.executable, body=body))
    launcher.chmod(0o755)
    return folder / "QuPath"


@pytest.fixture(autouse=True)
def _linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")


def run(tmp_path: Path, body: str, **options: Any) -> ScriptResult:
    return run_script(pretend(tmp_path, body), Path("demo.groovy"), tmp_path / "p", **options)


def test_result_is_read_and_the_exit_code_is_not(tmp_path: Path) -> None:
    result = run(tmp_path, "leave(**{'1': good}); sys.exit(1)")
    assert (result.script, result.qupath) == ("demo", "0.5.1")
    assert result.counts == {"objects": 2}
    assert result.images == {"1": {"ok": True, "error": None}}


def test_config_names_project_images_and_holder_of_the_lock(tmp_path: Path) -> None:
    body = "leave(**{'7': dict(good, config=config)})"
    result = run(tmp_path, body, images=["7"], config={"run": "ä, b"})
    assert result.images["7"]["config"] == {
        "run": "ä, b",
        "project": str(tmp_path / "p"),
        "images": ["7"],
        "lock_holder": os.getpid(),
    }


def test_an_old_result_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    old = tmp_path / "p" / "pycyto" / "results" / "demo.json"
    old.parent.mkdir(parents=True)
    old.write_text(json.dumps({"ok": True}))
    with pytest.raises(PycytoError, match="ended without a result") as caught:
        run(tmp_path, "print('\\tat qupath.X'); print('[ERROR] the reason')")
    assert "[ERROR] the reason" in str(caught.value)
    assert "at qupath.X" not in str(caught.value)


def test_refusal_is_told_in_the_words_of_the_script(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such run"):
        run(tmp_path, "leave(ok=False, error='no such run')")


def test_partly_done(tmp_path: Path) -> None:
    with pytest.raises(PartlyDoneError, match="1 of 2 images are done"):
        run(tmp_path, "leave(ok=False, error='no', **{'1': good, '2': bad})")


def test_images_without_a_result_are_missed(tmp_path: Path) -> None:
    with pytest.raises(PartlyDoneError, match="no result for 2\n1 of 2 images are done"):
        run(tmp_path, "leave(**{'1': good})", images=["1", "2"])


@pytest.mark.parametrize("content", ["[]", '{"schema": 2}', '{"schema": 1, "script": "other"}'])
def test_result_of_another_form(tmp_path: Path, content: str) -> None:
    body = f"result.parent.mkdir(parents=True); result.write_text({content!r})"
    with pytest.raises(PycytoError, match="cannot be read"):
        run(tmp_path, body)


def test_timeout_ends_the_launcher_and_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    body = (
        "import subprocess\n"
        f"p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(p.pid))\n"
        "print('working', flush=True)\n"
        "time.sleep(60)"
    )
    before = time.monotonic()
    with pytest.raises(PycytoError, match=r"was stopped after 2 seconds.\n(?s:.*)working"):
        run(tmp_path, body, timeout=2)
    assert time.monotonic() - before < 30
    pid = int(child.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("Linux", "bin/QuPath"),
        ("Darwin", "Contents/MacOS/QuPath"),
        ("Windows", "QuPath-0.6.0 (console).exe"),
    ],
)
def test_launcher_of_each_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, place: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    for name in (place, "QuPath-0.6.0.exe", "lib/app/qupath.jar"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert launcher_of(tmp_path) == tmp_path / place
    assert launcher_of(tmp_path / place) == tmp_path / place


def test_no_launcher(tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match="There is no QuPath to start"):
        launcher_of(tmp_path)
