"""How good a model is on cells that it has never seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto import files, provenance
from pycyto.datasets.findings import Audit, in_order
from pycyto.errors import GateError, NotWritableError, UsageError
from pycyto.evaluation.classified import Classified, called
from pycyto.evaluation.controls import Control, Trained, controls
from pycyto.evaluation.domains import by_domain
from pycyto.evaluation.gallery import Pictured, surest_errors, worst_undercalls
from pycyto.evaluation.gates import Bound, Verdict, bounds, check_names, verdicts
from pycyto.evaluation.leaking import Leaking
from pycyto.evaluation.looks import looks
from pycyto.evaluation.measured import measured, names_of, slug
from pycyto.evaluation.metrics import Figures
from pycyto.evaluation.report import Report, as_html, as_json
from pycyto.evaluation.stages import Stage
from pycyto.evaluation.words import of_validation
from pycyto.labels import counted, listed
from pycyto.learning.bundle import README_FILE, Bundle, load_bundle, was_trained_on
from pycyto.learning.evaluated import keep_evaluation
from pycyto.manifest import Row
from pycyto.records import SILENT, Reporter, path_from
from pycyto.steps.answers import answers, assisted
from pycyto.steps.audit import honest
from pycyto.steps.colours import say_left
from pycyto.steps.leaking import leaking_variants, start_of
from pycyto.steps.pictures import chosen_cells, pictures
from pycyto.steps.report_folder import check_report_folder
from pycyto.steps.resolutions import other_scale
from pycyto.steps.shown import Shown, say_names, shown_of
from pycyto.steps.tested import Tested, tested
from pycyto.steps.traces import counts, history_in, stage_of_run, stages

REPORT_FILE = "index.html"
METRICS_FILE = "metrics.json"

# Pictures in a report: enough to see what goes wrong, few enough to mail it.
_PICTURES = 24
_ERRORS = 12

# Stands for every class in a prevalence that is one number for all questions.
ALL = "all"


@dataclass(frozen=True, slots=True)
class EvaluateResult:
    """What an evaluation found.

    Attributes
    ----------
    report, metrics
        The HTML page and the JSON file beside it.
    figures
        Of the tested cells whose class the model knows.
    groups
        How many patients, slides and images they are of.
    others
        ``others[label][called]``: tested cells of classes that the model does not know.
    beats_controls
        Whether the model leads every control by the interval of macro-F1; None
        where that is not decidable.
    """

    report: Path
    metrics: Path
    figures: Figures
    groups: Mapping[str, int]
    others: Mapping[str, Mapping[str, int]]
    beats_controls: bool | None


def evaluate(  # noqa: PLR0913 - each is an option of the command
    data: Path | str,
    *,
    model: Path | str,
    out: Path | str,
    run: Path | str | None = None,
    seed: int = 0,
    fold: int | None = None,
    identifiers: bool = False,
    at_least: Mapping[str, float] | None = None,
    at_most: Mapping[str, float] | None = None,
    prevalence: float | Mapping[str, float] | None = None,
    with_assisted: bool = False,
    leaking: bool = False,
    weights: str | None = None,
    heat_maps: bool = False,
    cells: Sequence[str] = (),
    scores: Path | str | None = None,
    reporter: Reporter = SILENT,
) -> EvaluateResult:
    """Test a model on the test part of a data set, and write a report.

    Parameters
    ----------
    data
        Folder with ``manifest.csv`` and ``split.csv``.
    model
        The bundle.
    out
        Folder of ``index.html`` and ``metrics.json``.
    run
        Folder of a run, to show its counts as well.
    seed
        Of the controls, and of the resamples that intervals come from.
    fold
        Test on this fold of ``folds.csv`` instead of the split's test part; 0 for all folds, with
        the `scores` of models that had each not seen one.
    identifiers
        Name images, sources and sites in the report instead of pseudonyms; it
        is then confidential and says so.
    at_least, at_most
        Bounds by the name of a figure, such as ``hsil_sensitivity`` or
        ``hsil_sensitivity.low``; docs/metrics-schema.md lists the names.
    prevalence
        Share of the cells in practice that are of a class or worse, by that
        class (``hsil``; ``all`` for the rest), or one for all classes.
    with_assisted
        Count cells whose labels a model had a part in.
    leaking
        Train the network anew on splits that leak, and show what they would have
        claimed. It takes as long as several trainings; no model is kept.
    weights
        For `leaking`: the file that the network started from, if it was one.
    heat_maps
        Show for each picture of a cell where the network looked.
    cells
        Tested cells to show in any case, as entry and object ID with a slash
        between, and ``#`` and the index for a point.
    scores
        A table of what is known of some cells, as `pycyto.study` keeps it; the others are
        classified.

    Raises
    ------
    UsageError
        A bound for a figure that there is none of or that it cannot have, a
        prevalence that is no share, or a report that would go into a data set.
    BadInputError
        No cell to test on, or patches at another resolution than the model's.
    RefusedError
        The model was trained on a tested cell, or on one of the same patient,
        slide or image; or the audit of the data set failed.
    GateError
        After the report was written: a bound was missed, or is not decidable.
    """
    data, out = path_from(data), path_from(out)
    check_report_folder(out, METRICS_FILE)
    replaces = (out / METRICS_FILE).exists()
    bundle = load_bundle(path_from(model))
    limits, shares = bounds(at_least or {}, at_most or {}), _prevalences(prevalence, bundle.labels)
    check_names(limits, names_of(bundle.labels, shares))
    start = start_of(bundle, weights) if leaking else ""
    audit = honest(data, fold, reporter)
    test = tested(
        data, bundle, fold, with_assisted=with_assisted,
        scores=path_from(scores) if scores else None, reporter=reporter,
    )  # fmt: skip
    audit = _with_scales(audit, test, bundle, reporter)
    wanted = _Wanted(limits, shares, seed, heat_maps, chosen_cells(test, cells))
    shown = shown_of(test, reporter, identifiers=identifiers)
    ran = stage_of_run(path_from(run), shown.withheld) if run is not None else []
    report = _report(bundle, test, audit, shown, wanted, ran, reporter)
    if leaking:
        variants = leaking_variants(bundle, test, start, seed, reporter)
        variants = [_named(own, test, shown) for own in variants]
        report = replace(report, leaking=variants)
    content = as_json(report)
    page = as_html(report)
    # The figures first: by them the next run knows a page as a report, also after a kill between.
    files.write_json(out / METRICS_FILE, content)
    files.write_text(out / REPORT_FILE, page)
    if replaces:
        reporter.say(f"The report of an earlier evaluation in {out} was replaced.")
    for sentence in (*content["summary"], *content["beside_controls"]):
        reporter.say(sentence)
    say_left(len(test.reader.left), reporter)
    if not shown.confidential:
        say_names(test.known, shown.rows, reporter)
    _keep_in_bundle(bundle, report, content, reporter)
    reporter.say(f"Report: {out / REPORT_FILE}. {content['notice']}")
    _pass_gates(report.verdicts, out / REPORT_FILE, reporter)
    return EvaluateResult(
        out / REPORT_FILE,
        out / METRICS_FILE,
        report.figures,
        report.groups,
        report.others,
        content["beats_every_control"],
    )


def _with_scales(audit: Audit, test: Tested, bundle: Bundle, reporter: Reporter) -> Audit:
    """Add to an audit, and tell, that tested cells are of another scale than those learnt from."""
    found = list(other_scale(test.known, bundle))
    for finding in found:
        reporter.warn(finding.told())
    return replace(audit, findings=in_order([*audit.findings, *found]))


def _named(variant: Leaking, test: Tested, shown: Shown) -> Leaking:
    """Call sources as the report does."""
    names = {own.source: hidden.source for own, hidden in zip(test.known, shown.rows, strict=True)}
    by_source = {names[name]: own for name, own in variant.by_source.items() if name in names}
    return replace(variant, by_source=by_source)


def _keep_in_bundle(
    bundle: Bundle, report: Report, content: Mapping[str, Any], reporter: Reporter
) -> None:
    """Let the model's card tell these figures; a bundle that cannot be written to stays."""
    warned = [found["what"] for found in report.audit["findings"] if found["weight"] == "warning"]
    entry = {
        "finished_at": report.provenance["finished_at"],
        "inputs": report.audit["inputs"],
        "summary": content["summary"],
        "limits": [*content["beside_controls"], *warned],
        "figures": content["named_figures"],
        "thresholds": [
            {name: line[name] for name in ("at_least", "target_sensitivity", "threshold")}
            for line in content["thresholds"]
        ],
    }
    try:
        keep_evaluation(bundle, entry)
    except NotWritableError as error:
        reporter.warn(f"The model's card does not tell these figures: {error.what}")
    else:
        reporter.say(f"The model's card tells these figures: {bundle.path / README_FILE}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the user asked for."""

    bounds: Sequence[Bound]
    prevalence: Mapping[str, float]
    seed: int
    heat_maps: bool
    chosen: Sequence[int]


def _prevalences(
    given: float | Mapping[str, float] | None, labels: Sequence[str]
) -> dict[str, float]:
    """Return the prevalence of each class or worse, by the name of the class."""
    if given is None:
        return {}
    asked = dict(given) if isinstance(given, Mapping) else {ALL: given}
    names = {slug(label): label for label in labels[1:]}
    for name, share in asked.items():
        if name != ALL and slug(name) not in names:
            raise UsageError(
                f"There is no question {name!r} to give a prevalence for.",
                remedy=f"Known are: {listed(names)}.",
            )
        if not 0 < share < 1:
            raise UsageError(
                f"The prevalence {share:g} is not between 0 and 1.", remedy="--prevalence 0.02"
            )
    found = dict.fromkeys(labels[1:], asked[ALL]) if ALL in asked else {}
    return found | {names[slug(name)]: share for name, share in asked.items() if name != ALL}


def _pass_gates(found: Sequence[Verdict], report: Path, reporter: Reporter) -> None:
    failed = [verdict for verdict in found if not verdict.met]
    if failed:
        lines = "\n".join(f"  {verdict.sentence}" for verdict in failed)
        raise GateError(
            f"{len(failed)} of {counted(len(found), 'bound')} not met:\n{lines}",
            where=report,
            remedy="Do not use this model for what the bounds protect.",
        )
    for verdict in found:
        reporter.say(verdict.sentence)


def _report(
    bundle: Bundle,
    test: Tested,
    audit: Audit,
    shown: Shown,
    wanted: _Wanted,
    ran: Sequence[Stage],
    reporter: Reporter,
) -> Report:
    found = answers(bundle, test, wanted.seed, reporter)
    measures = measured(found.known, found.validation, wanted.prevalence)

    def pictured(which: Sequence[int]) -> list[Pictured]:
        return pictures(bundle, test, shown, found.known, which, heat_maps=wanted.heat_maps)

    return Report(
        measured=measures,
        groups=test.levels,
        model={
            "id": bundle.bundle_id,
            "network": bundle.network,
            "scheme": bundle.scheme,
            "resolution": str(bundle.resolution),
            "temperature": bundle.temperature,
            "fitted_at_once": bundle.is_linear,
        },
        controls=_controls(test, found.known, wanted.seed, reporter),
        domains=by_domain(shown.rows, found.known),
        undercalls=pictured(worst_undercalls(found.known, _PICTURES)),
        errors=pictured(surest_errors(found.known, _ERRORS)),
        chosen=pictured(wanted.chosen),
        stages=[*stages(bundle, test, shown.withheld), *ran],
        split=audit.split,
        audit=audit.to_json(),
        provenance=_record(bundle, test, audit, wanted),
        verdicts=verdicts(wanted.bounds, measures.named),
        others=_others(test, found.others),
        assisted=assisted(test, found),
        validation=_of_validation(bundle, test),
        history=history_in(bundle.path / "history.csv"),
        confidential=shown.confidential,
        folds=len(set(test.folds.values())),
    )


def _of_validation(bundle: Bundle, test: Tested) -> str:
    seen = sum(was_trained_on(bundle, row.key) for row in test.validation)
    return of_validation(
        cells=len(test.validation),
        seen=seen,
        learnt=bundle.card["result"]["validation_macro_f1"] is None,
        linear=bundle.is_linear,
    )


def _controls(test: Tested, model: Classified, seed: int, reporter: Reporter) -> list[Control]:
    train = [row for row in test.parts["train"] if row.label in test.labels]
    if test.folds:
        # Each fold is held against the others: labels that a model helped with are in none.
        train = list(test.known)
    with reporter.progress("fit controls", len(train) + len(test.known)) as advance:
        trained, seen = (looks(_read(test, rows, advance)) for rows in (train, test.known))
    return controls(Trained(train, test.truth(train), trained), test.known, seen, model, seed)


def _read(test: Tested, rows: Sequence[Row], advance: Any) -> Iterator[npt.NDArray[np.uint8]]:
    for row in rows:
        yield test.reader(row)
        advance(1)


def _others(test: Tested, probabilities: npt.NDArray[np.float32]) -> dict[str, dict[str, int]]:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row, index in zip(test.others, called(probabilities), strict=True):
        seen[row.label][test.labels[index]] += 1
    return {label: dict(seen[label]) for label in sorted(seen)}


def _record(bundle: Bundle, test: Tested, audit: Audit, wanted: _Wanted) -> dict[str, Any]:
    asked = [f"{own.name} {'>=' if own.is_least else '<='} {own.limit:g}" for own in wanted.bounds]
    prevalence = [f"{label} {share:g}" for label, share in wanted.prevalence.items()]
    return provenance.record(
        "evaluate",
        {
            "model": bundle.bundle_id,
            "decision": "highest probability",
            "bounds": asked,
            "prevalence": prevalence,
        },
        counts=counts(test),
        inputs=audit.inputs,
        seed=wanted.seed,
    )
