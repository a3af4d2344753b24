"""From a split data set to a bundle."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pycyto import files, provenance
from pycyto.datasets.findings import Audit
from pycyto.errors import UsageError
from pycyto.images.colour import Colour, Kind, Method, reader_of
from pycyto.images.resolution import resolution_of
from pycyto.learning import feature_cache
from pycyto.learning.augmentation import Named, Views
from pycyto.learning.batches import PatchSet
from pycyto.learning.bundle import ORIENTATIONS
from pycyto.learning.calibrating import Calibrate, temperature_of
from pycyto.learning.checkpoint import Checkpoint, place_of
from pycyto.learning.contact_sheet import write_contact_sheet
from pycyto.learning.history import Training
from pycyto.learning.networks import Network, build, network_named
from pycyto.learning.plan import TrainingSettings, default_settings
from pycyto.learning.sampling import Balance
from pycyto.learning.saving import Description, check_place, save_bundle
from pycyto.learning.thawing import Unfrozen
from pycyto.learning.training import fit
from pycyto.learning.weights import IMAGENET, NONE, default_weights, origin_of
from pycyto.records import SILENT, Reporter, path_from
from pycyto.steps.audit import honest
from pycyto.steps.colours import colour_for, say_left
from pycyto.steps.profiles import icc_of
from pycyto.steps.training_cells import (
    USED,
    Counts,
    TrainingCells,
    say_cells,
    training_cells,
)


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training came to.

    Attributes
    ----------
    bundle
        Folder of the model.
    labels
        Its classes, the least severe first.
    counts
        Cells by part (train, validation) and class.
    skipped
        Cells that were left out, by reason: the unclassified ones of the data
        set, and those of these parts whose class is not in the scheme.
    best_epoch
        The epoch whose weights were kept.
    macro_f1
        Of the validation cells in that epoch. It chose the epoch, so it flatters. NaN without
        any.
    seconds
        For everything.
    """

    bundle: Path
    labels: tuple[str, ...]
    counts: Counts
    skipped: Mapping[str, int]
    best_epoch: int
    macro_f1: float
    seconds: float


