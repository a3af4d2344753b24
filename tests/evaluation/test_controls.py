from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.controls import Control, Trained, controls, lead, linear, majority, nearest
from pycyto.evaluation.looks import Features, looks
from pycyto.manifest import Row
from tests.evaluation.made import called

LABELS = ("NILM", "LSIL", "HSIL")
CLASSES = np.repeat([0, 1, 2], 20)


def coloured(truth: np.ndarray, seed: int) -> Features:
    """Three numbers that give the class away."""
    rng = np.random.default_rng(seed)
    return np.asarray(truth[:, None] * [20.0, 10.0, 5.0] + rng.normal(100, 2, (len(truth), 3)))


def model(truth: Sequence[int] | np.ndarray, said: Sequence[int] | None = None) -> Classified:
    return called(list(truth), list(truth) if said is None else said, LABELS)


def by_colour(train: np.ndarray, of_train: Features, of_test: Features, on: Classified) -> Control:
    return linear("colour only", "", train, (of_train, of_test), on, 0)


def test_majority_knows_the_training_part_only() -> None:
    found = majority(np.array([0, 0, 2]), model([2, 2, 0, 1])).figures
    assert found is not None
    assert (found.accuracy.count, found.accuracy.of) == (1, 4)
    assert (found.worst_miss.count, found.worst_miss.of) == (2, 2)


def test_colour_is_learnt_from_training_and_applied_to_the_test() -> None:
    test = np.repeat([0, 1, 2], 5)
    found = by_colour(CLASSES, coloured(CLASSES, 1), coloured(test, 2), model(test)).figures
    assert found is not None
    assert found.accuracy.count == 15
    # What the test says of its own classes does not reach the control.
    other = by_colour(CLASSES, coloured(CLASSES, 1), coloured(test, 2), model(test * 0)).figures
    assert other is not None
    assert [sum(column) for column in zip(*other.confusion, strict=True)] == [5, 5, 5]


def test_a_class_that_training_lacks_is_never_called() -> None:
    train = np.repeat([0, 2], 9)
    found = by_colour(train, coloured(train, 1), coloured(train, 2), model(train)).figures
    assert found is not None
    assert found.classes[1].precision.of == 0


def without(sizes: Features, unknown: np.ndarray) -> Features:
    """Return numbers that are not known of some cells."""
    return np.where(unknown[:, None], np.nan, sizes)


def test_what_is_known_of_some_cells_is_compared_with_the_model_on_the_same() -> None:
    """The model is right where nothing is known, and nowhere else: the control leads by all."""
    unknown = np.arange(60) % 2 == 0
    said = np.where(unknown, CLASSES, (CLASSES + 1) % 3)
    sizes = without(coloured(CLASSES, 2), unknown)
    found = by_colour(CLASSES, coloured(CLASSES, 1), sizes, model(CLASSES, said.tolist()))
    assert found.figures is not None
    assert found.beside is not None
    assert found.lead is not None
    assert (found.figures.n, found.of, found.beside.n) == (30, 60, 30)
    assert found.figures.confusion == ((10, 0, 0), (0, 10, 0), (0, 0, 10))
    assert found.beside.accuracy.count == 0
    assert (found.lead.value, found.lead.cells, found.lead.groups) == (-1, 30, 30)
    assert found.beaten is False
    told = found.to_json()
    assert (told["cells"], told["cells_compared"]) == (60, 30)
    assert told["figures_of_the_model"]["accuracy"]["count"] == 0


def test_what_is_known_of_all_cells_needs_no_figures_of_the_model_beside() -> None:
    found = by_colour(CLASSES, coloured(CLASSES, 1), coloured(CLASSES, 2), model(CLASSES))
    assert (found.of, found.beside) == (60, None)
    assert found.to_json()["figures_of_the_model"] is None


def test_what_is_known_of_no_cell_or_of_one_class_is_no_control() -> None:
    sizes = coloured(CLASSES, 2)
    for known, reason in (
        (CLASSES > 2, "not known of 60 of 60 cells"),
        (CLASSES == 1, "not known of 40 of 60 cells, and the others are of one class"),
    ):
        found = by_colour(CLASSES, coloured(CLASSES, 1), without(sizes, ~known), model(CLASSES))
        assert (found.figures, found.reason, found.beaten) == (None, reason, None)


