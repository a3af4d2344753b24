"""What failed, told once per cause: thirty images of one missing folder are one message."""

from __future__ import annotations

from dataclasses import dataclass, field

from pycyto.errors import PycytoError
from pycyto.labels import counted

_SHOWN = 3


@dataclass(slots=True)
class Failures:
    """Names of images by the reason for which they failed, and what to do about it."""

    _names: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, name: str, what: str, remedy: str = "") -> None:
        """Note that an image failed."""
        self._names.setdefault((what, remedy), []).append(name)

    def add_error(self, name: str, error: PycytoError) -> None:
        """Note the error that an image failed with; its own path goes with the name."""
        place = f" ({error.where})" if error.where and error.where not in name else ""
        self.add(name + place, error.what, error.remedy or "")

    def __len__(self) -> int:
        return sum(map(len, self._names.values()))

    def __str__(self) -> str:
        return "\n".join(_told(*cause, names) for cause, names in self._names.items())


def _told(what: str, remedy: str, names: list[str]) -> str:
    more = len(names) - _SHOWN
    shown = "; ".join(names[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    who = shown if len(names) == 1 else f"{counted(len(names), 'image')} ({shown})"
    told = f"    {who}: {what}"
    return f"{told}\n      to do: {remedy}" if remedy else told
