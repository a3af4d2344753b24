"""A linear head has one solution, and training cells alone decide how far it is held back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycyto.learning import linear_head, networks
from pycyto.learning.batches import PatchSet
from pycyto.learning.features import extractor_of
from pycyto.learning.linear_head import (
    FAR,
    NEAR,
    Examples,
    along_axes,
    heads,
    over_features,
    penalty_of,
)
from pycyto.learning.networks import NETWORKS, Network, build
from pycyto.learning.plan import default_settings
from pycyto.learning.training import fit
from pycyto.records import SILENT
from tests.learning.patch_data import write_data


def examples(n: int = 60, d: int = 100, n_classes: int = 3, seed: int = 0) -> Examples:
    """Return cells whose first features tell the class, each a group."""
    rng = np.random.default_rng(seed)
    targets = (np.arange(n) % n_classes).astype(np.int32)
    features = rng.normal(size=(n, d))
    features[np.arange(n), targets] += 3
    zeros = np.zeros(n, np.int64)
    return Examples(features, targets, zeros, np.arange(n), zeros, n_classes)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("d", [100, 20])
def test_it_is_the_minimum_over_all_features(d: int, n_classes: int) -> None:
    # sklearn takes seconds to import.
    from sklearn.linear_model import LogisticRegression

    own = examples(d=d, n_classes=n_classes)
    features = own.features.astype(np.float32)
    features[0], own.features[0] = features[3], features[3]  # two examples that are the same
    along = along_axes(features)
    assert along.shape == (60, min(60, d))
    found = heads(replace(own, features=along), (100.0, 0.1))
    for penalty, head in zip((100.0, 0.1), found, strict=True):
        model = LogisticRegression(C=1 / (penalty * own.weights.sum()), tol=1e-8, max_iter=9999)
        expected = model.fit(own.features, own.targets, own.weights).predict_proba(own.features)
        whole = over_features(head, along, features)
        for answers in (head.answers(along), whole.answers(own.features)):
            np.testing.assert_allclose(answers, expected, atol=2e-3)


def test_a_class_without_examples_is_never_called() -> None:
    own = replace(examples(n_classes=2), n_classes=4)
    answers = heads(own, [1.0])[0].answers(own.features)
    assert answers.shape == (60, 4)
    assert answers[:, 2:].max() < 1e-9
    assert (answers.argmax(axis=1) == own.targets).mean() > 0.9


def strayed(n: int = 320, d: int = 300) -> Examples:
    """Return cells of two classes of two kinds each: a few features tell classes, but not in all.

    In each second kind they tell the wrong class. All others tell it a little, in every kind.
    """
    rng = np.random.default_rng(1)
    targets = (np.arange(n) % 2).astype(np.int32)
    sign = np.where(targets == 1, 1.0, -1.0)
    second = np.arange(n) // 2 % 4 == 0
    features = rng.normal(size=(n, d)) + 0.15 * sign[:, None]
    told = sign * np.where(second, -0.5, 0.5)
    features[:, :5] = told[:, None] + 0.3 * rng.normal(size=(n, 5))
    kinds = (2 * targets + second).astype(np.int64)
    zeros = np.zeros(n, np.int64)
    return Examples(features, targets, zeros, np.arange(n), kinds, 2)


@pytest.mark.parametrize("far", [False, True])
def test_no_cell_is_called_by_a_head_that_knows_its_group_or_kind(
    far: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(strayed(), groups=np.arange(320) // 8)
    own.kinds[own.targets == 1] = 7
    learnt: list[Examples] = []

    def fitted(given: Examples, penalties: Any) -> list[Any]:
        learnt.append(given)
        return heads(given, penalties)

    monkeypatch.setattr(linear_head, "heads", fitted)
    penalty_of(own, far=far, seed=0, reporter=SILENT)
    assert sum(320 - len(given.targets) for given in learnt) == 320
    for label in (0, 1):
        by_kind = far and label == 0
        column = "kinds" if by_kind else "groups"
        everything = set(getattr(own, column)[own.targets == label])
        left_out = [
            everything - set(getattr(given, column)[given.targets == label]) for given in learnt
        ]
        assert sorted(one for some in left_out for one in some) == sorted(everything)


def test_for_the_same_sources_kinds_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    own = strayed()
    alone = replace(own, kinds=np.zeros_like(own.kinds))
    near = [penalty_of(one, far=False, seed=0, reporter=SILENT) for one in (own, alone)]
    assert near[0] == near[1]


def test_for_others_it_is_held_back_no_less() -> None:
    own = strayed()
    near, far = (penalty_of(own, far=far, seed=0, reporter=SILENT) for far in (False, True))
    assert near in NEAR
    assert far == max(FAR)
    assert far > near


@pytest.mark.parametrize(
    ("far", "spread", "place"), [(True, 0.02, 1), (True, 1e-4, 2), (False, 0.02, 2)]
)
def test_for_others_the_strongest_within_a_standard_error_is_taken(
    far: bool, spread: float, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)

    def figure_of(*_: Any) -> Any:
        figures = np.array([0.60, 0.70, 0.71, 0.65, 0.60])[: len(FAR if far else NEAR)]
        everything = np.arange(320)
        return lambda places: (
            figures + (0 if np.array_equal(places, everything) else rng.normal(0, spread))
        )

    monkeypatch.setattr(linear_head, "_figure_of", figure_of)
    found = penalty_of(strayed(), far=far, seed=0, reporter=SILENT)
    assert found == (FAR if far else NEAR)[place]


def test_too_few_groups_take_the_strongest() -> None:
    own = examples()
    one = replace(own, groups=np.zeros_like(own.groups))
    assert penalty_of(one, far=True, seed=0, reporter=SILENT) == FAR[0]


@pytest.fixture
def tissue(tmp_path: Path) -> PatchSet:
    counts = {"train": {"NILM": 12, "HSIL": 12}}
    return PatchSet(tmp_path / "data", write_data(tmp_path / "data", counts), ("NILM", "HSIL"))


@pytest.fixture(params=["linear", "far"])
def network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Return a network of which the test takes seconds."""
    small = replace(NETWORKS["small"], name="small-with-another-head", head=request.param)
    monkeypatch.setitem(NETWORKS, small.name, small)
    return small


