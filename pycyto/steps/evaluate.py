"""How good a model is on cells that it has never seen."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto import files, provenance
from pycyto.datasets.findings import Audit
from pycyto.datasets.summary import summary
from pycyto.errors import BadInputError
from pycyto.evaluation import controls
from pycyto.evaluation.domains import by_domain
from pycyto.evaluation.metrics import Figures, called, score
from pycyto.evaluation.report import Report, as_html, as_json
from pycyto.evaluation.stages import Stage, stage
from pycyto.evaluation.undercalls import Undercall, describe, worst
from pycyto.images.patches import read_patch
from pycyto.labels import scheme_named
from pycyto.learning.bundle import Bundle, load_bundle
from pycyto.learning.inference import classify
from pycyto.manifest import UNKNOWN, Row
from pycyto.parts import PARTS
from pycyto.pseudonyms import NAMES, pseudonyms_of
from pycyto.records import SILENT, Reporter, path_from
from pycyto.steps.audit import honest
from pycyto.steps.tested import Tested, tested

REPORT_FILE = "index.html"
METRICS_FILE = "metrics.json"

# Pictures in a report: enough to see what goes wrong, few enough to mail it.
_PICTURES = 24


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
        Whether macro-F1 is above that of every control.
    """

    report: Path
    metrics: Path
    figures: Figures
    groups: Mapping[str, int]
    others: Mapping[str, Mapping[str, int]]
    beats_controls: bool


