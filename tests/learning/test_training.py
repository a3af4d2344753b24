"""The loop learns, repeats itself, keeps the best epoch, and stops when it should."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycyto.errors import PycytoError, UsageError
from pycyto.learning.batches import PatchSet
from pycyto.learning.checkpoint import Checkpoint
from pycyto.learning.history import Training, macro_f1
from pycyto.learning.networks import build, network_named
from pycyto.learning.plan import Phase, TrainingSettings, default_settings
from pycyto.learning.thawing import Unfrozen
from pycyto.learning.training import ONLY_THE_HEAD, fit
from pycyto.records import SILENT
from tests.learning.conftest import Saved
from tests.learning.patch_data import write_data
from tests.steps.test_train import Listener

SMALL = network_named("small")


def trained(patches: PatchSet, *phases: Phase, patience: int = 10) -> tuple[Any, Training]:
    model = build("small", 2)
    settings = TrainingSettings(phases, batch_size=4, patience=patience)
    return model, fit(model, SMALL, patches, patches, settings)


def test_equal_seeds_give_equal_weights(patches: PatchSet, saved: Saved) -> None:
    settings = default_settings(pretrained=False, epochs=1, batch_size=4, seed=1)
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


def test_without_validation_cells_the_last_weights_are_averaged(
    patches: PatchSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = patches.some(np.zeros(0, np.int64))

    def weights_after(epochs: int, averaged: int) -> list[Any]:
        monkeypatch.setattr(Phase, "averaged", property(lambda _: averaged))
        model = build("small", 2)
        settings = TrainingSettings((Phase("all layers", "all", epochs, 1e-3),), batch_size=4)
        training = fit(model, SMALL, patches, none, settings)
        assert training.best is training.history[-1]
        assert math.isnan(training.best.val_macro_f1)
        return list(model.get_weights())

    singles = [weights_after(epochs, 1) for epochs in (2, 3)]
    for mean, two, three in zip(weights_after(3, 2), *singles, strict=True):
        np.testing.assert_allclose(mean, (two + three) / 2, atol=1e-6)


def test_a_quarter_of_the_epochs_is_averaged() -> None:
    assert [Phase("head", "none", n, 1e-4).averaged for n in (1, 4, 8, 24)] == [1, 1, 2, 6]


def _images(patches: PatchSet) -> list[Any]:
    from pycyto.images.patches import read_patch

    return [read_patch(patches.folder, row) for row in patches.rows]


def test_patience_ends_each_phase_and_epochs_are_counted_through(patches: PatchSet) -> None:
    # With nothing learnt each epoch equals the first, and is not better.
    idle = [Phase(name, "none", 9, 0.0) for name in ("first", "second")]
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


# --- a frozen backbone --------------------------------------------------------------------------


def tuned(
    patches: PatchSet,
    reporter: Any = SILENT,
    *,
    epochs: int = 2,
    unfreeze: Unfrozen = 1,
    **options: Any,
) -> tuple[list[Any], Training]:
    """Train a network whose backbone is frozen at first; return its weights too."""
    model = build("small", 2, seed=2)
    settings = default_settings(
        pretrained=True,
        epochs=epochs,
        views=2,
        batch_size=4,
        seed=2,
        unfreeze=unfreeze,
        balance="both",
    )
    # Fast enough to change something in so few steps.
    phases = tuple(replace(p, learning_rate=10 * p.learning_rate) for p in settings.phases)
    settings = replace(settings, phases=phases)
    training = fit(model, SMALL, patches, patches, settings, reporter=reporter, **options)
    return model.get_weights(), training


def equal(one: list[Any], other: list[Any]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def test_kept_features_give_what_the_network_itself_gives(
    patches: PatchSet, tmp_path: Path
) -> None:
    """The same views, within rounding errors; and, found again, the very same bits."""
    by_network, slow = tuned(patches, epochs=4, unfreeze="none")
    kept, quick = tuned(patches, epochs=4, unfreeze="none", features=tmp_path)
    for one, other in zip(kept, by_network, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    start = build("small", 2, seed=2).get_weights()
    assert np.abs(kept[-4] - start[-4]).max() > 1e-3  # it has learnt something
    for one, other in zip(quick.history, slow.history, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-4)
        assert one.val_loss == pytest.approx(other.val_loss, abs=1e-4)
    found, _ = tuned(patches, epochs=4, unfreeze="none", features=tmp_path)
    assert equal(found, kept)


def test_a_training_counts_the_weights_of_the_backbone_that_learn(
    patches: PatchSet, tmp_path: Path
) -> None:
    listener = Listener()
    _, training = tuned(patches, listener, epochs=1, features=tmp_path)
    assert training.backbone_weights == {"head": 0, "last layer": 9 * 64 * 128}
    assert any("73,728 in the phase “last layer”" in line for line in listener.said)
    assert listener.warned == []
    _, training = tuned(patches, listener, epochs=1, features=tmp_path, unfreeze="none")
    assert training.backbone_weights == {"head": 0}
    assert any("No weight of the backbone" in line for line in listener.warned)


def test_a_phase_that_was_to_tune_layers_without_weights_is_named(
    patches: PatchSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycyto.learning.training.thaw", lambda *_: 0)
    listener = Listener()
    tuned(patches, listener, epochs=1, features=tmp_path)
    (told,) = listener.warned
    assert "not in the phase “last layer” either" in told
    assert told != ONLY_THE_HEAD


class Stops(Listener):
    """Presses Ctrl-C after so many batches, wherever that is."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def _advance(self, count: int) -> None:
        if count <= 4:  # a batch of patches, not a block of features
            self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        super()._advance(count)


