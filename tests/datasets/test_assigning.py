from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pycyto.datasets.assigning import LEAST_DISTANCE, chosen_cells, equal_shares, reading_orders
from pycyto.records import CellKey

CLASSES = ("NILM", "ASC-US", "LSIL", "HSIL")

counts = st.lists(st.integers(0, 40), min_size=4, max_size=4)
seeds = st.integers(0, 1000)


def cells_of(numbers: list[int]) -> dict[CellKey, str]:
    return {
        CellKey("p", "1", f"{name}-{number}"): name
        for name, count in zip(CLASSES, numbers, strict=True)
        for number in range(count)
    }


# --- which cells ------------------------------------------------------------------------------


def test_what_a_small_class_lacks_is_shared_by_the_others() -> None:
    available = {"NILM": 100, "ASC-US": 2, "LSIL": 100, "HSIL": 100}
    assert equal_shares(available, 11) == {"NILM": 3, "ASC-US": 2, "LSIL": 3, "HSIL": 3}
    assert equal_shares(dict.fromkeys(CLASSES, 9), 6) == {
        "NILM": 1, "ASC-US": 1, "LSIL": 2, "HSIL": 2,
    }  # fmt: skip


@given(counts, st.integers(0, 200))
def test_shares_are_as_equal_as_can_be(numbers: list[int], wanted: int) -> None:
    available = dict(zip(CLASSES, numbers, strict=True))
    shares = equal_shares(available, wanted)

    assert sum(shares.values()) == min(wanted, sum(numbers))
    largest = max(shares.values())
    for name, share in shares.items():
        assert share <= available[name]
        assert share >= largest - 1 or share == available[name]


@given(counts, st.integers(1, 100), seeds, st.booleans(), st.randoms())
def test_the_choice_follows_from_cells_and_seed_alone(
    numbers: list[int], wanted: int, seed: int, per_class: bool, shuffler: object
) -> None:
    cells = cells_of(numbers)
    mixed = list(cells.items())
    shuffler.shuffle(mixed)  # type: ignore[attr-defined]
    severity = CLASSES if per_class else None

    chosen = chosen_cells(cells, wanted, seed=seed, severity=severity)
    assert chosen == chosen_cells(dict(mixed), wanted, seed=seed, severity=severity)
    assert len(chosen) == len(set(chosen)) == min(wanted, sum(numbers))
    if per_class:
        found = Counter(cells[cell] for cell in chosen)
        available = dict(zip(CLASSES, numbers, strict=True))
        assert {name: found[name] for name in CLASSES} == equal_shares(available, wanted)


def test_another_seed_chooses_others_and_classes_are_mixed() -> None:
    cells = cells_of([40, 40, 40, 40])
    one, other = (chosen_cells(cells, 40, seed=seed, severity=CLASSES) for seed in (0, 1))
    assert set(one) != set(other)
    assert len({cells[cell] for cell in one[:10]}) > 2


# --- in which order ---------------------------------------------------------------------------


@given(st.integers(1, 300), st.floats(0, 1), seeds)
def test_every_reader_sees_every_cell_and_some_twice_far_apart(
    cells: int, repeat: float, seed: int
) -> None:
    orders = reading_orders(cells, ["A", "B", "C"], repeat=repeat, seed=seed)
    twice = int(repeat * cells + 0.5) or int(repeat > 0)

    seen = [Counter(order) for order in orders.values()]
    repeated = [{cell for cell, times in own.items() if times == 2} for own in seen]
    for order, own, again in zip(orders.values(), seen, repeated, strict=True):
        assert own.keys() == set(range(cells))
        assert len(order) == cells + twice
        assert again == repeated[0]
        for cell in again:
            first, second = (place for place, index in enumerate(order) if index == cell)
            assert second - first >= min(LEAST_DISTANCE, cells)
    assert orders == reading_orders(cells, ["A", "B", "C"], repeat=repeat, seed=seed)


@given(st.integers(30, 100), seeds)
def test_orders_are_the_readers_own(cells: int, seed: int) -> None:
    orders = reading_orders(cells, ["A", "B"], repeat=0.05, seed=seed)
    assert orders["A"] != orders["B"]
    # Not one shifted or turned round either: hardly any cell has the same place.
    same = sum(one == other for one, other in zip(*orders.values(), strict=True))
    assert same < cells / 3
