"""The networks of a study: trained one by one, then asked about all cells that are scored."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from pycyto import files, provenance
from pycyto.errors import BadInputError, MissingDependencyError
from pycyto.learning.bundle import WEIGHTS_FILE, load_bundle
from pycyto.learning.inference import keras_model
from pycyto.learning.networks import network_named
from pycyto.learning.weights import IMAGENET, NONE, default_weights
from pycyto.manifest import Row, read_manifest
from pycyto.parts import dealt_out, read_split
from pycyto.records import Reporter
from pycyto.steps.scored import classified_rows, write_scores
from pycyto.steps.study_file import NO_COLOUR, TEST, ColourSettings, NetworkSettings, Places, Study
from pycyto.steps.study_sources import DATA, Ready, say_unseen, unseen
from pycyto.steps.study_stages import Stage, Stages
from pycyto.steps.train import train

SCORES_FILE, COSTS_FILE = "scores.csv", "costs.json"
_MODEL = "model"
_LOOKS_PER_SECOND = 5


@dataclass(frozen=True, slots=True)
class Model:
    """One network trained with one seed.

    Attributes
    ----------
    trained, answered
        The stages that hold the bundle, and what it says of all cells.
    """

    network: NetworkSettings
    seed: int
    trained: Stage
    answered: Stage

    @property
    def bundle(self) -> Path:
        """Folder of the bundle."""
        return self.trained.folder / _MODEL

    @property
    def costs(self) -> dict[str, Any]:
        """What it took: seconds, memory, parameters, size."""
        found = (
            files.read_json(stage.folder / COSTS_FILE) for stage in (self.trained, self.answered)
        )
        return {key: value for costs in found for key, value in costs.items()}


def training_options(
    network: NetworkSettings, seed: int, colour: ColourSettings, places: Places
) -> dict[str, Any]:
    """Return the options of `pycyto.train` for a network of a study."""
    options = {**asdict(network), "network": network.name, "seed": seed}
    del options["name"]
    options["weights"] = start_of(network, places)
    if colour.method != NO_COLOUR:
        reference = places.find(colour.reference) if colour.reference else None
        options |= {"colour": colour.method, "stats": colour.stats, "reference": reference}
    return options


def start_of(network: NetworkSettings, places: Places) -> str:
    """Return what a network starts from: ``none``, ``imagenet``, or a path."""
    named = network.weights or default_weights(network.name)
    return named if named in (NONE, IMAGENET) else str(places.find(named))


def not_measured(network: NetworkSettings, places: Places) -> str:
    """Return why a network cannot be measured here; empty where it can."""
    start = start_of(network, places)
    if start == NONE:
        return ""
    published = network_named(network.name).published
    path = published.place if start == IMAGENET and published else Path(start)
    return "" if path.is_file() else f"there are no weights to start from: {path.name}"


def demand_a_network(study: Study, places: Places) -> None:
    """Refuse a study none of whose networks can be trained, before anything is computed."""
    reasons = {own.name: not_measured(own, places) for own in study.network}
    if all(reasons.values()):
        told = "\n".join(f"  {name}: {reason}" for name, reason in reasons.items())
        raise MissingDependencyError(
            f"No network of this study can be trained:\n{told}",
            remedy="Name the folder of the weights with --from, or write weights = 'none'.",
        )


def model_of(
    stages: Stages,
    study: Study,
    places: Places,
    network: NetworkSettings,
    seed: int,
    data: Stage,
    sources: Sequence[Ready],
) -> Model:
    """Train a network with one seed and ask it about all cells, unless that was done before."""
    name = f"{network.name}-seed{seed}"
    options = training_options(network, seed, study.colour, places)
    start = options["weights"]
    inputs = {"pooled": data.output}
    if start not in (NONE, IMAGENET):
        # The file decides, wherever it is.
        inputs["weights"] = files.sha256_of(Path(start))
    if options.get("reference") is not None:
        inputs["reference"] = files.sha256_of(options["reference"])
    decides = {
        key: value for key, value in options.items() if key not in ("weights", "reference")
    } | {
        "weights": start if start in (NONE, IMAGENET) else "a file",
        # A training that was broken off does not go on with others.
        "versions": provenance.versions(),
    }
    trained = stages.run(
        f"models/{name}", decides, inputs,
        partial(_train, data.folder / DATA, options, stages.reporter), goes_on=True,
    )  # fmt: skip
    tested = [own for own in sources if own.settings.role == TEST]
    inputs = {"pooled": data.output, "model": trained.output}
    inputs |= {f"source {own.settings.name}": own.stage.output for own in tested}
    answer = partial(_answer, trained.folder / _MODEL, data.folder / DATA, tested, stages.reporter)
    answered = stages.run(f"answers/{name}", {}, inputs, answer)
    return Model(network, seed, trained, answered)


def _train(data: Path, options: Mapping[str, Any], reporter: Reporter, folder: Path) -> str:
    started = time.monotonic()
    with _memory() as peak:
        # What an earlier try has finished is there already.
        if not (folder / _MODEL).exists():
            train(data, out=folder / _MODEL, reporter=reporter, **options)
    bundle = load_bundle(folder / _MODEL)
    files.write_json(
        folder / COSTS_FILE,
        {
            "seconds_of_training": round(time.monotonic() - started, 1),
            "peak_megabytes": peak.megabytes,
            "megabytes_of_weights": round((bundle.path / WEIGHTS_FILE).stat().st_size / 1e6, 1),
        },
    )
    return bundle.bundle_id


def _answer(
    model: Path, data: Path, tested: Sequence[Ready], reporter: Reporter, folder: Path
) -> str:
    bundle = load_bundle(model)
    parts = parts_of(data)
    wanted: list[tuple[Path, list[Row]]] = [
        (data, [row for part in ("validation", "test") for row in parts[part]])
    ]
    for own in tested:
        found = unseen(read_manifest(own.data), trained_rows(parts), bundle.labels)
        say_unseen(own.settings.name, found, reporter)
        wanted.append((own.data, [*found.new, *found.known_groups]))
    rows: list[Row] = []
    said = []
    seconds = 0.0
    for place, asked in wanted:
        known = [row for row in asked if row.label in bundle.labels]
        probabilities, took = classified_rows(bundle, place, known, reporter)
        rows += known
        said.append(probabilities)
        seconds += took
    write_scores(folder / SCORES_FILE, bundle.labels, rows, np.concatenate(said))
    files.write_json(
        folder / COSTS_FILE,
        {
            "parameters": int(keras_model(bundle).count_params()),
            "patches_per_second": round(len(rows) / seconds, 2) if seconds else None,
            "patches": len(rows),
        },
    )
    return files.sha256_of(folder / SCORES_FILE)


def parts_of(data: Path) -> dict[str, list[Row]]:
    """Return the labelled rows of each part of a data set."""
    return dealt_out(data, read_manifest(data), read_split(data))


def trained_rows(parts: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Return the rows that a model has learnt from or was chosen by."""
    return [*parts["train"], *parts["validation"]]


@dataclass(slots=True)
class _Peak:
    """The largest resident memory of this process that was seen, in megabytes."""

    megabytes: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        process = psutil.Process()
        while True:
            self.megabytes = max(self.megabytes, round(process.memory_info().rss / 1e6, 1))
            if self.done.wait(1 / _LOOKS_PER_SECOND):
                return


@contextmanager
def _memory() -> Iterator[_Peak]:
    peak = _Peak()
    watcher = threading.Thread(target=peak.watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak.done.set()
        watcher.join()


def demand_colour(study: Study, path: Path, places: Places) -> None:
    """Refuse a reference for colours that is not there."""
    reference = study.colour.reference
    if reference is not None and not places.find(reference).is_file():
        raise BadInputError(
            f"The reference for colours is not there: {places.find(reference)}.", where=path
        )
