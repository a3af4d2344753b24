"""Writes a bundle: under a hidden name first, so that a killed run leaves none."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

from pycyto import files
from pycyto.errors import RefusedError
from pycyto.images.colour import Colour
from pycyto.images.resolution import Resolution
from pycyto.learning.bundle import (
    ALL_FILES,
    CARD_FILE,
    CHECKED_FILES,
    EXPORT_FILES,
    FORMAT,
    HISTORY_FILE,
    INTENDED_USE,
    README_FILE,
    TRAINED_ON_FILE,
    WEIGHTS_FILE,
    Bundle,
    id_of,
    load_bundle,
    mark_of,
)
from pycyto.learning.card import page
from pycyto.learning.history import Epoch, Training
from pycyto.learning.networks import network_named
from pycyto.learning.plan import TrainingSettings
from pycyto.manifest import PATCH_SIZE
from pycyto.records import CellKey


@dataclass(frozen=True)
class Description:
    """What a bundle tells about its model besides the weights.

    Attributes
    ----------
    weights_origin
        From `pycyto.learning.weights.origin_of`.
    labels
        In the order of the network's outputs.
    counts
        Cells by part and class.
    audit
        Of the data set it was trained on, without culprits: see `Audit.to_json`.
    record
        From `pycyto.provenance.record`; it must name no path.
    licence
        Under which the model may be used; empty where nothing was said.
    orientations
        Over so many orientations of a patch its probabilities are averaged.
    colour
        How patches are coloured; None is as they are.
    icc
        Whether they were cut with the colour profiles of their images.
    temperature
        At which it then gives them; 1 leaves them as they are.
    """

    network: str
    weights_origin: Mapping[str, str]
    labels: tuple[str, ...]
    scheme: str
    resolution: Resolution
    counts: Mapping[str, Mapping[str, int]]
    settings: TrainingSettings
    audit: Mapping[str, Any]
    record: Mapping[str, Any]
    licence: str = ""
    orientations: int = 1
    colour: Colour | None = None
    temperature: float = 1.0
    icc: bool = False


def check_place(path: Path, *, overwrite: bool) -> None:
    """Refuse a place where a bundle must not be written. Call it before training.

    Raises
    ------
    RefusedError
        There is something else, or a bundle and `overwrite` was not asked for.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not (path / CARD_FILE).is_file():
        raise RefusedError(
            "There is something here that is no bundle.",
            where=path,
            remedy="Name a folder that does not exist yet with --out.",
        )
    foreign = sorted({entry.name for entry in path.iterdir()} - {*ALL_FILES, *EXPORT_FILES})
    if foreign:
        raise RefusedError(
            f"This bundle holds other files too ({', '.join(foreign[:5])}).",
            where=path,
            remedy="Move them elsewhere, or name another folder with --out.",
        )
    if not overwrite:
        raise RefusedError(
            "There is a bundle here already.",
            where=path,
            remedy="Name another folder with --out, or replace it with --overwrite.",
        )


def save_bundle(
    path: Path,
    model: Any,
    description: Description,
    training: Training,
    trained_on: Iterable[CellKey],
    *,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle, whole or not at all, and load it back.

    Raises
    ------
    RefusedError
        As `check_place`.
    """
    check_place(path, overwrite=overwrite)
    with files.making_folder(path, replacing=True) as folder:
        model.save_weights(folder / WEIGHTS_FILE)
        _write_history(folder / HISTORY_FILE, training.history)
        marks = sorted(map(mark_of, trained_on))
        files.write_text(folder / TRAINED_ON_FILE, "".join(f"{mark}\n" for mark in marks))
        card = _card(folder, description, training)
        files.write_text(folder / README_FILE, page(card, str(description.resolution)))
        files.write_json(folder / CARD_FILE, card)
        load_bundle(folder)
    return load_bundle(path)


def _card(folder: Path, description: Description, training: Training) -> dict[str, Any]:
    sums = {name: files.sha256_of(folder / name) for name in CHECKED_FILES}
    return {
        "format": FORMAT,
        "bundle_id": id_of(
            sums[WEIGHTS_FILE],
            description.labels,
            description.orientations,
            description.colour,
            description.temperature,
            icc=description.icc,
        ),
        "intended_use": INTENDED_USE,
        **asdict(description),
        "colour": description.colour.to_json() if description.colour else None,
        "patch_size": PATCH_SIZE,
        "input": {
            "preprocessing": network_named(description.network).preprocessing,
            "channels": "RGB",
            "range": [0, 255],
        },
        "seed": description.settings.seed,
        "result": {
            "epochs": len(training.history),
            "best_epoch": training.best.epoch,
            "validation_macro_f1": _known(training.best.val_macro_f1),
            "backbone_weights_trained": dict(training.backbone_weights),
            "penalty": training.penalty,
        },
        "files": sums,
    }


def _known(value: float) -> float | None:
    """Return a number; None for none."""
    return None if math.isnan(value) else value


def _write_history(path: Path, history: Sequence[Epoch]) -> None:
    with files.writing(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column.name for column in fields(Epoch)])
        writer.writerows(astuple(epoch) for epoch in history)
