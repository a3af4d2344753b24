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
from pycyto.evaluation.words import lost, lost_between, number
from pycyto.images.colour import NO_COLOUR, Kind, Method
from pycyto.labels import listed, scheme_named
from pycyto.learning.augmentation import Named
from pycyto.learning.bundle import load_bundle
from pycyto.learning.feature_cache import default_folder
from pycyto.learning.sampling import Balance
from pycyto.learning.thawing import Unfrozen
from pycyto.learning.weights import IMAGENET, NONE
from pycyto.parts import PARTS
from pycyto.records import SILENT, CellKey, Reporter, path_from
from pycyto.steps.colours import colour_for
from pycyto.steps.domains import ALL_BUT, By, Domains, Round, read_domains, trainings_of
from pycyto.steps.profiles import icc_of
from pycyto.steps.report_folder import check_report_folder
from pycyto.steps.scored import Floats, answered_rows, joined, read_scores, write_scores
from pycyto.steps.study_log import Once
from pycyto.steps.study_stages import Stage, Stages
from pycyto.steps.subset import write_subset
from pycyto.steps.train import train

REPORT_FILE, FIGURES_FILE = "index.html", "cross_domain.json"
# Options that hold paths.
_PLACES = ("cache", "weights", "reference")
_SCORES_FILE = "scores.csv"


@dataclass(frozen=True, slots=True)
class CrossDomainResult:
    """What came of it.

    Attributes
    ----------
    network
        That learnt for it.
    matrices
        One for each way to treat colours.
    """

    report: Path
    figures: Path
    network: str
    matrices: Sequence[Matrix]


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
    folds: bool = False,
    identifiers: bool = False,
    reporter: Reporter = SILENT,
) -> CrossDomainResult:
    """Train on each domain of a data set, on all, and on all but one; test on each.

    Cells of the data set's own test part are tested on, and never learnt from. The epoch that is
    kept is chosen by validation cells of the domains that are learnt from. With `folds` all cells
    are tested on, each by a model that has not learnt from its fold, and no epoch is chosen. What
    was done before an interruption is kept.

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
    folds
        Go by ``folds.csv`` instead of ``split.csv``. What colours are brought to is then counted
        over all folds of what is learnt from.
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
    reporter = Once(reporter)
    found = read_domains(path_from(data), by, reporter, folds=folds, identifiers=identifiers)
    options: dict[str, Any] = {
        "network": network, "weights": weights, "epochs": epochs, "batch_size": batch_size,
        "seed": seed, "unfreeze": unfreeze, "views": views, "balance": balance,
        "augmentation": augmentation, "label_smoothing": label_smoothing,
        "orientations": orientations, "cache": cache,
    }  # fmt: skip
    return compare(
        found, out=path_from(out), group=group or {}, colour=colour, stats=stats,
        reference=reference, options=options, reporter=reporter,
    )  # fmt: skip


def compare(
    found: Domains,
    *,
    out: Path,
    group: Mapping[str, Sequence[str]],
    colour: Sequence[Method],
    stats: Kind,
    reference: Path | str | None,
    options: Mapping[str, Any],
    reporter: Reporter,
) -> CrossDomainResult:
    """Train and test on domains that were read, and write the report.

    Parameters
    ----------
    out, group, colour, stats, reference
        As of `cross_domain`.
    options
        Of all trainings.

    Raises
    ------
    UsageError, BadInputError
        As `cross_domain`.
    """
    by = found.by
    check_report_folder(out, FIGURES_FILE)
    trainings = trainings_of(found.domains, group, found.folder)
    tests = {name: own for name, own in trainings.items() if not name.startswith(ALL_BUT)}
    colours: dict[str, Any] = {"stats": stats, "reference": reference}
    work = _Work(found, options, colours, Stages(out / "trainings", reporter), reporter)
    matrices = [_matrix(work, trainings, tests, one) for one in colour]
    record = _record(work, by, group, colour)
    files.write_json(
        out / FIGURES_FILE,
        {
            "schema": SCHEMA,
            "kind": "pycyto cross-domain",
            "notice": NOTICE,
            "by": by,
            "matrices": [own.to_json() for own in matrices],
            "provenance": record,
        },
    )
    files.write_text(out / REPORT_FILE, as_html(matrices, by, record))
    _say(matrices, out, reporter)
    network = str(options["network"])
    return CrossDomainResult(out / REPORT_FILE, out / FIGURES_FILE, network, matrices)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all trainings have in common."""

    data: Domains
    options: Mapping[str, Any]
    colours: Mapping[str, Any]
    stages: Stages
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
        try:
            stage = _training(work, name, domains, colour)
        except BadInputError as error:
            # One domain may lack cells for a training; the others still tell something.
            work.reporter.warn(f"No training: {error.what}")
            failed[name] = error.what
            continue
        labels, scores = read_scores(stage.folder / _SCORES_FILE)
        for test, tested in tests.items():
            own = _field(work, (labels, scores), (name, domains), (test, tested))
            if own is not None:
                found[name, test] = own
    if not found:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failed.items())
        raise BadInputError(
            f"No training could be made, or none could be tested:\n{reasons}".rstrip(),
            where=work.data.folder,
        )
    return Matrix(colour, dict(trainings), list(tests), found, failed)