def test_the_network_answers_as_its_head_was_fitted(
    network: Network, tissue: PatchSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    furthest = 0.5  # so that many a feature is
    for module in (networks, linear_head):
        monkeypatch.setattr(module, "FURTHEST", furthest)
    model = build(network.name, 2)
    settings = default_settings(pretrained=True, linear=True)
    training = fit(model, network, tissue, tissue, settings, features=tmp_path / "features")
    (epoch,) = training.history
    assert training.penalty in (*NEAR, *FAR)
    assert training.backbone_weights == {"linear head": 0}
    pixels = np.stack([tissue.read(place) for place in range(len(tissue))])
    seen = extractor_of(model).predict_on_batch(pixels)
    scaled = (seen - seen.mean(axis=0)) / np.sqrt(seen.var(axis=0) + 1e-6)
    weights, offsets = model.get_layer("classes").get_weights()
    sums = np.clip(scaled, -furthest, furthest) @ weights + offsets
    found = model.predict_on_batch(pixels)
    np.testing.assert_allclose(
        np.log(found[:, 1] / found[:, 0]), sums[:, 1] - sums[:, 0], atol=0.02
    )
    own = found[np.arange(len(tissue)), tissue.targets]
    assert -np.log(own).mean() == pytest.approx(epoch.val_loss, abs=1e-3)
    assert epoch.loss == pytest.approx(epoch.val_loss, abs=1e-3)


def test_without_a_folder_features_are_kept_nowhere(network: Network, tissue: PatchSet) -> None:
    settings = default_settings(pretrained=True, linear=True)
    model = build(network.name, 2)
    assert fit(model, network, tissue, tissue, settings).best.epoch == 1