def train(  # noqa: PLR0913  (each is an option of the command)
    data: Path | str,
    *,
    out: Path | str,
    network: str = "small",
    weights: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    fold: int | None = None,
    unfreeze: Unfrozen | None = None,
    views: int | None = None,
    balance: Balance = "weights",
    augmentation: Named = "standard",
    label_smoothing: float = 0.0,
    orientations: int = 1,
    colour: Method | Colour = "none",
    stats: Kind = "slide",
    reference: Path | str | None = None,
    calibrate: Calibrate | float = "temperature",
    validate: bool = True,
    contact_sheet: Path | str | None = None,
    cache: Path | str | None = None,
    restart: bool = False,
    licence: str = "",
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> TrainResult:
    """Train a classifier on the training part of a data set and write it as a bundle.

    The validation part chooses the epoch that is kept. The test part is not
    looked at. A training that was broken off goes on after its last finished
    epoch when it is started again, and ends with the very weights that it would
    have had.

    Parameters
    ----------
    data
        Folder with ``manifest.csv`` and ``split.csv``.
    out
        Folder of the bundle. It appears when everything is done.
    network
        small, mobilenetv2, mobilenetv2-multi, mobilenetv2-linear, mobilenetv2-far,
        resnet50, efficientnetb0 or vgg16.
    weights
        Where the network starts from: ``imagenet``, ``none`` or the path of a
        Keras weights file without top; by default ``none`` for small, else
        ``imagenet``.
    epochs
        Of each phase, at most.
    batch_size
        Patches per step; by default 32, and 8 from published weights.
    seed
        Of start values, order and augmentation.
    fold
        Learn from the parts of this fold of ``folds.csv`` instead of the split; 0 for all folds.
    unfreeze
        What of the backbone learns in the second phase: ``last block`` (the
        default), so many of its last layers, ``none``, or ``paper``: the last two
        layers that Keras lists, whether or not they have weights.
    views
        While the backbone is frozen, so many random views of each patch take
        turns, epoch by epoch; what the backbone sees in them is computed once.
    balance
        What makes rare classes count: ``weights`` in the loss, ``sources`` (such
        weights for each source by itself, all sources alike), ``oversample``,
        ``both`` or ``none``.
    augmentation
        ``standard`` (rotated by up to 15 degrees besides quarter turns), ``free``
        (by any angle) or ``none``. Validation patches are never changed.
    label_smoothing
        So much of the truth of a training patch, from 0 to 0.5, is shared out among
        all classes, so that the model is less sure.
    orientations
        The model answers with the mean over so many orientations of a patch: 1, 2, 4
        or 8. It learns in the same way.
    colour
        ``reinhard`` brings the colours of all patches to one target, here and wherever
        the model is used. Or what another model brought them to.
    stats
        Whose colours are brought there: those of each ``patch``, ``slide`` or ``source``.
    reference
        Image whose tissue is the target; by default the tissue of the training
        patches of the source that has most of them.
    calibrate
        ``temperature``: fit one number on the validation cells that makes the model
        as sure as it is right, all sources counting alike where `balance` is
        ``sources``, and keep it in the bundle. ``none``: leave its answers as they are.
        Or that number, fitted elsewhere on answers of models that learnt in the same way.
    validate
        Whether the validation part chooses the epoch. Else it is learnt from as well, and the
        mean of the weights over the last quarter of the epochs is kept.
    contact_sheet
        Write a PNG here of some patches and their views. It shows cells.
    cache
        Folder for what a frozen backbone sees; by default one in the user's own
        folder of caches.
    restart
        Begin anew where a training was broken off.
    licence
        Under which the model may be used, for its card.
    overwrite
        Replace a bundle that is there.

    Raises
    ------
    BadInputError
        A part is empty, a class of the validation part was never trained, the
        patches are at different resolutions, or one is not what it should be.
    RefusedError
        The audit of the data set failed, `out` is taken, or another training for
        it was broken off.
    UsageError
        Unknown network, or arguments that do not fit together.
    MissingDependencyError
        The ImageNet weights are neither here nor to be had.
    """
    started = time.monotonic()
    data, out = path_from(data), path_from(out)
    row = network_named(network)
    start = _start(weights or default_weights(row.name))
    settings = default_settings(
        pretrained=start != NONE,
        linear=row.is_linear,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        views=views,
        unfreeze=unfreeze,
        balance=balance,
        augmentation=augmentation,
        label_smoothing=label_smoothing,
    )
    _check_orientations(orientations)
    check_place(out, overwrite=overwrite)
    if restart:
        files.remove(place_of(out))
    audit = honest(data, fold, reporter)
    cells = training_cells(data, fold, validate=validate)
    say_cells(cells, reporter)
    icc = icc_of(data)
    normal = colour_for(cells.parts["train"], data, colour, stats, reference, reporter, icc=icc)
    reader = reader_of(data, normal, reporter)
    sets = [PatchSet(data, cells.parts[part], cells.labels, reader) for part in USED]
    if contact_sheet:
        write_contact_sheet(path_from(contact_sheet), sets[0], Views(settings.augmentation, seed))
    folder = path_from(cache) if cache else feature_cache.default_folder()
    options = _Options(
        row, start, settings, folder, fold, validate, orientations, normal, icc, calibrate,
        licence, overwrite,
    )  # fmt: skip
    training = _learn(sets, out, cells, audit, options, reporter)
    say_left(len(reader.left), reporter)
    seconds = time.monotonic() - started
    best = training.best
    kept = "Fitted" if row.is_linear else f"Kept epoch {best.epoch}"
    if validate:
        number = len(cells.parts["validation"])
        kept += f": macro-F1 {best.val_macro_f1:.3f} on {number} validation cells"
    elif not row.is_linear:
        averaged = settings.phases[-1].averaged
        kept = f"Kept the mean of the last {averaged} of {best.epoch} epochs"
    reporter.say(f"{kept}. {seconds:.0f} s. Research use only.")
    return TrainResult(
        out, cells.labels, cells.counts, cells.skipped, best.epoch, best.val_macro_f1, seconds
    )


@dataclass(frozen=True, slots=True)
class _Options:
    network: Network
    weights: str
    settings: TrainingSettings
    features: Path
    fold: int | None
    validate: bool
    orientations: int
    colour: Colour | None
    icc: bool
    calibrate: Calibrate | float
    licence: str
    overwrite: bool


def _check_orientations(number: int) -> None:
    if number not in ORIENTATIONS:
        raise UsageError(f"--orientations is {number}; it can be 1, 2, 4 or 8.")


def _start(weights: str) -> str:
    return weights if weights in (NONE, IMAGENET) else str(path_from(weights))


def _learn(
    sets: Sequence[PatchSet],
    out: Path,
    cells: TrainingCells,
    audit: Audit,
    options: _Options,
    reporter: Reporter,
) -> Training:
    """Train and write the bundle."""
    used = [row for part in USED for row in cells.parts[part]]
    data = sets[0].folder
    resolution = resolution_of(used, data / "manifest.csv")
    network, settings = options.network, options.settings
    if options.weights == IMAGENET and network.published:
        reporter.say(f"Starts from {network.published} in {network.published.place.parent}.")
    model = build(network.name, len(cells.labels), weights=options.weights, seed=settings.seed)
    origin = origin_of(options.weights, network.published)
    checkpoint = Checkpoint(place_of(out), _identity(sets, origin, options))
    training = fit(
        model,
        network,
        sets[0],
        sets[1],
        settings,
        features=options.features,
        checkpoint=checkpoint,
        reporter=reporter,
    )
    description = Description(
        network=network.name,
        weights_origin=origin,
        labels=cells.labels,
        scheme=cells.scheme.name,
        resolution=resolution,
        counts=cells.counts,
        settings=settings,
        audit=audit.to_json(),
        record=_record(cells, audit, options),
        licence=options.licence,
        orientations=options.orientations,
        colour=options.colour,
        icc=options.icc,
        temperature=_temperature(model, sets[1], options, reporter),
    )
    keys = [row.key for row in used]
    save_bundle(out, model, description, training, keys, overwrite=options.overwrite)
    checkpoint.remove()
    return training


def _temperature(model: Any, validation: PatchSet, options: _Options, reporter: Reporter) -> float:
    if not isinstance(options.calibrate, str):
        return options.calibrate
    if options.calibrate == "none":
        return 1.0
    return temperature_of(
        model,
        validation,
        orientations=options.orientations,
        by_source=options.settings.balance == "sources",
        reporter=reporter,
    )


def _identity(
    sets: Sequence[PatchSet], origin: Mapping[str, str], options: _Options
) -> dict[str, str]:
    """Return what a training must have in common with one that it goes on with."""
    parts = {
        f"the {part} cells": hashlib.sha256(
            "\n".join(
                f"{cells.content_of(place)} {row.label} {row.source}"
                for place, row in enumerate(cells.rows)
            ).encode()
        ).hexdigest()
        for part, cells in zip(USED, sets, strict=True)
    }
    settings = {
        name.replace("_", " "): json.dumps(value)
        for name, value in asdict(options.settings).items()
    }
    return {
        **parts,
        "network": options.network.name,
        "weights": json.dumps(origin),
        "colour": json.dumps(options.colour.to_json() if options.colour else None),
        "colour profiles": json.dumps(options.icc),
        **settings,
        "versions of the software": json.dumps(provenance.versions()),
    }


def _record(cells: TrainingCells, audit: Audit, options: _Options) -> dict[str, Any]:
    """Return the record; folders stay out of it, since their names can be a patient's."""
    settings = options.settings
    arguments = {
        "fold": options.fold,
        "validate": options.validate,
        "network": options.network.name,
        "weights": options.weights if options.weights in (NONE, IMAGENET) else "a file",
        "epochs": [phase.epochs for phase in settings.phases],
        "unfreeze": [phase.unfrozen for phase in settings.phases],
        "batch_size": settings.batch_size,
        "views": settings.views,
        "balance": settings.balance,
        "augmentation": str(settings.augmentation),
        "label_smoothing": settings.label_smoothing,
        "orientations": options.orientations,
        "colour": "reinhard" if options.colour else "none",
        "stats": options.colour.stats if options.colour else None,
        "calibrate": options.calibrate,
        "overwrite": options.overwrite,
    }
    return provenance.record(
        "train",
        arguments,
        counts={**cells.counts, "skipped": dict(cells.skipped)},
        inputs=audit.inputs,
        seed=settings.seed,
    )
