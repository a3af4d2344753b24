"""What a command says to the person in front of it."""

from __future__ import annotations

import json
import sys
import time
import traceback
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

# In a log: often enough to follow, and no more than ten lines for one thing.
SECONDS_BETWEEN_LINES = 60.0
SHARE_BETWEEN_LINES = 0.1
SECONDS_BETWEEN_EVENTS = 0.2

# Names from a project may hold what a terminal obeys: it could rewrite lines that were printed
# before. Line ends and tabs stay.
_OBEYED = {code: "?" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class Console:
    """Owner of all output of a command.

    Results and talk go to standard output; progress, warnings and errors go to standard error, so
    that ``pycyto runs DIR > runs.txt`` catches the results alone.

    Parameters
    ----------
    quiet
        Leave out talk and progress.
    debug
        Show tracebacks.
    events
        Print everything as events, one JSON object per line, to standard output: for a program
        that has started the command (docs/formats.md).
    """

    def __init__(self, *, quiet: bool = False, debug: bool = False, events: bool = False) -> None:
        self.quiet = quiet
        self.debug = debug
        self.events = events

    def show(self, text: str) -> None:
        """Print a result: what the command was called for."""
        if self.events:
            _print_event("said", text=text)
        else:
            sys.stdout.write(f"{text.translate(_OBEYED)}\n")

    def say(self, text: str) -> None:
        """Print what is going on, unless ``--quiet``."""
        if not self.quiet:
            self.show(text)
            sys.stdout.flush()  # a log is read while it is written

    def warn(self, text: str) -> None:
        """Print what the user should know although the work goes on."""
        if self.events:
            _print_event("warning", text=text)
        else:
            self.error(text, prefix="warning: ")

    def error(self, text: str, *, prefix: str = "error: ") -> None:
        """Print why the work ends."""
        if self.events:
            _print_event("error", text=text)
            return
        sys.stdout.flush()
        sys.stderr.write(f"{prefix}{text.translate(_OBEYED)}\n")

    def tell(self, **facts: str) -> None:
        """Print what a program wants to know that has started the command."""
        if self.events:
            _print_event("told", **facts)

    def traceback(self, error: BaseException) -> None:
        """Print where in the code an error arose."""
        self.error("".join(traceback.format_exception(error)), prefix="")

    def counts(self, title: str, counts: Mapping[str, int]) -> None:
        """Print numbers under a title, aligned."""
        self.show(title)
        width = max((len(str(number)) for number in counts.values()), default=0)
        for name, number in counts.items():
            self.show(f"  {number:>{width}}  {name}")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print rows under headers, in columns as wide as their widest cell."""
        lines = [list(headers), *([str(cell) for cell in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.show("  ".join(cells).rstrip())

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show how far something is while the block runs.

        Parameters
        ----------
        description
            What is being done.
        total
            How many steps it has, if that is known.

        Yields
        ------
        Callable[[int], None]
            To be called with the number of steps that were done since the last call.
        """
        if self.quiet:
            yield _ignore
        elif self.events:
            told = _NowAndThen(partial(_print_progress, description, total), SECONDS_BETWEEN_EVENTS)
            told.tell()  # there is something to wait for
            yield told.advance
            told.tell()
        elif sys.stderr.isatty():
            with _bar(description, total) as advance:
                yield advance
        else:
            steps = SHARE_BETWEEN_LINES * (total or 0)
            line = partial(_print_line, description, total)
            yield _NowAndThen(line, SECONDS_BETWEEN_LINES, steps).advance


def _print_event(event: str, **values: str | int | None) -> None:
    # At once: whoever reads it wants to show how far the work is.
    sys.stdout.write(f"{json.dumps({'event': event, **values})}\n")
    sys.stdout.flush()


def _ignore(steps: int) -> None:
    """Take note of nothing."""


@contextmanager
def _bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Draw a bar on the terminal."""
    # rich takes a tenth of a second to import, which commands without progress need not wait for.
    from rich import progress
    from rich.console import Console as RichConsole

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    # Lines printed meanwhile go above the bar; but not those that the user sends to a file.
    display = progress.Progress(
        *columns, console=RichConsole(stderr=True), redirect_stdout=sys.stdout.isatty()
    )
    with display:
        task = display.add_task(description, total=total)
        yield lambda steps: display.advance(task, steps)


class _NowAndThen:
    """Tells how many steps are done, where so much time has passed and so many more are done."""

    def __init__(self, tell: Callable[[int], None], seconds: float, steps: float = 0) -> None:
        self._tell = tell
        self._seconds = seconds
        self._steps = steps
        self._done = self._told = 0
        self._last_told = time.monotonic()

    def advance(self, steps: int) -> None:
        self._done += steps
        late = time.monotonic() - self._last_told >= self._seconds
        if late and self._done - self._told >= self._steps:
            self.tell()

    def tell(self) -> None:
        self._last_told, self._told = time.monotonic(), self._done
        self._tell(self._done)


def _print_line(description: str, total: int | None, done: int) -> None:
    of_total = "" if total is None else f" of {total}"
    sys.stderr.write(f"{description}: {done}{of_total}\n")
    sys.stderr.flush()


def _print_progress(description: str, total: int | None, done: int) -> None:
    _print_event("progress", of=description, done=done, total=total)
