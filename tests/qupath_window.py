"""QuPath's window on a display of its own, with real keys.

Needs Xvfb, a window manager (openbox) and xdotool beside a QuPath; where one of them is
missing, the tests say so and are skipped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from pycyto.qupath.headless import launcher_of

TOOLS = ("Xvfb", "openbox", "xdotool", "import")
_MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
needs_a_display = pytest.mark.skipif(
    bool(_MISSING), reason=f"needs {', '.join(_MISSING)} to show QuPath's window"
)
_Value = TypeVar("_Value")
_PATIENCE = 240.0  # seconds: a start takes up to a minute on two quiet cores


@dataclass(frozen=True)
class Window:
    """A QuPath that is running, and the display that it is on."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    def titles(self) -> list[str]:
        """Return the titles of all windows on the screen."""
        found = self._tool("search", "--onlyvisible", "--name", ".").split()
        return [title for title in (self._title(window) for window in found) if title]

    def wait_for(self, title: str) -> str:
        """Wait until a window whose title begins so is on the screen; return its number."""

        def found() -> str:
            windows = self._tool("search", "--onlyvisible", "--name", f"^{title}").split()
            return windows[-1] if windows else ""

        return self.until(found, f"no window {title!r}, but {self.titles()}")

    def until(self, condition: Callable[[], _Value], problem: str) -> _Value:
        """Wait until a condition holds, and return what it says."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            assert self.process.poll() is None, self.log.read_text("utf-8", "replace")[-3000:]
            time.sleep(0.25)
        raise AssertionError(problem + self.log.read_text("utf-8", "replace")[-3000:])

    def soon(self, condition: Callable[[], bool], *, seconds: float = 4.0) -> bool:
        """Return whether a condition comes to hold within a short time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def focus(self, title: str) -> None:
        """Give a window the keys."""
        self._tool("windowactivate", "--sync", self.wait_for(title))

    def key(self, *names: str) -> None:
        """Press and let go of keys, by xdotool's names."""
        self._tool("key", "--delay", "60", *names)

    def hold(self, name: str, *, seconds: float) -> None:
        """Hold a key down: it repeats."""
        self._tool("keydown", name)
        time.sleep(seconds)
        self._tool("keyup", name)

    def place_of(self, title: str) -> str:
        """Return where a window is and how large."""
        return self._tool("getwindowgeometry", self.wait_for(title)).split("\n", 1)[1]

    def picture(self, path: Path) -> None:
        """Save what is on the screen."""
        subprocess.run(["import", "-window", "root", str(path)], env=self.environment, check=True)

    def kill(self) -> None:
        """Kill QuPath at once, as a power cut would."""
        _kill_tree(self.process.pid)

    def _title(self, window: str) -> str:
        return self._tool("getwindowname", window).strip()

    def _tool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout


@contextlib.contextmanager
def qupath_window(
    qupath: Path, project: Path, script: Path, home: Path, *, image: str | None = None
) -> Iterator[Window]:
    """Open a project in QuPath's window, and run a script when it is there.

    Parameters
    ----------
    qupath
        Folder of the installation.
    project
        Folder of the project.
    script
        Run once the window is up.
    home
        Folder for the user's preferences and for the log.
    image
        Name of an image to open.
    """
    home.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        environment = {**os.environ, "DISPLAY": f":{stack.enter_context(_display(home))}"}
        environment |= {"HOME": str(home), "LC_ALL": "C.UTF-8", "GDK_BACKEND": "x11"}
        environment["JAVA_TOOL_OPTIONS"] = " ".join(
            (
                "-Xmx1500m",
                "-Dprism.order=sw",
                f"-Duser.home={home}",
                f"-Djava.util.prefs.userRoot={home}",
                f"-Dqupath.startup.script={script}",
            )
        )
        stack.enter_context(_running(["openbox"], environment, home / "openbox.log"))
        log = home / "qupath.log"
        command = [str(launcher_of(qupath)), "-q", "-p", str(project / "project.qpproj")]
        command += ["-i", image] if image else []
        process = stack.enter_context(_running(command, environment, log))
        yield Window(process, environment, log)


@contextlib.contextmanager
def _display(home: Path) -> Iterator[int]:
    """Start a display; the server chooses a number that is free."""
    reading, writing = os.pipe()
    with (home / "xvfb.log").open("wb") as log:
        process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24"],
            pass_fds=(writing,),
            stdout=log,
            stderr=log,
        )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            yield int(answer.readline())
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _running(
    command: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        _kill_tree(process.pid)
        process.wait()


def _kill_tree(pid: int) -> None:
    """Kill a process and what it has started: QuPath's launcher may be a shell script."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [*parent.children(recursive=True), parent]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
