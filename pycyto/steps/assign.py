"""Which cells are read, blinded, by whom and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pycyto import files
from pycyto.datasets.assigning import chosen_cells, equal_shares, reading_orders
from pycyto.errors import BadInputError, UsageError
from pycyto.labels import LabelScheme, counted, listed
from pycyto.manifest import UNKNOWN
from pycyto.qupath.assignments import (
    Assignment,
    assignment_name,
    checked_readers,
    reads_folder,
    save_assignment,
)
from pycyto.qupath.project import ensure_project_id
from pycyto.qupath.selection import ObjectKind
from pycyto.records import SILENT, CellKey, Reporter
from pycyto.steps.assignable import Assignable, adjudicated, annotated, predicted
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context

_UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True)
class AssignResult:
    """What was assigned.

    Attributes
    ----------
    file
        Of the assignment, in the project's ``pycyto/reads``.
    by_class
        How many of its cells are of each class; the file does not tell.
    """

    file: Path
    assignment: Assignment
    by_class: Mapping[str, int]


def assign(  # noqa: PLR0913 - each is an option of the command
    project: str | Path,
    *,
    cells: int,
    readers: Sequence[str],
    per_class: bool = False,
    repeat: float = 0.05,
    seed: int = 0,
    run: str | None = None,
    proficiency: bool = False,
    objects: ObjectKind = "annotations",
    images: Sequence[str] | None = None,
    unclassified: bool = False,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> AssignResult:
    """Choose cells of a project for blinded reading, and give every reader an order.

    The assignment is a file in ``pycyto/reads`` of the project; nothing else is
    changed. It holds no label and no prediction.

    Parameters
    ----------
    project
        Folder of the QuPath project.
    cells
        How many.
    readers
        Their names. A double read takes at least two; they are in the file and in the
        report, so initials or letters are best.
    per_class
        Equally many of each class, as far as there are; else by chance.
    repeat
        The share of the cells that each reader sees twice, from 0 to 1.
    seed
        Another seed chooses other cells and other orders.
    run
        Choose among the cells of this run, by predicted class instead of the expert's.
    proficiency
        Choose among cells on which a double read has come to a label, for readers in
        training.
    objects, images, unclassified
        Of which objects and images; cells without a class too. See `pycyto.export`.

    Raises
    ------
    UsageError
        Options that do not fit together, or names that cannot be readers'.
    BadInputError
        There are fewer cells than were asked for, or some cannot be read.
    """
    names = _checked(cells, readers, repeat, seed, proficiency=proficiency)
    if proficiency and (run is not None or unclassified):
        raise UsageError("A proficiency set is made of cells that have a label already.")
    if unclassified and (per_class or run is not None):
        raise UsageError("Cells without a class cannot be chosen by their class.")
    opened = open_context(project, access)
    context = Context(ensure_project_id(opened.project), opened.settings, opened.scheme, access)
    if proficiency:
        found = adjudicated(context.project)
    elif run is not None:
        found = predicted(context, run, images, reporter)
    else:
        found = annotated(context, objects, images, reporter, unclassified=unclassified)
    chosen = _chosen(found, cells, seed, context.scheme, reporter, per_class=per_class)
    created_at = files.now("milliseconds")
    assignment = Assignment(
        name=assignment_name(str(uuid4()), created_at),
        kind="proficiency" if proficiency else "double read",
        created_at=created_at,
        project_id=context.project.project_id,
        seed=seed,
        scheme=context.scheme.name,
        classes=context.scheme.names,
        repeat=repeat,
        cells=tuple(found[key].cell for key in chosen),
        orders=reading_orders(len(chosen), names, repeat=repeat, seed=seed),
        selected_by=run or UNKNOWN,
    )
    return _kept(context, assignment, Counter(found[key].label for key in chosen), reporter)


def _checked(
    cells: int, readers: Sequence[str], repeat: float, seed: int, *, proficiency: bool
) -> tuple[str, ...]:
    names = checked_readers(readers)
    if len(names) < 2 and not proficiency:
        raise UsageError("A double read takes at least two readers.", remedy="--readers A,B")
    if cells < 1:
        raise UsageError(f"{cells} cells cannot be assigned.", remedy="--cells 100")
    if not 0 <= repeat <= 1:
        raise UsageError(f"--repeat {repeat:g} is not a share from 0 to 1.", remedy="--repeat 0.05")
    if seed < 0:
        raise UsageError(f"--seed {seed} is below 0.", remedy="--seed 0")
    return names


def _chosen(
    found: Mapping[CellKey, Assignable],
    cells: int,
    seed: int,
    scheme: LabelScheme,
    reporter: Reporter,
    *,
    per_class: bool,
) -> list[CellKey]:
    """Choose the cells, or refuse when there are too few."""
    if len(found) < cells:
        raise BadInputError(
            f"{counted(cells, 'cell')} cannot be assigned: there are {len(found)}.",
            remedy=f"Ask for at most {len(found)}, or see --objects, --images, --unclassified and "
            "--run for what is taken."
            if found
            else "See --objects, --images, --unclassified and --run for what is taken.",
        )
    classes = {key: own.label for key, own in found.items()}
    if per_class:
        _say_shares(Counter(classes.values()), cells, scheme, reporter)
    severity = scheme.names if per_class else None
    return chosen_cells(classes, cells, seed=seed, severity=severity)


def _say_shares(
    available: Mapping[str, int], cells: int, scheme: LabelScheme, reporter: Reporter
) -> None:
    """Warn of classes that have fewer cells than an equal share."""
    there = {name: available.get(name, 0) for name in scheme.names}
    shares = equal_shares(there, cells)
    equal = cells // len(there)
    few = [f"{count} {name}" for name, count in there.items() if count < equal]
    if few:
        reporter.warn(
            f"There are only {listed(few)}: all of them were taken, and more of the other "
            f"classes ({listed(f'{share} {name}' for name, share in shares.items())})."
        )


def _kept(
    context: Context, assignment: Assignment, by_class: Mapping[str, int], reporter: Reporter
) -> AssignResult:
    workspace = context.project.workspace
    if reads_folder(workspace).exists():
        files.remove_parts(reads_folder(workspace))
    path = save_assignment(workspace, assignment)
    ordered = {name: by_class[name] for name in context.scheme.names if by_class[name]}
    if by_class[""]:
        ordered[_UNCLASSIFIED] = by_class[""]
    _say(path, assignment, ordered, reporter)
    return AssignResult(path, assignment, ordered)


def _say(
    path: Path, assignment: Assignment, by_class: Mapping[str, int], reporter: Reporter
) -> None:
    length = len(next(iter(assignment.orders.values())))
    reporter.say(
        f"Assignment {assignment.name}: {counted(len(assignment.cells), 'cell')}, "
        f"{length - len(assignment.cells)} of them shown twice, to {listed(assignment.readers)}."
    )
    for name, count in by_class.items():
        reporter.say(f"  {count:>6}  {name}")
    reporter.say("The readers are not told these numbers, and the file does not hold them.")
    reporter.say(f"Its file: {path}")
    reporter.say(
        "Next, each reader runs read_cells.groovy in QuPath. On another computer they need a copy "
        "of the project made from now on."
    )