def test_a_broken_off_training_goes_on_to_the_same_weights(
    patches: PatchSet, tmp_path: Path
) -> None:
    """Broken off in the first epoch, between epochs of each phase, and again and again."""
    options: dict[str, Any] = {"features": tmp_path / "features"}
    whole, expected = tuned(patches, **options)
    checkpoint = Checkpoint(tmp_path / "state.npz", {})
    epochs = []
    # Epochs oversampled to 14 patches have four batches, and there are two in each phase.
    for after in (1, 5, 6, 5):
        with pytest.raises(KeyboardInterrupt):
            tuned(patches, Stops(after), checkpoint=checkpoint, **options)
        state = checkpoint.load(SILENT)
        epochs.append(len(state.history) if state else 0)
    assert epochs == [0, 1, 2, 3]
    found, training = tuned(patches, checkpoint=checkpoint, **options)
    assert training == expected
    assert equal(found, whole)


def test_a_state_after_the_last_epoch_is_the_end(patches: PatchSet, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "features": tmp_path / "features",
        "checkpoint": Checkpoint(tmp_path / "state.npz", {}),
    }
    whole, expected = tuned(patches, epochs=1, **options)
    found, training = tuned(patches, Stops(0), epochs=1, **options)
    assert training == expected
    assert equal(found, whole)


def test_patience_is_remembered(patches: PatchSet, tmp_path: Path) -> None:
    settings = TrainingSettings((Phase("idle", "none", 9, 0.0),), batch_size=4, patience=3)
    checkpoint = Checkpoint(tmp_path / "state.npz", {})
    with pytest.raises(KeyboardInterrupt):  # three batches are an epoch
        fit(
            build("small", 2),
            SMALL,
            patches,
            patches,
            settings,
            checkpoint=checkpoint,
            reporter=Stops(8),
        )
    state = checkpoint.load(SILENT)
    assert state
    assert (len(state.history), state.since_better) == (2, 1)
    model = build("small", 2)
    training = fit(model, SMALL, patches, patches, settings, checkpoint=checkpoint)
    assert len(training.history) == 4


