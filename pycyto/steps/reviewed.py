"""Labels that people decided on: in reviews of a model's predictions, and in blinded reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pycyto.errors import BadInputError
from pycyto.labels import LabelScheme, counted
from pycyto.qupath.decisions import Verdict
from pycyto.qupath.project import Project
from pycyto.qupath.reads import consensus_labels
from pycyto.qupath.selection import OTHER_CLASS, OUTSIDE_SCHEME
from pycyto.records import Cell, CellKey, Reporter
from pycyto.steps.cells import ImageCells, Tally
from pycyto.steps.labelling import Label, label_from, label_read, verdicts_of

NOT_DECIDED = "not reviewed"
FLAGGED = "flagged in the review"
SKIPPED = "skipped in the review"
OVERRULED = "given another class since the review"
_WITHOUT_LABEL = {"open": NOT_DECIDED, "flagged": FLAGGED, "skipped": SKIPPED}

# So many cells are named.
_NAMED = 20


def decided_labels(
    project: Project, scheme: LabelScheme, classes: Sequence[str] | None
) -> DecidedLabels:
    """Return the labels that people decided on in a project.

    Raises
    ------
    BadInputError
        When nothing was reviewed there yet, or a log cannot be read.
    """
    agreed = {key: label_read(one, scheme) for key, one in consensus_labels(project).items()}
    # What several readers came to holds whatever a single reviewer has said.
    verdicts = {k: verdict for k, verdict in verdicts_of(project).items() if k not in agreed}
    if not agreed and not verdicts:
        raise BadInputError(
            "Nothing was reviewed in this project yet, so there is no decided label.",
            where=project.workspace / "decisions",
            remedy="Review a run in QuPath with review.groovy, or export without --reviewed.",
        )
    decided = {
        key: label_from(verdict.decided, scheme)
        for key, verdict in verdicts.items()
        if verdict.state == "decided" and verdict.decided
    }
    return DecidedLabels(project, scheme, decided | agreed, verdicts, classes)


@dataclass(slots=True)
class DecidedLabels:
    """Cells have the label that people decided on; those without one are left out.

    Attributes
    ----------
    labels
        Of each cell that has one.
    verdicts
        What was reviewed by one person alone.
    classes
        Only these; None for all of the scheme.
    """

    project: Project
    scheme: LabelScheme
    labels: Mapping[CellKey, Label]
    verdicts: Mapping[CellKey, Verdict]
    classes: Sequence[str] | None = None
    _images: set[str] = field(default_factory=set)
    _seen: set[CellKey] = field(default_factory=set)
    _overruled: list[str] = field(default_factory=list)

    def chosen(self, found: ImageCells, tally: Tally) -> ImageCells:
        """Return the cells of an image whose label was decided; the others are counted."""
        self._images.add(found.image.entry_id)
        saved_at = _saved_at(self.project.data_file(found.image.entry_id))
        cells = []
        for cell in found.cells:
            self._seen.add(cell.key)
            reason = self._reason_against(cell, saved_at)
            if reason is None:
                cells.append(cell)
            else:
                tally.skipped[reason] += 1
            if reason == OVERRULED:
                self._overruled.append(self._told(cell, found.image.name))
        return replace(found, cells=cells)

    def of(self, cell: Cell) -> Label:
        """Return the decided label of a cell that was chosen."""
        return self.labels[cell.key]

    def say(self, reporter: Reporter) -> None:
        """Name the cells whose label is lost to the export until somebody has looked at them."""
        _name(
            reporter,
            "given another class in QuPath since it was reviewed, and so left out; review it again",
            self._overruled,
        )
        lost = self.labels.keys() - self._seen
        _name(
            reporter,
            "decided on, but no longer there, or of another kind than asked for (--objects)",
            [
                f"object {key.object_id} of the image with entry ID {key.entry_id}"
                for key in sorted(lost, key=str)
                if key.entry_id in self._images
            ],
        )

    def _reason_against(self, cell: Cell, saved_at: datetime) -> str | None:
        """Return why a cell is left out, or None."""
        label, verdict = self.labels.get(cell.key), self.verdicts.get(cell.key)
        if label is None:
            return _WITHOUT_LABEL[verdict.state if verdict else "open"]
        if verdict and not verdict.agrees_with(cell.class_name, saved_at):
            return OVERRULED
        if self.classes is not None:
            return None if label.name in self.classes else OTHER_CLASS
        return None if label.name in self.scheme.names else OUTSIDE_SCHEME

    def _told(self, cell: Cell, image: str) -> str:
        label, where = self.of(cell), f"({cell.x:.0f}, {cell.y:.0f}) in {image}"
        now = cell.class_name or "no class"
        return (
            f"object {cell.key.object_id} at {where}: {label.annotator} said {label.name}, "
            f"and it has {now} now"
        )


def _saved_at(data: Path) -> datetime:
    seconds = data.stat().st_mtime if data.exists() else 0
    return datetime.fromtimestamp(seconds, UTC)


def _name(reporter: Reporter, what: str, cells: Sequence[str]) -> None:
    """Name cells, the first few; the count is of all."""
    if cells:
        more = [f"… and {len(cells) - _NAMED} more"] if len(cells) > _NAMED else []
        lines = "".join(f"\n    {text}" for text in (*cells[:_NAMED], *more))
        reporter.warn(f"{counted(len(cells), 'cell')}: {what}.{lines}")
