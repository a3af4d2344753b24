"""The sources of a study become data sets, and those to learn from become one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pycyto import files, provenance
from pycyto.labels import counted, listed
from pycyto.manifest import Row, read_manifest
from pycyto.parts import FOLDS_FILE, NO_FOLD, SPLIT_FILE
from pycyto.records import Reporter
from pycyto.steps.audit import audit
from pycyto.steps.export import export
from pycyto.steps.ingest import ingest
from pycyto.steps.merge import merge
from pycyto.steps.split import split
from pycyto.steps.study_file import TEST, Places, SourceSettings, Study
from pycyto.steps.study_log import Inside
from pycyto.steps.study_stages import GONE, Stage, Stages, digest_of_folder
from pycyto.steps.subset import write_subset

DATA = "data"


@dataclass(frozen=True, slots=True)
class Ready:
    """A source that is a data set now."""

    settings: SourceSettings
    stage: Stage

    @property
    def data(self) -> Path:
        """Its folder with ``manifest.csv``."""
        return self.stage.folder / DATA


def source_of(stages: Stages, settings: SourceSettings, places: Places) -> Ready:
    """Ingest or export a source, unless that was done before.

    A source that is gone stays as it was taken in, and the reporter says so.
    """
    path = places.find(settings.path)
    inputs = {"the source": digest_of_folder(path, partial(_of_no_matter, settings.kind))}
    if settings.table is not None:
        inputs["its table of classes"] = digest_of_folder(places.find(settings.table))
    # What a source is for decides nothing about its data set.
    own = (settings.kind, settings.name, settings.table, settings.alternative, settings.mpp,
           settings.group_regex, settings.icc)  # fmt: skip
    name = f"sources/{settings.name}"
    take_in = partial(_take_in, settings, path, places)
    stage = stages.run(name, own, inputs, take_in, place=path, keeps=True)
    if GONE in inputs.values():
        stages.reporter.warn(
            f"The source {settings.name} is no longer at {path}: what was taken in before is used."
        )
    ready = Ready(settings, stage)
    if not stages.dry_run:
        _say_cells(ready, stages.reporter)
    return ready


def _say_cells(source: Ready, reporter: Reporter) -> None:
    """Tell what a source has, and what of it was left out."""
    rows = read_manifest(source.data)
    labels = Counter(row.label or "unclassified" for row in rows)
    told = listed(f"{label} {number}" for label, number in labels.most_common())
    groups = counted(len({row.group for row in rows}), "group")
    reporter.say(f"{source.settings.name}: {counted(len(rows), 'cell')} of {groups} ({told}).")
    for reason, number in left_out(source.data).items():
        reporter.say(f"{source.settings.name}: {number} skipped: {reason}.")


def left_out(data: Path) -> dict[str, int]:
    """Return how many cells were left out when a data set was made, by reason."""
    records = provenance.records_in(data).values()
    return {
        reason: number
        for record in records
        for reason, number in record.get("counts", {}).get("skipped", {}).items()
        if number
    }


def _of_no_matter(kind: str, path: Path) -> bool:
    """Whether a file of a source decides nothing: what pycyto itself leaves in a project, say."""
    if kind == "project":
        return path.parts[0] == "pycyto" and path.parts[1:2] != ("cells",)
    return kind == "dataset" and path.parts[0] not in ("manifest.csv", "images")


def _take_in(
    settings: SourceSettings, path: Path, places: Places, folder: Path, reporter: Reporter
) -> str:
    out, reporter = folder / DATA, Inside(reporter, settings.name)
    if settings.kind == "project":
        export(path, out=out, mpp=settings.mpp, icc=settings.icc, reporter=reporter)
    elif settings.kind == "dataset":
        _copy(path, out)
    else:
        options = reading_options(settings, places)
        ingest(settings.kind, path, out=out, icc=settings.icc, reporter=reporter, **options)
    return files.sha256_of(out / "manifest.csv")


def _copy(data: Path, out: Path) -> None:
    """Make a data set of all cells of another one."""
    with files.making_folder(out) as made:
        write_subset(data, read_manifest(data), None, made)


def reading_options(settings: SourceSettings, places: Places) -> dict[str, Any]:
    """Return options of `pycyto.ingest` that decide how a source is read."""
    return {
        # What is brought to fit has no one scale, and no model learns from it.
        "scale": "native",
        "alternative": settings.alternative,
        "mpp": settings.mpp,
        "group_regex": settings.group_regex,
        "table": places.find(settings.table) if settings.table else None,
        "name": settings.name if settings.kind == "folder" else None,
    }


def pooled(stages: Stages, study: Study, sources: Sequence[Ready]) -> Stage:
    """Join, split and audit the sources that are learnt from."""
    used = [own for own in sources if own.settings.role != TEST]
    inputs = {own.settings.name: own.stage.output for own in used}

    def make(folder: Path, reporter: Reporter) -> str:
        out = folder / DATA
        if len(used) > 1:
            merge([own.data for own in used], out=out, reporter=reporter)
        else:
            _copy(used[0].data, out)
        folds, seed = study.split.folds, study.split.seed
        shares = None if folds else study.split.shares
        split(out, fractions=shares, folds=folds, seed=seed, reporter=reporter)
        audit(out, fold=NO_FOLD if folds else None, reporter=reporter)
        table = FOLDS_FILE if folds else SPLIT_FILE
        return " ".join(files.sha256_of(out / name) for name in ("manifest.csv", table))

    return stages.run("pooled", study.split, inputs, make)


@dataclass(frozen=True, slots=True)
class Unseen:
    """The cells of a source with the role test, beside what was trained on.

    Attributes
    ----------
    new, known_groups
        Cells of groups that no training or validation cell is of, and of the others.
    same
        How many were left out since their pixels, or the cell, are trained on.
    other
        How many have a class that the model does not know, by class.
    """

    new: Sequence[Row]
    known_groups: Sequence[Row]
    same: int
    other: Mapping[str, int]


def unseen(rows: Sequence[Row], trained: Sequence[Row], labels: Sequence[str]) -> Unseen:
    """Tell which cells of a source a model has not seen.

    Parameters
    ----------
    trained
        Its training and validation cells.
    """
    pixels, keys = {row.content_hash for row in trained}, {row.key for row in trained}
    groups = {name for row in trained for name in _names(row)}
    labelled = [row for row in rows if row.label]
    left = [row for row in labelled if row.content_hash not in pixels and row.key not in keys]
    # A patient of whom one cell was trained on was trained on, whatever its group is called there.
    groups |= {
        name
        for row in labelled
        if row.content_hash in pixels or row.key in keys
        for name in _names(row)
    }
    scored = [row for row in left if row.label in labels]
    others = [row.label for row in left if row.label not in labels]
    return Unseen(
        new=[row for row in scored if not _names(row) & groups],
        known_groups=[row for row in scored if _names(row) & groups],
        same=len(labelled) - len(left),
        other={label: others.count(label) for label in sorted(set(others))},
    )


def _names(row: Row) -> set[str]:
    """Return the names of a row's group; one that was joined of several has several."""
    head, slash, last = row.group.rpartition("/")
    return {head + slash + name for name in last.split(" + ")}


def say_unseen(name: str, found: Unseen, reporter: Reporter) -> None:
    """Tell what becomes of the cells of a source with the role test."""
    reporter.say(
        f"{name}: {counted(len(found.new), 'cell')} of new groups are scored, and apart from them "
        f"{len(found.known_groups)} of groups that were trained on."
    )
    if found.same:
        reporter.warn(f"{name}: {counted(found.same, 'cell')} left out: they were trained on.")
    if found.other:
        told = listed(f"{number} {label}" for label, number in found.other.items())
        reporter.warn(f"{name}: no model knows the class of {told}; not scored.")
