"""Whether a data set and its split can give honest figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pycyto import files, provenance
from pycyto.datasets.audit_page import Picture, as_html
from pycyto.datasets.findings import Audit, Finding, in_order
from pycyto.datasets.leaks import leaks
from pycyto.datasets.near import NearPair, near_finding, near_pairs
from pycyto.datasets.soundness import BY_HAND, soundness
from pycyto.datasets.summary import summary
from pycyto.errors import BadInputError, RefusedError
from pycyto.images.patches import read_patch
from pycyto.images.pictures import data_uri
from pycyto.labels import SCHEMES, counted
from pycyto.manifest import Row, read_manifest
from pycyto.parts import (
    FOLDS_FILE,
    NO_FOLD,
    SPLIT_FILE,
    dealt_out,
    read_folds,
    read_parts,
    rows_by_fold,
)
from pycyto.pseudonyms import pseudonyms_of
from pycyto.records import SILENT, CellKey, Reporter, path_from
from pycyto.steps.thumbnails import Found, thumbnails_of

FOLDER = "audit"
REPORT_FILE, FINDINGS_FILE, CACHE_FILE = "index.html", "audit.json", "thumbnails.npz"

# Pairs in a report: enough to see what they are, few enough to look through.
_PAIRS = 60
_BROKEN = "patch that cannot be used"


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What an audit found.

    Attributes
    ----------
    pairs
        Near-identical patches of different parts, the most alike first.
    report
        The HTML page; ``audit.json`` is beside it.
    """

    audit: Audit
    pairs: Sequence[NearPair]
    report: Path


def audit(data: Path | str, *, fold: int | None = None, reporter: Reporter = SILENT) -> AuditResult:
    """Look for everything that would make figures flatter than they are, and write a report.

    Every patch is read. The report and ``audit.json``, which names the culprits,
    are in ``audit/`` in the data set's folder.

    Parameters
    ----------
    data
        Folder with ``manifest.csv`` and ``split.csv``.
    fold
        Audit the parts of this fold instead of the split; 0 for all folds, each a part.

    Raises
    ------
    BadInputError
        No manifest or split, cells without a part, or patches that cannot be used.
    RefusedError
        Something that would make figures false. The report is written all the same.
    """
    data = path_from(data)
    found, pairs = _look(data, fold, reporter, anew=True)
    folder = data / FOLDER
    hide = pseudonyms_of(data, reporter).hide
    shown = [_picture(data, pair, hide) for pair in pairs[:_PAIRS]]
    files.write_text(folder / REPORT_FILE, as_html(found, shown, len(pairs)))
    files.write_json(folder / FINDINGS_FILE, found.to_json(culprits=True))
    reporter.say(f"Report: {folder / REPORT_FILE}")
    _demand(found, data)
    return AuditResult(found, pairs, folder / REPORT_FILE)


def honest(data: Path, fold: int | None, reporter: Reporter) -> Audit:
    """Audit a data set before something is learnt or measured on it.

    Patches whose thumbnail is known are not read again: whoever uses them will
    check them. No report is written.

    Raises
    ------
    BadInputError, RefusedError
        As `audit`, with what failed and where.
    """
    found, _ = _look(data, fold, reporter, anew=False)
    _demand(found, data)
    return found


def _look(
    data: Path, fold: int | None, reporter: Reporter, *, anew: bool
) -> tuple[Audit, list[NearPair]]:
    """Audit a data set, and tell what was found."""
    rows, split = read_manifest(data), read_parts(data, fold)
    parts = dealt_out(data, rows, split, fold)
    if fold == NO_FOLD:
        parts = rows_by_fold(rows, read_folds(data))
    labelled = [row for own in parts.values() for row in own]
    looks = thumbnails_of(data, labelled, data / FOLDER / CACHE_FILE, reporter, anew=anew)
    pairs = near_pairs(
        {
            part: [(row, seen) for row in own if isinstance(seen := looks[row.key], np.ndarray)]
            for part, own in parts.items()
        }
    )
    step, file = ("split", SPLIT_FILE) if fold is None else ("folds", FOLDS_FILE)
    record = provenance.records_in(data).get(step, {})
    findings = [
        *leaks(parts),
        *_broken(labelled, looks),
        *near_finding(pairs),
        *soundness(rows, parts, split, record),
    ]
    inputs = {name: files.sha256_of(data / name) for name in ("manifest.csv", file)}
    found = Audit(in_order(findings), _split_of(parts), inputs)
    _say(found, reporter)
    return found, pairs


def _demand(found: Audit, data: Path) -> None:
    """Raise an error that names what failed and where."""
    failures = found.of("failure")
    if not failures:
        return
    told = "\n".join(failure.told() for failure in failures)
    if all(failure.check in (_BROKEN, BY_HAND) for failure in failures):
        raise BadInputError(f"The audit failed.\n{told}", where=data)
    raise RefusedError(f"The audit failed.\n{told}", where=data)


def _broken(rows: Sequence[Row], looks: Mapping[CellKey, Found]) -> Iterator[Finding]:
    """Yield one finding for each thing that is wrong with patches."""
    causes: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        error = looks[row.key]
        if isinstance(error, BadInputError):
            causes.setdefault((error.what, error.remedy or ""), []).append(row)
    for (what, remedy), own in causes.items():
        files_named = tuple(row.file for row in own)
        told = f"{counted(len(own), 'cell')} without a usable patch. {what}"
        yield Finding(_BROKEN, "failure", told, len(own), remedy, files_named)


def _split_of(parts: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    labelled = [row for own in parts.values() for row in own]
    part_of = {row.key: part for part, own in parts.items() for row in own}
    scheme = SCHEMES.get(labelled[0].scheme) if labelled else None
    return summary(labelled, part_of, scheme.names if scheme else (), list(parts)).to_json()


def _say(found: Audit, reporter: Reporter) -> None:
    for finding in found.of("warning"):
        reporter.warn(finding.told())
    for finding in found.of("note"):
        reporter.say(finding.told())
    failed, warned = len(found.of("failure")), len(found.of("warning"))
    told = f"{counted(failed, 'failure')} and {counted(warned, 'warning')}"
    reporter.say(f"Audit: {told if failed or warned else 'nothing against this split'}.")


def _picture(data: Path, pair: NearPair, hide: Callable[[Row], Row]) -> Picture:
    """Return a pair as the report shows it, images under pseudonyms."""
    one, other = hide(pair.one), hide(pair.other)
    return Picture(
        pictures=tuple(data_uri(read_patch(data, row)) for row in (pair.one, pair.other)),
        captions=tuple(
            f"{part}, {row.label}, {row.image_name}"
            for part, row in zip(pair.parts, (one, other), strict=True)
        ),
        correlation=pair.correlation,
    )
