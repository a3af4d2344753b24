"""How a model does on sources, scanners, sites or preparations that it has not learnt from."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from pycyto import files, provenance
from pycyto.errors import BadInputError, UsageError
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.cross_domain_page import as_html
from pycyto.evaluation.intervals import resampling
from pycyto.evaluation.matrix import SCHEMA, Field, Matrix, field_of
from pycyto.evaluation.report import NOTICE
from pycyto.evaluation.words import between, number
from pycyto.images.colour import Kind, Method
from pycyto.labels import listed
from pycyto.learning.augmentation import Named
from pycyto.learning.bundle import load_bundle
from pycyto.learning.remembering import Remembering
from pycyto.learning.sampling import Balance
from pycyto.learning.thawing import Unfrozen
from pycyto.learning.weights import IMAGENET, NONE
from pycyto.manifest import UNKNOWN, Row, read_manifest
from pycyto.parts import PARTS, dealt_out, read_split
from pycyto.pseudonyms import pseudonyms_of
from pycyto.records import SILENT, CellKey, Reporter, path_from
from pycyto.steps.scored import Floats, classified_rows, read_scores, write_scores
from pycyto.steps.study_file import NO_COLOUR, By
from pycyto.steps.study_stages import Stage, Stages
from pycyto.steps.subset import write_subset
from pycyto.steps.train import train

ALL, ALL_BUT = "all", "all but "
REPORT_FILE, FIGURES_FILE = "index.html", "cross_domain.json"
# Options that hold paths.
_PLACES = ("cache", "weights", "reference")
_SCORES_FILE, _REASON_FILE = "scores.csv", "reason.json"


@dataclass(frozen=True, slots=True)
class CrossDomainResult:
    """What came of it.

    Attributes
    ----------
    matrices
        One for each way to treat colours.
    """

    report: Path
    figures: Path
    matrices: Sequence[Matrix]


@dataclass(frozen=True, slots=True)
class _Data:
    """A split data set and its domains.

    Attributes
    ----------
    domain
        Of each row, by cell key.
    """

    folder: Path
    rows: Sequence[Row]
    split: Mapping[CellKey, str]
    parts: Mapping[str, Sequence[Row]]
    domain: Mapping[CellKey, str]

    @property
    def domains(self) -> list[str]:
        """All that there are, the largest first."""
        names = [self.domain[row.key] for row in self.rows if row.label]
        return sorted(set(names), key=lambda name: (-names.count(name), name))

    def classes(self, part: str, domains: Sequence[str]) -> set[str]:
        """Return the classes that a part of some domains has."""
        return {row.label for row in self.parts[part] if self.domain[row.key] in domains}


def cross_domain(  # noqa: PLR0913  (each is an option of the command)
    data: Path | str,
    *,
    by: By = "source",
    out: Path | str,
    group: Mapping[str, Sequence[str]] | None = None,
    colour: Sequence[Method] = (NO_COLOUR,),
    stats: Kind = "slide",
    reference: Path | str | None = None,
    network: str = "small",
    weights: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    unfreeze: Unfrozen | None = None,
    views: int | None = None,
    balance: Balance = "weights",
    augmentation: Named = "standard",
    label_smoothing: float = 0.0,
    orientations: int = 1,
    cache: Path | str | None = None,
    identifiers: bool = False,
    reporter: Reporter = SILENT,
) -> CrossDomainResult:
    """Train on each domain of a data set, on all, and on all but one; test on each.

    Cells of the data set's own test part are tested on, and never learnt from. The epoch that is
    kept is chosen by validation cells of the domains that are learnt from. What was done before
    an interruption is kept.

    Parameters
    ----------
    data
        Folder with ``manifest.csv`` and ``split.csv``.
    by
        What a domain is: ``source``, ``scanner``, ``site`` or ``preparation``.
    out
        Folder of the report, the figures, and the probabilities that they come of.
    group
        Names for several domains together, which are learnt from and tested on as well.
    colour
        The matrix is made once with each: ``none``, ``reinhard``.
    stats, reference
        As of `pycyto.train`, where colours are normalised. Without a reference the target is
        that of what is learnt from.
    network, weights, epochs, batch_size, seed, unfreeze, views, balance, augmentation, \
    label_smoothing, orientations, cache
        As of `pycyto.train`; all trainings have the same.
    identifiers
        Call sites by their names rather than by pseudonyms; sources always have their names.

    Raises
    ------
    UsageError
        A group of a domain that is not there, or options that do not fit together.
    BadInputError
        No split, or fewer than two domains.
    """
    if by not in get_args(By):
        raise UsageError(f"--by is {by!r}; it can be {listed(get_args(By))}.")
    folder, target = path_from(data), path_from(out)
    found = _read(folder, by, reporter, identifiers=identifiers)
    trainings = _trainings(found.domains, group or {}, folder)
    tests = {name: own for name, own in trainings.items() if not name.startswith(ALL_BUT)}
    options: dict[str, Any] = {
        "network": network, "weights": weights, "epochs": epochs, "batch_size": batch_size,
        "seed": seed, "unfreeze": unfreeze, "views": views, "balance": balance,
        "augmentation": augmentation, "label_smoothing": label_smoothing,
        "orientations": orientations, "cache": cache,
    }  # fmt: skip
    colours: dict[str, Any] = {"stats": stats, "reference": reference}
    work = _Work(
        found, options, colours, Stages(target / "trainings", reporter), Remembering(), reporter
    )
    matrices = [_matrix(work, trainings, tests, one) for one in colour]
    record = _record(work, by, group or {}, colour)
    files.write_json(
        target / FIGURES_FILE,
        {
            "schema": SCHEMA,
            "kind": "pycyto cross-domain",
            "notice": NOTICE,
            "by": by,
            "matrices": [own.to_json() for own in matrices],
            "provenance": record,
        },
    )
    files.write_text(target / REPORT_FILE, as_html(matrices, by, record))
    _say(matrices, target, reporter)
    return CrossDomainResult(target / REPORT_FILE, target / FIGURES_FILE, matrices)


def _read(folder: Path, by: By, reporter: Reporter, *, identifiers: bool) -> _Data:
    rows, split = read_manifest(folder), read_split(folder)
    parts = dealt_out(folder, rows, split)
    names = {row.key: getattr(row, by) or UNKNOWN for row in rows}
    if by == "site" and not identifiers:
        hide = pseudonyms_of(folder, reporter)
        told = {name: hide.of("site", name) for name in set(names.values())}
        for name, pseudonym in sorted(told.items()):
            if name != UNKNOWN:
                reporter.say(f"In the report {pseudonym} stands for {name}.")
        names = {key: told[name] for key, name in names.items()}
    found = _Data(folder, rows, split, parts, names)
    if len(found.domains) < 2:
        raise BadInputError(
            f"All cells are of one {by} ({listed(found.domains)}): there is nothing to compare.",
            where=folder / "manifest.csv",
            remedy="Merge data sets of several, or name another --by.",
        )
    return found


def _trainings(
    domains: Sequence[str], groups: Mapping[str, Sequence[str]], folder: Path
) -> dict[str, tuple[str, ...]]:
    """Return what is learnt from, by name; no set of domains twice."""
    wanted: dict[str, tuple[str, ...]] = {name: (name,) for name in domains}
    for name, members in groups.items():
        missing = sorted(set(members) - set(domains))
        if missing or not members:
            raise UsageError(
                f"The group {name!r} names {listed(missing) or 'nothing'}, which is not there.",
                where=folder,
                remedy=f"There are {listed(domains)}.",
            )
        if name in wanted or name == ALL:
            raise UsageError(f"The group {name!r} is called as a domain is.")
        wanted[name] = tuple(own for own in domains if own in members)
    wanted[ALL] = tuple(domains)
    for left_out in domains:
        rest = tuple(name for name in domains if name != left_out)
        wanted[ALL_BUT + left_out] = rest
    # Later names give way to earlier ones, but a group that is everything is called all.
    names = {own: name for name, own in reversed(wanted.items())} | {tuple(domains): ALL}
    return {name: own for name, own in wanted.items() if names[own] == name}


@dataclass(frozen=True, slots=True)
class _Work:
    """What all trainings have in common.

    Attributes
    ----------
    seen
        What a frozen backbone saw of the tested cells: the same for all trainings.
    """

    data: _Data
    options: Mapping[str, Any]
    colours: Mapping[str, Any]
    stages: Stages
    seen: Remembering
    reporter: Reporter


def _matrix(
    work: _Work,
    trainings: Mapping[str, Sequence[str]],
    tests: Mapping[str, Sequence[str]],
    colour: str,
) -> Matrix:
    found: dict[tuple[str, str], Field] = {}
    failed: dict[str, str] = {}
    for name, domains in trainings.items():
        stage = _training(work, name, domains, colour)
        if (stage.folder / _REASON_FILE).exists():
            failed[name] = str(files.read_json(stage.folder / _REASON_FILE)["reason"])
            continue
        labels, scores = read_scores(stage.folder / _SCORES_FILE)
        for test, tested in tests.items():
            own = _field(work, (labels, scores), (name, domains), (test, tested))
            if own is not None:
                found[name, test] = own
    return Matrix(colour, dict(trainings), list(tests), found, failed)


def _training(work: _Work, name: str, domains: Sequence[str], colour: str) -> Stage:
    """Return the stage that holds what a training says of all tested cells."""
    # A temperature takes time, and changes no class that is called.
    options = {**work.options, "calibrate": "none"}
    if colour != NO_COLOUR:
        options |= {"colour": colour, **work.colours}
    data = work.data.folder
    inputs = {file: files.sha256_of(data / file) for file in ("manifest.csv", "split.csv")}
    digest = hashlib.sha256(f"{colour} {name}".encode()).hexdigest()[:8]
    work.reporter.say(f"Learns from {name} (colour {colour}).")

    def make(folder: Path) -> str:
        return _make(work, domains, options, folder)

    # Where files are does not change what comes of it; what is in them does.
    own = {key: value for key, value in options.items() if key not in _PLACES}
    for key in ("weights", "reference"):
        if options.get(key) and Path(options[key]).is_file():
            inputs[key] = files.sha256_of(Path(options[key]))
    return work.stages.run(digest, {"domains": domains, "training": own}, inputs, make)


def _make(work: _Work, domains: Sequence[str], options: Mapping[str, Any], folder: Path) -> str:
    """Train on some domains, and keep what the model says of the tested cells of all."""
    data = work.data
    rows = [row for row in data.rows if data.domain[row.key] in domains]
    with tempfile.TemporaryDirectory(prefix="pycyto-", dir=folder) as temporary:
        subset, model = Path(temporary) / "data", Path(temporary) / "model"
        write_subset(data.folder, rows, data.split, subset)
        try:
            train(subset, out=model, reporter=work.reporter, **options)
        except BadInputError as error:
            # One domain may lack cells for a training; the others still tell something.
            work.reporter.warn(f"No training: {error.what}")
            files.write_json(folder / _REASON_FILE, {"reason": error.what})
            return error.what
        bundle = load_bundle(model)
        known = [row for row in data.parts["test"] if row.label in bundle.labels]
        engine = work.seen.engine(bundle)
        found, _ = classified_rows(bundle, data.folder, known, work.reporter, engine)
    write_scores(folder / _SCORES_FILE, bundle.labels, known, found)
    return files.sha256_of(folder / _SCORES_FILE)


def _field(
    work: _Work,
    said: tuple[tuple[str, ...], Mapping[CellKey, Floats]],
    trained: tuple[str, Sequence[str]],
    tested: tuple[str, Sequence[str]],
) -> Field | None:
    """Return a training on the test part of some domains; None where no class is shared."""
    data, (labels, scores) = work.data, said
    rows = [
        row for row in data.parts["test"] if data.domain[row.key] in tested[1] and row.key in scores
    ]
    shared = data.classes("train", trained[1]) & data.classes("test", tested[1])
    if not any(row.label in shared for row in rows):
        return None
    cells = Classified(
        np.array([labels.index(row.label) for row in rows], np.int64),
        np.stack([scores[row.key] for row in rows]),
        labels,
        resampling([row.group for row in rows], int(work.options["seed"])),
    )
    others = Counter(
        row.label
        for row in data.parts["test"]
        if data.domain[row.key] in tested[1] and row.label not in labels
    )
    inside = set(tested[1]) <= set(trained[1])
    return field_of(trained[0], tested[0], cells, shared, others, inside=inside)


def _record(
    work: _Work, by: By, groups: Mapping[str, Sequence[str]], colour: Sequence[str]
) -> dict[str, Any]:
    """Return the record; paths stay out of it, since they hold names."""
    data = work.data
    weights = work.options["weights"]
    options = {key: value for key, value in work.options.items() if key != "cache"}
    named = weights if weights in (None, NONE, IMAGENET) else "a file"
    return provenance.record(
        "cross-domain",
        {
            "by": by,
            "groups": [f"{name}={','.join(own)}" for name, own in groups.items()],
            "colour": list(colour),
            "stats": work.colours["stats"],
            **options,
            "weights": named,
        },
        counts={part: len(data.parts[part]) for part in PARTS},
        inputs={
            file: files.sha256_of(data.folder / file) for file in ("manifest.csv", "split.csv")
        },
        seed=int(work.options["seed"]),
    )


def _say(matrices: Sequence[Matrix], target: Path, reporter: Reporter) -> None:
    for matrix in matrices:
        reporter.say(f"Macro-F1, colour {matrix.colour} (rows: learnt from, columns: tested on):")
        width = max(map(len, (*matrix.trained, *matrix.tested)))
        reporter.say("  ".join(["".ljust(width), *(name.rjust(8) for name in matrix.tested)]))
        for name in matrix.trained:
            texts = [_told(matrix.fields.get((name, test))) for test in matrix.tested]
            reporter.say("  ".join([name.ljust(width), *texts]))
        for own in matrix.drops:
            reporter.say(
                f"{own.trained}: lower by {number(own.drop)} ({between(own.drop)}) outside."
            )
    reporter.say(f"Report: {target / REPORT_FILE}. {NOTICE}")


def _told(field: Field | None) -> str:
    return "-".rjust(8) if field is None else number(field.macro_f1).rjust(8)
