"""Plays the gallery key by key, without QuPath, as a reviewer does who knows the truth."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from pycyto.labels import BETHESDA

ROOT = Path(__file__).resolve().parents[1]
DRIVER = ROOT / "tests" / "qupath_scripts" / "gallery_driver.groovy"
LABELS = BETHESDA.names
HSIL_ABOVE = 0.2


@dataclass(frozen=True)
class Cell:
    """A cell of a run, with what it is in truth."""

    entry_id: str
    cell_id: str
    truth: str
    predicted: str
    probabilities: tuple[float, ...]
    expert: str = ""
    traits: tuple[str, ...] = ()  # locked, loading, blank, elsewhere

    @property
    def hsil(self) -> float:
        """P(HSIL)."""
        return self.probabilities[LABELS.index("HSIL")]


@dataclass(frozen=True)
class Answer:
    """How the gallery looks after a command."""

    label: str
    at: int
    page: int
    pages: int
    chosen: str
    cells: tuple[str, ...]
    states: tuple[str, ...]
    decisions: tuple[tuple[str, str, str, str], ...]  # cell, action, label, way
    ahead: tuple[str, ...]  # cells whose pictures are read before somebody asks for them
    message: str

    def place(self, cell_id: str) -> int:
        """Return where on the page a cell is."""
        return self.cells.index(cell_id)

    @property
    def open(self) -> list[str]:
        """Return the cells of the page on which nothing was decided."""
        return [c for c, state in zip(self.cells, self.states, strict=True) if state == "open"]


class Gallery:
    """The gallery in a process of its own, which lasts for many games."""

    def __init__(self, groovy: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [*groovy, str(DRIVER), str(ROOT / "qupath_scripts" / "lib")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.columns = 8
        self.keys = 0

    def start(self, cells: Sequence[Cell], columns: int = 8, rows: int = 6) -> None:
        """Begin a new game with these cells."""
        self.columns, self.keys = columns, 0
        self._say("start", columns, rows, HSIL_ABOVE)
        for cell in cells:
            values = ",".join(map(str, cell.probabilities)).replace("nan", "NaN")
            facts = (cell.entry_id, cell.cell_id, cell.predicted, cell.expert, values)
            self._say("cell", *facts, ",".join(cell.traits))

    def show(self, label: str, state: str = "open") -> Answer:
        """Show the cells of a predicted class."""
        return self._say("show", label, state)

    def press(self, key: str) -> Answer:
        """Press a key; it is counted."""
        self.keys += 1
        return self._say("press", key)

    def loaded(self) -> Answer:
        """Let all pictures have come."""
        return self._say("loaded")

    def close(self) -> None:
        """End the process."""
        _pipe(self._process.stdin).close()
        self._process.wait(30)
        _pipe(self._process.stdout).close()

    def _say(self, *parts: object) -> Answer:
        stdin, stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        stdin.write("\t".join(map(str, parts)) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, "the gallery has ended"
        label, at, page, pages, chosen, cells, states, lines, ahead, message = line[:-1].split("\t")
        decisions = [tuple(item.split(",")) for item in lines.split(";") if item]
        return Answer(
            label=label,
            at=int(at),
            page=int(page),
            pages=int(pages),
            chosen=chosen,
            cells=tuple(cells.split(",")) if cells else (),
            states=tuple(states.split(",")) if states else (),
            decisions=tuple((c, action, to, way) for c, action, to, way in decisions),
            ahead=tuple(ahead.split(",")) if ahead else (),
            message=message,
        )


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


# --- cells --------------------------------------------------------------------------------------


def drawn_cells(
    number: int, *, wrong: float, above: float, labelled: bool = False, seed: int = 0
) -> list[Cell]:
    """Return cells of which certain parts are called wrongly, and have P(HSIL) above the threshold.

    Parameters
    ----------
    labelled
        Whether an expert has given each its true class before.
    """
    rng = np.random.default_rng(seed)
    is_wrong = rng.permutation(number) < wrong * number
    is_above = rng.permutation(number) < above * number
    cells = []
    for n in range(number):
        # Whatever is called HSIL is above the threshold: those are some of that part.
        called_hsil = bool(is_above[n]) and rng.random() < 0.4
        predicted = "HSIL" if called_hsil else str(rng.choice(LABELS[:3], p=(0.7, 0.15, 0.15)))
        others = [label for label in LABELS if label != predicted]
        truth = str(rng.choice(others)) if is_wrong[n] else predicted
        low, high = (0.6, 1.0) if called_hsil else (0.2, 0.35) if is_above[n] else (0.0, 0.15)
        hsil = float(rng.uniform(low, high))
        values = dict.fromkeys(others, 0.0) | {predicted: 1 - hsil, "HSIL": hsil}
        cells.append(
            Cell(
                entry_id=str(n * 10 // number),
                cell_id=f"c{n}",
                truth=truth,
                predicted=predicted,
                probabilities=tuple(values[label] for label in LABELS),
                expert=truth if labelled else "",
            )
        )
    return cells


# --- a reviewer ---------------------------------------------------------------------------------


class Reviewer:
    """Somebody who knows the truth, and decides on all cells with as few keys as come to mind.

    What is called wrongly on a page is put right first, then the page is accepted, then each
    cell that wants a key of its own gets one. `Gallery.keys` counts all of them, also those
    that only move.
    """

    def __init__(self, gallery: Gallery, cells: Sequence[Cell]) -> None:
        self.gallery = gallery
        self.cells = {cell.cell_id: cell for cell in cells}
        self.decided: dict[str, str] = {}
        self.ways: dict[str, str] = {}
        self.answer = gallery.show(LABELS[0])

    def review(self) -> None:
        """Go through all pages of all classes."""
        for label in LABELS:
            assert self.answer.label == label
            while self.answer.cells:
                self._page()
                if self.answer.page + 1 == self.answer.pages:
                    break
                self._press("PAGE_DOWN")
            if label != LABELS[-1]:
                self._press("TAB")

    def _page(self) -> None:
        for cell_id in self.answer.cells:
            cell = self.cells[cell_id]
            if cell.truth != cell.predicted and not wants_a_key(cell):
                self._go_to(cell_id)
                self._press(digit(cell.truth))
        self._press("A")
        while self.answer.open:
            cell = self.cells[self.answer.chosen]
            self._press("SPACE" if cell.truth == cell.predicted else digit(cell.truth))

    def _go_to(self, cell_id: str) -> None:
        columns, here = self.gallery.columns, self.answer.place(self.answer.chosen)
        steps = self.answer.place(cell_id) - here
        # Up and down by rows, the rest by single steps, whichever comes to fewer keys.
        within = [
            n
            for n in (int(steps / columns), round(steps / columns))
            if 0 <= here + n * columns < len(self.answer.cells)
        ]
        rows = min(within, key=lambda n: abs(n) + abs(steps - n * columns))
        for key, number in (("DOWN", rows), ("RIGHT", steps - rows * columns)):
            for _ in range(abs(number)):
                self._press(key if number > 0 else {"DOWN": "UP", "RIGHT": "LEFT"}[key])
        assert self.answer.chosen == cell_id

    def _press(self, key: str) -> None:
        self.answer = self.gallery.press(key)
        for cell_id, _, label, way in self.answer.decisions:
            self.decided[cell_id], self.ways[cell_id] = label, way


def wants_a_key(cell: Cell) -> bool:
    """Return whether a cell is never accepted with its page."""
    return cell.hsil >= HSIL_ABOVE or cell.expert not in ("", cell.predicted)


def digit(label: str) -> str:
    """Return the key of a class."""
    return f"DIGIT{LABELS.index(label) + 1}"