def evaluate(
    data: Path | str,
    *,
    model: Path | str,
    out: Path | str,
    run: Path | str | None = None,
    seed: int = 0,
    fold: int | None = None,
    identifiers: bool = False,
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
        Of the controls.
    fold
        Test on this fold of ``folds.csv`` instead of the split's test part.
    identifiers
        Name images, sources and sites in the report instead of pseudonyms; it
        is then confidential and says so.

    Raises
    ------
    BadInputError
        No cell to test on, or patches at another resolution than the model's.
    RefusedError
        The model was trained on a tested cell, or on one of the same patient,
        slide or image; or the audit of the data set failed.
    """
    data, out = path_from(data), path_from(out)
    bundle = load_bundle(path_from(model))
    audit = honest(data, fold, reporter)
    test = tested(data, bundle, fold)
    shown = _shown(test, reporter, identifiers=identifiers)
    ran = _stage_of_run(path_from(run), shown.withheld) if run is not None else []
    probabilities = _classified(bundle, test, reporter)
    report = _report(bundle, test, audit, shown, probabilities, seed, ran, reporter)
    content = as_json(report)
    files.write_text(out / REPORT_FILE, as_html(report))
    files.write_json(out / METRICS_FILE, content)
    for sentence in (*content["summary"], *content["beside_controls"]):
        reporter.say(sentence)
    _say_names(test, shown, reporter)
    reporter.say(f"Report: {out / REPORT_FILE}. {content['notice']}")
    return EvaluateResult(
        out / REPORT_FILE,
        out / METRICS_FILE,
        report.figures,
        report.groups,
        report.others,
        content["beats_every_control"],
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the report may show.

    Attributes
    ----------
    rows
        The known cells, with pseudonyms unless names were asked for.
    withheld
        Names that no count may be filed under.
    """

    rows: Sequence[Row]
    withheld: frozenset[str]
    confidential: bool


def _shown(test: Tested, reporter: Reporter, *, identifiers: bool) -> _Shown:
    if identifiers:
        return _Shown(test.known, frozenset(), confidential=True)
    pseudonyms = pseudonyms_of(test.folder, reporter)
    rows = [pseudonyms.hide(row) for row in test.known]
    return _Shown(rows, _names_in(test.rows), confidential=False)


def _names_in(rows: Sequence[Row]) -> frozenset[str]:
    columns = (*NAMES, "file", "entry_id")
    return frozenset(getattr(row, name) for row in rows for name in columns) - {"", UNKNOWN}


def _say_names(test: Tested, shown: _Shown, reporter: Reporter) -> None:
    """Tell the user, and nobody else, what the pseudonyms of the report's tables stand for."""
    if shown.confidential:
        return
    found = {
        getattr(hidden, column): getattr(named, column)
        for named, hidden in zip(test.known, shown.rows, strict=True)
        for column in ("source", "site")
    }
    for pseudonym, name in sorted(found.items()):
        if pseudonym != UNKNOWN:
            reporter.say(f"In the report {pseudonym} stands for {name}.")


def _classified(bundle: Bundle, test: Tested, reporter: Reporter) -> npt.NDArray[np.float32]:
    """Return (known + others, k) probabilities, in that order."""
    rows = [*test.known, *test.others]
    with reporter.progress("classify test cells", len(rows)) as advance:
        patches = (read_patch(test.folder, row) for row in rows)
        found: npt.NDArray[np.float32] = classify(bundle, patches, advance=advance)
    return found


def _report(
    bundle: Bundle,
    test: Tested,
    audit: Audit,
    shown: _Shown,
    probabilities: npt.NDArray[np.float32],
    seed: int,
    ran: Sequence[Stage],
    reporter: Reporter,
) -> Report:
    labelled = [row for part in PARTS for row in test.parts[part]]
    split_of = {row.key: part for part in PARTS for row in test.parts[part]}
    ours, theirs = np.split(probabilities, [len(test.known)])
    truth = test.truth(test.known)
    names = [test.group(row).name for row in test.known]
    return Report(
        figures=score(truth, ours, test.labels),
        groups=test.levels,
        class_groups=_class_groups(test),
        model={
            "id": bundle.bundle_id,
            "network": bundle.network,
            "scheme": bundle.scheme,
            "resolution": str(bundle.resolution),
        },
        controls=_controls(test, seed, reporter),
        domains=by_domain(shown.rows, names, truth, ours, test.labels),
        undercalls=_undercalls(test, shown, truth, ours),
        stages=[*_stages(bundle, test, shown.withheld), *ran],
        split=summary(labelled, split_of, scheme_named(bundle.scheme).names).to_json(),
        provenance=_record(bundle, test, audit, seed),
        others=_others(test, theirs),
        history=_history(bundle.path / "history.csv"),
        confidential=shown.confidential,
    )


def _class_groups(test: Tested) -> dict[str, int]:
    """Return from how many groups the tested cells of each class are."""
    found = {(row.label, test.group(row).name) for row in test.known}
    return {label: sum(own == label for own, _ in found) for label in test.labels}


def _controls(test: Tested, seed: int, reporter: Reporter) -> list[controls.Control]:
    labels = test.labels
    train = [row for row in test.parts["train"] if row.label in labels]
    trained, truth = test.truth(train), test.truth(test.known)
    with reporter.progress("fit controls", len(train) + len(test.known)) as advance:
        colours = [
            controls.mean_colours(_read(test.folder, rows, advance)) for rows in (train, test.known)
        ]
    sizes = [controls.outline_sizes(rows) for rows in (train, test.known)]
    return [
        controls.majority(trained, truth, labels),
        controls.colour((colours[0], trained), (colours[1], truth), labels, seed),
        controls.outline((sizes[0], trained), (sizes[1], truth), labels, seed),
    ]


def _read(folder: Path, rows: Sequence[Row], advance: Any) -> Iterator[npt.NDArray[np.uint8]]:
    for row in rows:
        yield read_patch(folder, row)
        advance(1)


def _undercalls(
    test: Tested,
    shown: _Shown,
    truth: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
) -> list[Undercall]:
    return [
        describe(
            shown.rows[index],
            read_patch(test.folder, test.known[index]),
            int(truth[index]),
            probabilities[index],
            test.labels,
        )
        for index in worst(truth, probabilities, _PICTURES)
    ]


def _others(test: Tested, probabilities: npt.NDArray[np.float32]) -> dict[str, dict[str, int]]:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row, index in zip(test.others, called(probabilities), strict=True):
        seen[row.label][test.labels[index]] += 1
    return {label: dict(seen[label]) for label in sorted(seen)}


def _stages(bundle: Bundle, test: Tested, names: frozenset[str]) -> list[Stage]:
    """Return the counts of every step so far that left any, none of them under a name."""
    records = provenance.records_in(test.folder)
    found = [stage(step, record.get("counts", {}), names) for step, record in records.items()]
    found.append(stage("train (this model)", bundle.card.get("counts", {}), names))
    return [*found, stage("evaluate", _counts(test), names)]


def _counts(test: Tested) -> dict[str, Any]:
    labelled = sum(map(len, test.parts.values()))
    skipped = {
        "no class": len(test.rows) - labelled,
        "not in the test part": labelled - len(test.parts["test"]),
        "class unknown to the model": len(test.others),
    }
    used = dict(Counter(row.label for row in test.known))
    return {"given": len(test.rows), "tested": used, "skipped": skipped}


def _stage_of_run(run: Path, names: frozenset[str]) -> list[Stage]:
    content = files.read_json(run / "run.json")
    counts = content.get("counts") if isinstance(content, dict) else None
    if not isinstance(counts, dict):
        raise BadInputError(
            "This run has no counts.",
            where=run / "run.json",
            remedy="Name a folder that pycyto predict has written.",
        )
    return [stage("predict (the run that was named)", counts, names)]


def _history(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return [dict(row) for row in csv.DictReader(stream)]


def _record(bundle: Bundle, test: Tested, audit: Audit, seed: int) -> dict[str, Any]:
    return provenance.record(
        "evaluate",
        {"model": bundle.bundle_id, "decision": "highest probability"},
        counts=_counts(test),
        inputs=audit.inputs,
        seed=seed,
    )
