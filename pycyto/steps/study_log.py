"""What a user is told of a study: each stage, progress, and each warning once.

The steps that a stage is made by tell more to somebody who calls just them; the records that they
leave hold the same counts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from pycyto.learning.training import ONLY_THE_HEAD
from pycyto.records import Reporter


class _Passing:
    """A reporter that passes everything on to another one."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def say(self, text: str) -> None:
        """Tell something that is worth reading."""
        self._reporter.say(text)

    def warn(self, text: str) -> None:
        """Tell something that the user should act on or know."""
        self._reporter.warn(text)

    def progress(
        self, description: str, total: int | None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Show progress."""
        return self._reporter.progress(description, total)

    def tell(self, **facts: str) -> None:
        """Tell a program what it needs to know."""
        self._reporter.tell(**facts)


class Once(_Passing):
    """Gives each warning once, and none of what the user has asked for."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(reporter)
        self._told = {ONLY_THE_HEAD}

    def warn(self, text: str) -> None:
        """Pass on what was not told yet, but for names below the first line."""
        first = text.partition("\n")[0]
        if first not in self._told:
            self._told.add(first)
            super().warn(text)


class Inside(_Passing):
    """Gives progress and warnings of what is done inside a stage, but no talk.

    Parameters
    ----------
    about
        Whom the warnings are about, where they do not say it themselves.
    """

    def __init__(self, reporter: Reporter, about: str = "") -> None:
        super().__init__(reporter)
        self._about = f"{about}: " if about else ""

    def say(self, text: str) -> None:
        """Drop the text."""

    def warn(self, text: str) -> None:
        """Pass on a warning, and whom it is about."""
        super().warn(f"{self._about}{text}")


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
