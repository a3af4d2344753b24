"""How far readers agree, with each other, with themselves, and with a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycyto import files, provenance
from pycyto.errors import BadInputError, UsageError
from pycyto.evaluation.intervals import resampling
from pycyto.evaluation.readers import against_consensus, agreement_of, all_pairs, mean_of
from pycyto.evaluation.reading_report import ReadingReport, as_html, as_json
from pycyto.qupath.assignments import ADJUDICATION, CONSENSUS, pick_assignment, reads_folder
from pycyto.qupath.merging import merge_reads
from pycyto.qupath.overwritten import warn_of_overwritten
from pycyto.qupath.project import Project
from pycyto.qupath.reads import reads_file
from pycyto.records import SILENT, Reporter, path_from
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context
from pycyto.steps.disputed import galleries_of
from pycyto.steps.proficiency import trend_of
from pycyto.steps.read_cells import gone_cells, images_of
from pycyto.steps.readings import Readings, labels_found, model_calls, progress_of, readings_of
from pycyto.steps.report_folder import check_report_folder

REPORT_FILE, FIGURES_FILE = "index.html", "agreement.json"


@dataclass(frozen=True, slots=True)
class AgreementResult:
    """What a comparison of readers found.

    Attributes
    ----------
    report, figures
        The HTML page and the JSON file beside it.
    found
        Everything that is in them.
    copied
        Files of reads that came from elsewhere.
    """

    report: Path
    figures: Path
    found: ReadingReport
    copied: int


def agreement(
    project: str | Path,
    *,
    out: str | Path,
    assignment: str | None = None,
    run: str | None = None,
    reads: Sequence[str | Path] = (),
    seed: int = 0,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> AgreementResult:
    """Compare what the readers of an assignment said, and write a report.

    Of a proficiency set the report says how readers in training do, and how that
    changes from set to set.

    Parameters
    ----------
    project
        Folder of the QuPath project. Nothing in it is changed but for `reads`.
    out
        Folder of ``index.html`` and ``agreement.json``.
    assignment
        Its name; the newest by default.
    run
        The run that stands for the model; by default the newest one that has cells of
        the assignment, if there is any.
    reads
        Files of reads, or folders of them, from other computers: they are copied into
        the project first. None is replaced by one that lacks a line of it.
    seed
        Of the resamples that intervals come from.

    Raises
    ------
    UsageError
        The report would go into a data set or among the project's own files.
    BadInputError
        No assignment, nothing read yet, or a file that does not fit.
    RefusedError
        A file of `reads` contradicts the one that is here.
    """
    folder = path_from(out)
    context = open_context(project, access)
    _refuse_place(folder, context.project)
    copied = merge_reads(context.project, map(path_from, reads), reporter) if reads else 0
    picked = pick_assignment(context.project, assignment)
    readings = readings_of(context.project, picked)
    _refuse_nothing(readings, context.project)
    report = _report(context, readings, run, seed, reporter)
    content = as_json(report)
    page = as_html(report)
    # The figures first: by them the next run knows a page as a report, also after a kill between.
    files.write_json(folder / FIGURES_FILE, content)
    files.write_text(folder / REPORT_FILE, page)
    kind = "proficiency set" if report.is_proficiency else "double read"
    reporter.say(f"Assignment {picked.name}, a {kind}.")
    for sentence in content["summary"]:
        reporter.say(sentence)
    for sentence in content["cautions"]:
        reporter.warn(sentence)
    if report.gone:
        reporter.warn(f"No longer in the project: {', '.join(report.gone)}.")
    reporter.say(f"Report: {folder / REPORT_FILE}. {content['notice']}")
    return AgreementResult(folder / REPORT_FILE, folder / FIGURES_FILE, report, copied)


def _refuse_place(folder: Path, project: Project) -> None:
    check_report_folder(folder, FIGURES_FILE)
    inside = folder.is_relative_to(project.folder) and not folder.is_relative_to(project.workspace)
    if inside or folder.is_relative_to(reads_folder(project.workspace)):
        raise UsageError(
            "A report does not go among the project's own files.",
            where=folder,
            remedy="Name a folder outside the project with --out.",
        )


def _refuse_nothing(readings: Readings, project: Project) -> None:
    if not any(readings.reads.values()):
        raise BadInputError(
            f"Nobody has read anything of the assignment {readings.assignment.name} yet.",
            where=reads_folder(project.workspace),
            remedy="Let the readers run read_cells.groovy in QuPath; --reads FOLDER brings files "
            "in that were made on other computers.",
        )


def _report(
    context: Context, readings: Readings, run: str | None, seed: int, reporter: Reporter
) -> ReadingReport:
    assignment, project = readings.assignment, context.project
    people = [readings.calls(reader) for reader in assignment.readers]
    models, model = model_calls(project, assignment, run)
    images = images_of(context, assignment, reporter)
    backend = context.backend(reporter)
    warn_of_overwritten(project, lambda: backend, reporter)
    groups, labels = images.group_names(assignment), assignment.classes
    drawn = resampling(groups, seed)
    fresh = [own for own in models if not own.trained_on]
    among_people = all_pairs(people, labels, drawn)
    found = galleries_of(context, readings, models, images, reporter)
    return ReadingReport(
        assignment={
            "name": assignment.name,
            "kind": assignment.kind,
            "created_at": assignment.created_at,
            "scheme": assignment.scheme,
            "seed": assignment.seed,
        },
        labels=labels,
        groups=images.levels(assignment),
        progress=[progress_of(readings, reader) for reader in assignment.readers],
        consensus=labels_found(readings),
        pairs=all_pairs([*people, *fresh], labels, drawn),
        mean=mean_of(among_people) if len(among_people) > 1 else None,
        within=[
            agreement_of(readings.calls(own.name), readings.calls(own.name, 1), labels, drawn)
            for own in people
        ],
        against=[
            against_consensus(own, readings.truth, labels, groups, seed)
            for own in (*people, *models)
        ],
        disputed=found.disputed,
        missed=found.missed,
        trend=trend_of(context, assignment, seed, reporter),
        model=model,
        gone=gone_cells(backend, assignment, images, reporter),
        unpictured=found.unpictured,
        provenance=_record(project, readings, run, seed),
    )


def _record(project: Project, readings: Readings, run: str | None, seed: int) -> dict[str, Any]:
    assignment, workspace = readings.assignment, project.workspace
    folders = (*assignment.readers, CONSENSUS, ADJUDICATION)
    paths = {f"reads of {name}": reads_file(workspace, name, assignment.name) for name in folders}
    paths["assignment"] = reads_folder(workspace) / f"{assignment.name}.json"
    return provenance.record(
        "agreement",
        {"assignment": assignment.name, "run": run},
        counts={"cells": len(assignment.cells), "readers": len(assignment.readers)},
        inputs={name: files.sha256_of(path) for name, path in paths.items() if path.exists()},
        seed=seed,
    )
