"""Every class is drawn and weighted as asked, every patch by its number alone."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.learning.sampling import Balance, class_weights, draws_of, patch_weights

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60)


def as_targets(labels: list[int]) -> npt.NDArray[np.int32]:
    return np.array(labels, np.int32)


@given(LABELS, st.integers(1, 30), st.integers(1, 5))
def test_each_patch_comes_once_and_the_views_take_turns(
    labels: list[int], epoch: int, views: int
) -> None:
    draws = draws_of(as_targets(labels), epoch=epoch, seed=0, views=views, oversample=False)
    assert sorted(draws.indices) == list(range(len(labels)))
    assert set(draws.views) == {(epoch - 1) % views}


@given(LABELS, st.integers(1, 5))
def test_oversampled_classes_come_equally_often_and_all_patches_before_any_again(
    labels: list[int], views: int
) -> None:
    targets = as_targets(labels)
    draws = draws_of(targets, epoch=1, seed=3, views=views, oversample=True)
    most = np.bincount(targets).max()
    for label in np.unique(targets):
        of_class = draws.indices[targets[draws.indices] == label]
        assert len(of_class) == most
        times = np.bincount(of_class, minlength=len(targets))[targets == label]
        assert times.max() - times.min() <= 1
    for index in np.unique(draws.indices):
        shown = sorted(draws.views[draws.indices == index])
        assert shown == sorted(np.arange(len(shown)) % views)


def test_where_views_are_new_none_comes_twice() -> None:
    targets = as_targets([0, 0, 0, 0, 0, 0, 0, 1, 1])
    seen: set[tuple[int, int]] = set()
    for epoch in (1, 2, 3):
        draws = draws_of(targets, epoch=epoch, seed=0, views=None, oversample=True)
        pairs = set(zip(draws.indices.tolist(), draws.views.tolist(), strict=True))
        assert len(pairs) == len(draws.indices) == 14
        assert not seen & pairs
        seen |= pairs


def test_seed_and_epoch_decide() -> None:
    targets = as_targets([0, 1] * 20)

    def order(seed: int, epoch: int) -> list[int]:
        draws = draws_of(targets, epoch=epoch, seed=seed, views=1, oversample=True)
        return [int(index) for index in draws.indices]

    assert order(1, 1) == order(1, 1)
    assert order(1, 1) != order(1, 2)
    assert order(1, 1) != order(2, 1)


@given(LABELS)
def test_class_weights_are_those_of_scikit_learn(labels: list[int]) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    targets = as_targets(labels)
    present = np.unique(targets)
    expected = compute_class_weight("balanced", classes=present, y=targets)
    for balance in ("weights", "both"):
        found = class_weights(targets, 6, balance)
        # scikit-learn does not know of classes without patches.
        np.testing.assert_allclose(found[present] * 6 / len(present), expected, rtol=1e-6)
        assert not found[np.setdiff1d(np.arange(6), present)].any()


@pytest.mark.parametrize("balance", get_args(Balance))
def test_only_weights_weigh(balance: Balance) -> None:
    weights = class_weights(as_targets([0, 0, 0, 1]), 2, balance)
    assert (weights[0] != weights[1]) == (balance in ("weights", "both"))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=60))
def test_all_sources_and_in_each_all_its_classes_count_alike(cells: list[tuple[int, int]]) -> None:
    sources, labels = (np.array(column) for column in zip(*cells, strict=True))
    weights = patch_weights(labels.astype(np.int32), sources, 4, "sources")
    np.testing.assert_allclose(weights.mean(), 1, rtol=1e-5)
    of_sources = [weights[sources == source].sum() for source in np.unique(sources)]
    np.testing.assert_allclose(of_sources, of_sources[0], rtol=1e-4)
    for source in np.unique(sources):
        own = sources == source
        shares = [weights[own & (labels == label)].sum() for label in np.unique(labels[own])]
        np.testing.assert_allclose(shares, shares[0], rtol=1e-4)


@pytest.mark.parametrize("balance", get_args(Balance))
def test_without_sources_a_patch_has_the_weight_of_its_class(balance: Balance) -> None:
    targets, sources = as_targets([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    found = patch_weights(targets, sources, 2, balance)
    if balance == "sources":
        np.testing.assert_allclose(found, [4 / 2, 4 / 8, 4 / 8, 4 / 4])
    else:
        np.testing.assert_array_equal(found, class_weights(targets, 2, balance)[targets])
