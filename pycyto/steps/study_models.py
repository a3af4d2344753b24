"""The networks of a study: trained one by one, then asked about all cells that are scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pycyto import files, provenance
from pycyto.images.colour import NO_COLOUR
from pycyto.learning.bundle import WEIGHTS_FILE, load_bundle
from pycyto.learning.feature_cache import default_folder
from pycyto.learning.networks import network_named
from pycyto.learning.weights import IMAGENET, NONE, default_weights
from pycyto.manifest import Row, read_manifest
from pycyto.parts import NO_FOLD
from pycyto.records import Reporter
from pycyto.steps.resolutions import other_scale
from pycyto.steps.scored import answered_rows, write_scores
from pycyto.steps.study_costs import costs_of, peak_memory
from pycyto.steps.study_file import TEST, ColourSettings, NetworkSettings, Places, Study
from pycyto.steps.study_folds import Folds, OutOfFold, out_of_fold
from pycyto.steps.study_parts import study_parts
from pycyto.steps.study_sources import DATA, Ready, say_unseen, unseen
from pycyto.steps.study_stages import Stage, Stages
from pycyto.steps.train import train

SCORES_FILE, COSTS_FILE = "scores.csv", "costs.json"
_MODEL = "model"


@dataclass(frozen=True, slots=True)
class Model:
    """One network trained with one seed.

    Attributes
    ----------
    trained, answered
        The stages that hold the bundle, and what is said of all cells that are scored.
    folds
        Those that hold a model for each fold, where there are folds.
    """

    network: NetworkSettings
    seed: int
    trained: Stage
    answered: Stage
    folds: Sequence[Stage] = ()

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
    del options["name"], options["use"]
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
    options = training_options(network, seed, study.colour, places)
    recipe = _Recipe(f"{network.name}-seed{seed}", options, data)
    folds = recipe.folds(stages, study.split.folds)
    trained = recipe.trained(stages, folds)
    tested = [own for own in sources if own.settings.role == TEST]
    inputs = {"pooled": data.output, "model": trained.output}
    inputs |= {f"source {own.settings.name}": own.stage.output for own in tested}
    said = recipe.out_of_fold(folds)
    answer = partial(_answer, trained.folder / _MODEL, recipe.pool, tested, said)
    answered = stages.run(f"answers/{recipe.name}", {}, inputs, answer)
    return Model(network, seed, trained, answered, folds)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How all models of a network and a seed are trained.

    Attributes
    ----------
    options
        Of `pycyto.train`.
    data
        The stage with the pooled data set.
    """

    name: str
    options: Mapping[str, Any]
    data: Stage

    @property
    def pool(self) -> Path:
        """Folder of the pooled data set."""
        return self.data.folder / DATA

    @property
    def decides(self) -> dict[str, Any]:
        """All that decides a training besides its inputs."""
        start = self.options["weights"]
        return {
            **{name: own for name, own in self.options.items() if name != "reference"},
            # The file decides, wherever it is.
            "weights": start if start in (NONE, IMAGENET) else "a file",
            # A training that was broken off does not go on with others.
            "versions": provenance.versions(),
        }

    @property
    def inputs(self) -> dict[str, str]:
        """Digests of these."""
        start, reference = self.options["weights"], self.options.get("reference")
        found = {"pooled": self.data.output}
        if start not in (NONE, IMAGENET):
            found["weights"] = files.sha256_of(Path(start))
        if reference is not None:
            found["reference"] = files.sha256_of(reference)
        return found

    def folds(self, stages: Stages, number: int | None) -> list[Stage]:
        """Train a model for each fold; none where there are no folds."""
        if number is None:
            return []
        folds = Folds(self.name, number, self.pool, self.decides, self.inputs)
        return folds.stages(stages, self._learn_fold)

    def out_of_fold(self, folds: Sequence[Stage]) -> Callable[[], OutOfFold] | None:
        """Return what tells the answers of the models of the folds, where there are folds."""
        if not folds:
            return None
        by_source = self.options["balance"] == "sources"
        return partial(out_of_fold, self.pool, folds, by_source=by_source)

    def trained(self, stages: Stages, folds: Sequence[Stage]) -> Stage:
        """Train the model that is kept: on the training part, or with folds on all cells."""
        inputs = self.inputs | {fold.name: fold.output for fold in folds}
        make = partial(self._train, self.out_of_fold(folds))
        return stages.run(f"models/{self.name}", self.decides, inputs, make, goes_on=True)

    def _learn_fold(self, fold: int, place: Path, reporter: Reporter) -> None:
        own = {**self.options, "calibrate": "none"}
        train(self.pool, out=place, fold=fold, validate=False, reporter=reporter, **own)

    def _train(self, said: Callable[[], OutOfFold] | None, folder: Path, reporter: Reporter) -> str:
        started = time.monotonic()
        own = dict(self.options)
        if said is not None:
            own |= {"fold": NO_FOLD, "validate": False}
            if own["calibrate"] != "none":
                own["calibrate"] = said().temperature
        with peak_memory() as peak:
            # What an earlier try has finished is there already.
            if not (folder / _MODEL).exists():
                train(self.pool, out=folder / _MODEL, reporter=reporter, **own)
        bundle = load_bundle(folder / _MODEL)
        costs = {
            "seconds_of_training": round(time.monotonic() - started, 1),
            "peak_megabytes": peak.megabytes,
            "megabytes_of_weights": round((bundle.path / WEIGHTS_FILE).stat().st_size / 1e6, 1),
        }
        files.write_json(folder / COSTS_FILE, costs)
        return bundle.bundle_id


def _answer(
    model: Path,
    data: Path,
    tested: Sequence[Ready],
    said: Callable[[], OutOfFold] | None,
    folder: Path,
    reporter: Reporter,
) -> str:
    """Keep what stands for the model on cells that it has not seen."""
    bundle, parts = load_bundle(model), study_parts(data)
    rows: list[Row] = []
    answers = []

    def ask(place: Path, asked: Sequence[Row]) -> None:
        known = [row for row in asked if row.label in bundle.labels]
        rows.extend(known)
        answers.append(answered_rows(bundle, place, known, default_folder(), reporter))

    if said is None:
        ask(data, [*parts.fixing, *parts.tested])
    else:
        # The model has learnt from all of these: the models of the folds speak for it.
        found = said()
        rows.extend(found.rows)
        answers.append(found.probabilities)
    for own in tested:
        left = unseen(read_manifest(own.data), parts.learnt, bundle.labels)
        say_unseen(own.settings.name, left, reporter)
        asked = [*left.new, *left.known_groups]
        for finding in other_scale(asked, bundle):
            reporter.warn(f"{own.settings.name}: {finding.what}")
        ask(own.data, asked)
    write_scores(folder / SCORES_FILE, bundle.labels, rows, np.concatenate(answers))
    files.write_json(folder / COSTS_FILE, costs_of(bundle, data, parts.tested, reporter))
    return files.sha256_of(folder / SCORES_FILE)
