"""A whole study from one file: sources, split, networks, figures, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycyto import files
from pycyto.errors import UsageError
from pycyto.evaluation.report import SCHEMA
from pycyto.labels import listed
from pycyto.manifest import read_manifest
from pycyto.parts import NO_FOLD
from pycyto.pseudonyms import pseudonyms_of
from pycyto.records import SILENT, Reporter, path_from
from pycyto.steps.evaluate import METRICS_FILE, evaluate
from pycyto.steps.report_folder import check_report_folder
from pycyto.steps.shown import say_names
from pycyto.steps.study_checks import demand
from pycyto.steps.study_comparison import comparison_of
from pycyto.steps.study_file import Places, Study, read_study
from pycyto.steps.study_log import Once, duration
from pycyto.steps.study_models import (
    SCORES_FILE,
    Model,
    model_of,
    not_measured,
    start_of,
)
from pycyto.steps.study_report import FIGURES_FILE, REPORT_FILE, Found, write_report
from pycyto.steps.study_sources import DATA, pooled, source_of
from pycyto.steps.study_stages import Stage, Stages


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study left.

    Attributes
    ----------
    redone, kept
        Stages that were made (in a rehearsal: would be), and that were there.
    """

    report: Path
    figures: Path
    redone: Sequence[str]
    kept: Sequence[str]


def study(
    file: Path | str,
    *,
    out: Path | str,
    folders: Sequence[Path | str] = (),
    dry_run: bool = False,
    reporter: Reporter = SILENT,
) -> StudyResult:
    """Carry out a study: take sources in, split, train, evaluate, compare domains, report.

    What was done before is kept, unless what it was made from has changed. Each stage has a
    folder of its own in `out`, with ``stage.json`` about what it was made from.

    Parameters
    ----------
    file
        The study file; docs/study.md explains it.
    out
        Folder of the study.
    folders
        Where relative paths of the file are looked for first; after that beside the file.
    dry_run
        Only tell what would be done.

    Raises
    ------
    BadInputError
        Anything in the file is wrong, or a source is not there; nothing was computed then. Or
        what a stage raises.
    MissingDependencyError
        None of the networks has weights to start from.
    """
    started, reporter = time.monotonic(), Once(reporter)
    path, root = path_from(file), path_from(out)
    check_report_folder(root, FIGURES_FILE)
    plan = read_study(path)
    places = Places((*map(_folder, folders), path.parent))
    demand(plan, path, places, root)

    stages = Stages(root, reporter, dry_run)
    sources = [source_of(stages, own, places) for own in plan.source]
    data = pooled(stages, plan, sources)
    comparison = comparison_of(plan, data, sources, reporter)
    reasons: dict[str, str] = {own.name: not_measured(own, places) for own in plan.network}
    for name, reason in reasons.items():
        if reason:
            reporter.warn(f"{name} is not measured: {reason}.")
    models = [
        model_of(stages, plan, places, network, seed, data, sources)
        for network in plan.pooled
        if not reasons[network.name]
        for seed in plan.seeds
    ]
    tested = _evaluation(stages, plan, places, data, models[0])
    if dry_run:
        reporter.say("cross-domain, report: made from these, what is there of them is kept.")
    else:
        _say_names(data.folder / DATA, reporter)
        matrices = None
        if comparison:
            matrices = comparison.run(root / "cross-domain", places, reasons, reporter)
        files.copy_file(path, root / "study.toml")
        reporter.say("report: begins.")
        found = Found(plan, sources, data, models, tested, matrices, reasons)
        sentences = write_report(root, found)
        left = stages.left_over()
        if matrices is None and (root / "cross-domain").exists():
            left.append("cross-domain")
        if left:
            reporter.warn(
                f"From before, and no part of this study: {listed(left)}. "
                "Delete what you do not need any more."
            )
        reporter.say(f"report: done. The study took {duration(time.monotonic() - started)}.")
        for sentence in sentences:
            reporter.say(sentence)
    return StudyResult(root / REPORT_FILE, root / FIGURES_FILE, stages.redone, stages.kept)


def _folder(path: Path | str) -> Path:
    folder = path_from(path)
    if not folder.is_dir():
        raise UsageError("There is no folder that --from names.", where=folder)
    return folder


def _evaluation(stages: Stages, plan: Study, places: Places, data: Stage, model: Model) -> Stage:
    """Evaluate the first model on the test part, beside controls, with a report of its own."""
    start = start_of(model.network, places)
    weights = start if Path(start).is_file() else None

    def make(folder: Path, reporter: Reporter) -> str:
        evaluate(
            data.folder / DATA, model=model.bundle, out=folder, seed=plan.evaluation.seed,
            fold=NO_FOLD if plan.split.folds else None, scores=model.answered.folder / SCORES_FILE,
            leaking=plan.evaluation.leaking, weights=weights, reporter=reporter,
        )  # fmt: skip
        return files.sha256_of(folder / METRICS_FILE)

    own = {
        "leaking": plan.evaluation.leaking,
        "seed": plan.evaluation.seed,
        "schema": SCHEMA,
    }
    inputs = {"pooled": data.output, "model": model.trained.output}
    if plan.split.folds:
        # Whose figures those of the folds are; new sources for the test do not change them.
        inputs |= {fold.name: fold.output for fold in model.folds}
    return stages.run("evaluation", own, inputs, make)


def _say_names(data: Path, reporter: Reporter) -> None:
    """Tell what the pseudonyms in the page of the evaluation stand for."""
    hide, rows = pseudonyms_of(data, reporter), read_manifest(data)
    say_names(rows, [hide.hide(row) for row in rows], reporter, page="page of the evaluation")