def _training(work: _Work, name: str, domains: Sequence[str], colour: str) -> Stage:
    """Return the stage that holds what a training says of all tested cells."""
    # A temperature takes time, and changes no class that is called.
    options = {**work.options, "calibrate": "none"}
    if colour != NO_COLOUR:
        options |= {"colour": colour, **work.colours}
    data = work.data.folder
    inputs = {file: files.sha256_of(data / file) for file in work.data.files}
    digest = hashlib.sha256(f"{colour} {name}".encode()).hexdigest()[:8]

    def make(folder: Path, reporter: Reporter) -> str:
        return _make(work, domains, options, folder, reporter)

    # Where files are does not change what comes of it; what is in them does.
    own = {key: value for key, value in options.items() if key not in _PLACES}
    for key in ("weights", "reference"):
        if options.get(key) and Path(options[key]).is_file():
            inputs[key] = files.sha256_of(Path(options[key]))
    title = f"Learning from {name}" + (f", colour {colour}" if colour != NO_COLOUR else "")
    settings = {"domains": domains, "training": own}
    return work.stages.run(digest, settings, inputs, make, title=title)


def _make(
    work: _Work,
    domains: Sequence[str],
    options: Mapping[str, Any],
    folder: Path,
    reporter: Reporter,
) -> str:
    """Train on some domains, and keep what the model says of the tested cells of all."""
    data = work.data
    if "colour" in options:
        options = _coloured(work, domains, options, reporter)
    said = [_round(work, own, domains, options, folder, reporter) for own in data.rounds]
    labels, scores = joined(said, scheme_named(data.parts["test"][0].scheme).names)
    known = [row for row in data.parts["test"] if row.label in labels]
    found = np.array([scores[row.key] for row in known], np.float32).reshape(-1, len(labels))
    write_scores(folder / _SCORES_FILE, labels, known, found)
    return files.sha256_of(folder / _SCORES_FILE)


def _coloured(
    work: _Work, domains: Sequence[str], options: Mapping[str, Any], reporter: Reporter
) -> Mapping[str, Any]:
    """Fix the target of colours for all rounds: no label of a cell has a say in it."""
    data = work.data
    rows = [row for row in data.parts["train"] if data.domain[row.key] in domains]
    asked = dict(options)
    stats, reference = asked.pop("stats"), asked.pop("reference")
    colour = colour_for(
        rows, data.folder, asked["colour"], stats, reference, reporter,
        icc=icc_of(data.folder),
    )  # fmt: skip
    return {**asked, "colour": colour}


def _round(
    work: _Work,
    own: Round,
    domains: Sequence[str],
    options: Mapping[str, Any],
    folder: Path,
    reporter: Reporter,
) -> tuple[tuple[str, ...], dict[CellKey, Floats]]:
    """Train once, and return what the model says of the tested cells of the round."""
    data = work.data
    rows = [row for row in data.rows if data.domain[row.key] in domains and row.key in own.part]
    with tempfile.TemporaryDirectory(prefix="pycyto-", dir=folder) as temporary:
        subset, model = Path(temporary) / "data", Path(temporary) / "model"
        write_subset(data.folder, rows, own.part, subset)
        train(subset, out=model, validate=own.validate, reporter=reporter, **options)
        bundle = load_bundle(model)
        cache = Path(options.get("cache") or default_folder())
        found = answered_rows(bundle, data.folder, own.tested, cache, reporter)
    keys = [row.key for row in own.tested]
    return bundle.labels, dict(zip(keys, found, strict=True))


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
        inputs={file: files.sha256_of(data.folder / file) for file in data.files},
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
            told = f"{lost(own.drop)} ({lost_between(own.drop)})"
            reporter.say(f"Learnt from {own.trained}: {told} outside.")
    reporter.say(f"Report: {target / REPORT_FILE}. {NOTICE}")


def _told(field: Field | None) -> str:
    return "-".rjust(8) if field is None else number(field.macro_f1).rjust(8)
