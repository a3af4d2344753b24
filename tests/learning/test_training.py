"""The loop learns, repeats itself, keeps the best epoch, and stops when it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycyto.errors import PycytoError, UsageError
from pycyto.learning.batches import PatchSet
from pycyto.learning.networks import build, network_named
from pycyto.learning.plan import Phase, TrainingSettings, default_settings
from pycyto.learning.training import Training, fit, macro_f1
from tests.learning.conftest import Saved
from tests.learning.patch_data import write_data

SMALL = network_named("small")


def trained(patches: PatchSet, *phases: Phase, patience: int = 10) -> tuple[Any, Training]:
    model = build("small", 2)
    settings = TrainingSettings(phases, batch_size=4, patience=patience)
    return model, fit(model, SMALL, patches, patches, settings)


def test_equal_seeds_give_equal_weights(patches: PatchSet, saved: Saved) -> None:
    settings = default_settings(SMALL, pretrained=False, epochs=1, batch_size=4, seed=1)
    model = build("small", 2, seed=1)
    fit(model, SMALL, patches, patches, settings)
    assert all(map(np.array_equal, model.get_weights(), saved.model.get_weights()))


def test_it_learns_and_ends_with_the_best_epoch(tmp_path: Path) -> None:
    counts = {"train": {"NILM": 24, "HSIL": 12}}
    patches = PatchSet(tmp_path, write_data(tmp_path, counts), ("NILM", "HSIL"))
    model, training = trained(patches, Phase("all layers", "all", 6, 1e-3, decays=True))
    assert training.best.val_macro_f1 == 1.0
    assert training.best.rank == max(epoch.rank for epoch in training.history)
    assert training.history[-1].loss < training.history[0].loss
    pixels = np.stack([np.asarray(image) for image in _images(patches)])
    own = model.predict_on_batch(pixels)[np.arange(len(patches)), patches.targets]
    assert -np.log(own).mean() == pytest.approx(training.best.val_loss, abs=1e-4)


def _images(patches: PatchSet) -> list[Any]:
    from pycyto.images.patches import read_patch

    return [read_patch(patches.folder, row) for row in patches.rows]


def test_patience_ends_each_phase_and_epochs_are_counted_through(patches: PatchSet) -> None:
    # With nothing learnt each epoch equals the first, and is not better.
    idle = [Phase(name, "head", 9, 0.0) for name in ("first", "second")]
    _, training = trained(patches, *idle, patience=2)
    assert [epoch.phase for epoch in training.history] == ["first"] * 3 + ["second"] * 2
    assert [epoch.epoch for epoch in training.history] == [1, 2, 3, 4, 5]
    assert training.best.epoch == 1


def test_a_loss_that_is_no_number_stops_it(patches: PatchSet) -> None:
    model = build("small", 2)
    model.set_weights([weight * np.nan for weight in model.get_weights()])
    settings = TrainingSettings((Phase("all layers", "all", 3, 1e-3),), batch_size=4)
    with pytest.raises(PycytoError, match=r"no longer a number \(epoch 1\)"):
        fit(model, SMALL, patches, patches, settings)


def test_macro_f1_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    generator = np.random.default_rng(0)
    targets, predicted = generator.integers(0, 4, (2, 200), dtype=np.int32)
    assert macro_f1(targets, predicted) == pytest.approx(
        f1_score(targets, predicted, average="macro")
    )


def test_published_weights_are_tuned_in_two_phases_and_others_in_one() -> None:
    tuned = default_settings(network_named("resnet50"), pretrained=True)
    rates = [(phase.learns, phase.learning_rate) for phase in tuned.phases]
    assert rates == [("head", 1e-4), ("head and last block", 1e-5)]
    assert tuned.batch_size == 8
    for name in ("resnet50", "small"):
        (phase,) = default_settings(network_named(name), pretrained=False, epochs=10).phases
        assert phase.learns == "all"
        assert phase.rate_in(0) == 1e-3
        assert phase.rate_in(5) == pytest.approx(5e-4)
        assert 0 < phase.rate_in(9) < 1e-4


@pytest.mark.parametrize("option", ["epochs", "batch_size"])
def test_nothing_below_one_is_accepted(option: str) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        default_settings(SMALL, pretrained=False, **{option: 0})
