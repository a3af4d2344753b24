"""Cells on which not all said the same, with their pictures, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pycyto.evaluation.readers import NONE, Calls
from pycyto.evaluation.reading_report import Disputed, Gallery, Said
from pycyto.qupath.reads import Read
from pycyto.records import Reporter
from pycyto.steps.context import Context
from pycyto.steps.read_cells import ReadImages, pictures_of
from pycyto.steps.readings import Readings

# Pictures in one gallery: enough to see what goes wrong, few enough to mail the page.
MOST = 48

_WITHOUT_CLASS = {"skip": "cannot say", "flag": "flagged"}


@dataclass(frozen=True, slots=True)
class Galleries:
    """What the report shows of cells.

    Attributes
    ----------
    missed
        By reader: cells of the most severe class that were not called so.
    unpictured
        Cells whose picture could not be cut, by reason.
    """

    disputed: Gallery
    missed: Mapping[str, Gallery]
    unpictured: Mapping[str, int]


def galleries_of(
    context: Context,
    readings: Readings,
    models: Sequence[Calls],
    images: ReadImages,
    reporter: Reporter,
) -> Galleries:
    """Return the cells to show.

    Of a double read these are the cells on which the readers differ; of a proficiency
    set those on which a reader differs from the label, with the missed ones apart.
    """
    people = [readings.calls(reader) for reader in readings.assignment.readers]
    training = readings.assignment.kind == "proficiency"
    spans = _spans(readings, people, with_label=training)
    disputed = sorted((cell for cell, span in spans.items() if span), key=lambda c: (-spans[c], c))
    missed = {own.name: _missed(own, readings) for own in people} if training else {}
    # What is shown as missed is not shown twice.
    apart = {cell for cells in missed.values() for cell in cells}
    disputed = [cell for cell in disputed if cell not in apart]
    shown = dict.fromkeys(cell for cells in (disputed, *missed.values()) for cell in cells[:MOST])
    pictures, unpictured = pictures_of(context, readings.assignment, images, list(shown), reporter)
    said = _said(readings, models)

    def gallery(cells: Sequence[int]) -> Gallery:
        described = (
            _described(cell, readings, images, said[cell], spans.get(cell, 0), pictures.get(cell))
            for cell in cells[:MOST]
        )
        return Gallery(tuple(described), len(cells))

    found = {reader: gallery(cells) for reader, cells in missed.items()}
    return Galleries(gallery(disputed), found, unpictured)


def _spans(readings: Readings, people: Iterable[Calls], *, with_label: bool) -> dict[int, int]:
    """Return by how many classes what is said of each cell differs at most."""
    told = [own.classes for own in people] + ([readings.truth] if with_label else [])
    spans = {}
    for cell, calls in enumerate(zip(*told, strict=True)):
        known = [int(call) for call in calls if call != NONE]
        spans[cell] = max(known) - min(known) if known else 0
    return spans


def _missed(reader: Calls, readings: Readings) -> list[int]:
    """Return the most severe cells that a reader called something else, the farthest first."""
    most = len(readings.assignment.classes) - 1
    called = {
        cell: int(call)
        for cell, (call, label) in enumerate(zip(reader.classes, readings.truth, strict=True))
        if label == most and call not in (NONE, most)
    }
    return sorted(called, key=lambda cell: (called[cell], cell))


def _said(readings: Readings, models: Sequence[Calls]) -> list[tuple[Said, ...]]:
    """Return for each cell what everybody said of it."""
    assignment = readings.assignment
    firsts = {reader: readings.shown(reader, 0) for reader in assignment.readers}
    return [
        (
            *(Said(reader, _answer(reads.get(cell))) for reader, reads in firsts.items()),
            *(
                Said(own.name, assignment.classes[own.classes[cell]], is_model=True)
                for own in models
                if own.classes[cell] != NONE
            ),
        )
        for cell in range(len(assignment.cells))
    ]


def _answer(read: Read | None) -> str:
    if read is None:
        return "not read"
    return read.label or _WITHOUT_CLASS[read.action]


def _described(
    cell: int,
    readings: Readings,
    images: ReadImages,
    said: tuple[Said, ...],
    difference: int,
    picture: str | None,
) -> Disputed:
    key, label = readings.assignment.cells[cell].key, readings.labels.get(cell)
    return Disputed(
        images.names.get(key.entry_id, "image no longer in the project"),
        key.object_id,
        key.point_index,
        said,
        label.label if label else "",
        label.origin if label else "",
        difference,
        picture,
    )