def test_by_folds_a_control_learns_from_what_is_known_in_the_others() -> None:
    """In a fold of which nothing is known nobody is asked."""
    fold = np.arange(60) % 3
    cells = replace(model(CLASSES), fold=fold)
    sizes = without(coloured(CLASSES, 2), fold == 0)
    found = by_colour(CLASSES, sizes, sizes, cells).figures
    assert found is not None
    assert (found.n, found.accuracy.count) == (40, 40)
    # The other folds have one class, and nothing can be learnt from that.
    sizes = without(sizes, (fold == 1) & (CLASSES > 0))
    assert by_colour(CLASSES, sizes, sizes, cells).reason == "training cells of 1 classes only"


def test_training_cells_of_which_it_is_not_known_are_left_out() -> None:
    sizes = coloured(CLASSES, 1)
    sizes[::3] = np.nan
    found = by_colour(CLASSES, sizes, coloured(CLASSES, 2), model(CLASSES)).figures
    assert found is not None
    assert found.accuracy.value == pytest.approx(1, abs=0.1)


def test_the_nearest_neighbour_copies_the_training_patch_most_alike() -> None:
    train, thumbnails = np.array([0, 2, 1]), np.array([[0.0, 0], [10, 0], [0, 10]])
    seen = np.array([[1.0, 1], [9, 1], [1, 9], [7, 0]])
    found = nearest(train, (thumbnails, seen), model([0, 2, 1, 1])).figures
    assert found is not None
    assert found.confusion == ((1, 0, 0), (0, 1, 1), (0, 0, 1))


def test_a_model_is_ahead_only_by_all_of_the_interval() -> None:
    truth = list(range(3)) * 20
    right = model(truth)
    chance = replace(right, probabilities=np.tile([0.8, 0.1, 0.1], (60, 1)))
    assert right.called.tolist() == truth
    found = lead(right, chance)
    assert found.value == pytest.approx(1 - 0.5 / 3)
    assert (found.interval or (0, 0))[0] > 0.5
    back = lead(chance, right)
    assert back.value == pytest.approx(-(1 - 0.5 / 3))
    same = lead(right, right)
    assert (same.value, same.interval) == (0, (0, 0))


def test_a_hair_ahead_is_not_beaten() -> None:
    truth = list(range(3)) * 10
    hair = model(truth, [2, *truth[1:]])
    control = replace(model(truth), probabilities=model(truth, [2, 2, *truth[2:]]).probabilities)
    found = lead(hair, control)
    assert (found.value or 0) > 0
    assert (found.interval or (1, 1))[0] <= 0
    assert Control("any", "", lead=found).beaten is False


def trained(rows: Sequence[Row], truth: np.ndarray, brightness: np.ndarray) -> Trained:
    return Trained(rows, truth, looks(patches(brightness)))


def patches(brightness: np.ndarray) -> list[np.ndarray]:
    return [np.full((224, 224, 3), value, np.uint8) for value in brightness]


def cropped(width: int | None) -> Row:
    return Row(
        "p", "1", "o", None, "k", "", "", 0.0, 0.0, 0, 0, 224, 1.0, "", "", "", "",
        original_width=width, original_height=width,
    )  # fmt: skip


def test_all_controls_stand_beside_the_model() -> None:
    """Crops whose size gives the class away, in patches that are otherwise alike."""
    rows = [cropped(60 + 40 * int(label)) for label in CLASSES]
    grey = np.full(60, 100)
    guess = model(CLASSES, np.roll(CLASSES, 10).tolist())
    found = {
        own.name: own
        for own in controls(trained(rows, CLASSES, grey), rows, looks(patches(grey)), guess, 0)
    }
    assert list(found) == [
        "most frequent class", "crop size only", "outline only", "colour only", "padding only",
        "nearest neighbour",
    ]  # fmt: skip
    size = found["crop size only"]
    assert size.figures is not None
    assert size.figures.accuracy.value == 1
    assert size.beaten is False
    assert found["outline only"].reason == "not known of 60 of 60 cells"
    assert found["padding only"].reason == "no training patch leaves its image"
    assert found["most frequent class"].beaten is True


def test_without_training_cells_every_control_says_why_it_is_missing() -> None:
    rows = [cropped(None)] * 2
    nothing = trained([], np.empty(0, np.int64), np.empty(0))
    for own in controls(nothing, rows, looks(patches(np.array([1, 2]))), model([0, 2]), 0):
        assert own.figures is None
        assert own.reason
        assert own.beaten is None
