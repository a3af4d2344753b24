"""What a training under way keeps after each epoch, so that it can be gone on with.

One file, written beside itself and renamed. It holds numbers, digests and the
history; no image, cell or folder is named in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from pycyto import files
from pycyto.errors import RefusedError
from pycyto.labels import listed
from pycyto.learning.history import Epoch
from pycyto.records import Reporter

Arrays = Sequence[npt.NDArray[Any]]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class State:
    """A training after an epoch.

    Attributes
    ----------
    phase
        Index of the phase under way.
    since_better
        Epochs since the best one.
    model, optimizer
        All variables of what learns, with the state of its random generators.
    best
        Weights of the best epoch.
    """

    history: tuple[Epoch, ...]
    phase: int
    since_better: int
    model: Arrays
    optimizer: Arrays
    best: Arrays


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The place of that file, and which training it is of.

    Attributes
    ----------
    identity
        What must be equal for going on: a digest or a setting by its name in
        words.
    """

    path: Path
    identity: Mapping[str, str]

    def save(self, state: State) -> None:
        """Keep a state in place of the last one.

        Raises
        ------
        NotWritableError
            When the disk is full, or the place is read-only.
        """
        about = {
            "format": _FORMAT,
            "identity": dict(self.identity),
            "history": [asdict(epoch) for epoch in state.history],
            "phase": state.phase,
            "since_better": state.since_better,
        }
        arrays = {
            f"{name}/{number}": value
            for name in ("model", "optimizer", "best")
            for number, value in enumerate(getattr(state, name))
        }
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        with files.writing(self.path, binary=True) as stream:
            np.savez(stream, allow_pickle=False, about=text, **arrays)

    def load(self, reporter: Reporter) -> State | None:
        """Return the state that a broken-off training has left, if there is one.

        Raises
        ------
        RefusedError
            When that was a training with other settings or of other data.
        """
        if not self.path.exists():
            return None
        try:
            about, state = _read(self.path)
        # What is raised depends on how the file is wrong.
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
            reporter.warn("What a broken-off training has left cannot be read; it begins anew.")
            return None
        self._demand_same(about["identity"], len(state.history))
        return state

    def remove(self) -> None:
        """Delete the file, if it is there."""
        files.remove(self.path)

    def _demand_same(self, found: Mapping[str, str], epochs: int) -> None:
        other = [name for name, value in self.identity.items() if found.get(name) != value]
        if other:
            raise RefusedError(
                f"A training for this place was broken off after epoch {epochs}, and it differs "
                f"in this: {listed(other)}.",
                where=self.path,
                remedy="Start it as it was to go on with it, name another folder with --out, or "
                "begin anew with --restart.",
            )


def place_of(bundle: Path) -> Path:
    """Return where a training keeps its state: beside the bundle that it will write."""
    return bundle.with_name(f".{bundle.name}.training.npz")


def _read(path: Path) -> tuple[dict[str, Any], State]:
    # By a stream of our own: np.load leaves a file open that is no archive.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
        about = json.loads(kept["about"].tobytes())
        if about["format"] != _FORMAT:
            raise ValueError(f"format {about['format']}")
        arrays = {
            name: [kept[f"{name}/{i}"] for i in range(_count(kept.files, name))]
            for name in ("model", "optimizer", "best")
        }
    history = tuple(Epoch(**epoch) for epoch in about["history"])
    return about, State(history, about["phase"], about["since_better"], **arrays)


def _count(names: Sequence[str], kind: str) -> int:
    return sum(name.startswith(f"{kind}/") for name in names)