def test_a_diverged_training_leaves_no_state(patches: PatchSet, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.npz", {})
    settings = TrainingSettings((Phase("all layers", "all", 9, 1e-3),), batch_size=4)
    model = build("small", 2)
    with pytest.raises(KeyboardInterrupt):
        fit(model, SMALL, patches, patches, settings, checkpoint=checkpoint, reporter=Stops(4))
    state = checkpoint.load(SILENT)
    assert state
    checkpoint.save(replace(state, model=[value * np.nan for value in state.model]))
    with pytest.raises(PycytoError, match=r"no longer a number \(epoch 2\)"):
        fit(model, SMALL, patches, patches, settings, checkpoint=checkpoint)
    assert not checkpoint.path.exists()


def test_macro_f1_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    generator = np.random.default_rng(0)
    targets, predicted = generator.integers(0, 4, (2, 200), dtype=np.int32)
    assert macro_f1(targets, predicted) == pytest.approx(
        f1_score(targets, predicted, average="macro")
    )


def test_published_weights_are_tuned_in_two_phases_and_others_in_one() -> None:
    tuned = default_settings(pretrained=True)
    rates = [(phase.unfrozen, phase.learning_rate) for phase in tuned.phases]
    assert rates == [("none", 1e-4), ("last block", 1e-5)]
    assert (tuned.batch_size, tuned.patience) == (8, 10)
    assert [tuned.views_in(phase) for phase in tuned.phases] == [tuned.views, None]
    (phase,) = default_settings(pretrained=False, epochs=10).phases
    assert phase.unfrozen == "all"
    assert phase.rate_in(0) == 1e-3
    assert phase.rate_in(5) == pytest.approx(5e-4)
    assert 0 < phase.rate_in(9) < 1e-4


def test_the_second_phase_is_what_unfreeze_says() -> None:
    (only,) = default_settings(pretrained=True, unfreeze="none").phases
    assert only.unfrozen == "none"
    _, second = default_settings(pretrained=True, unfreeze=3).phases
    assert (second.name, second.unfrozen, second.learning_rate) == ("last 3 layers", 3, 1e-5)
    for options in ({"unfreeze": 3}, {"views": 2}):
        with pytest.raises(UsageError, match="starts from published weights"):
            default_settings(pretrained=False, **options)  # type: ignore[arg-type]


def test_without_augmentation_there_is_one_view() -> None:
    assert default_settings(pretrained=True, views=8, augmentation="none").views == 1
    assert default_settings(pretrained=True, views=8).views == 8


@pytest.mark.parametrize("option", ["epochs", "batch_size", "views", "unfreeze"])
def test_nothing_below_one_is_accepted(option: str) -> None:
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} is 0"):
        default_settings(pretrained=True, **{option: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize("smoothing", [-0.1, 0.6])
def test_more_than_half_of_the_truth_is_not_shared_out(smoothing: float) -> None:
    with pytest.raises(UsageError, match="--label-smoothing is"):
        default_settings(pretrained=True, label_smoothing=smoothing)


@pytest.mark.parametrize(
    "given",
    [
        {"epochs": 3},
        {"batch_size": 8},
        {"views": 2},
        {"unfreeze": "paper"},
        {"unfreeze": 2},
        {"label_smoothing": 0.1},
        {"balance": "oversample"},
        {"balance": "both"},
    ],
)
def test_a_linear_head_is_told_nothing_of_epochs(given: dict[str, Any]) -> None:
    (option,) = given
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} .* linear head"):
        default_settings(pretrained=True, linear=True, **given)


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_linear_head_has_one_phase_on_a_frozen_backbone(pretrained: bool) -> None:
    settings = default_settings(
        pretrained=pretrained, linear=True, unfreeze="none", balance="sources"
    )
    (phase,) = settings.phases
    assert (phase.unfrozen, phase.epochs, settings.views) == ("none", 1, 1)
