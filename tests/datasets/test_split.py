from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.datasets.groups import diagnosis_of, groups_of
from pycyto.datasets.split import assign, assign_folds
from pycyto.datasets.summary import summary
from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.manifest import UNKNOWN, Row
from pycyto.parts import PARTS
from pycyto.records import CellKey

LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")


def row(
    number: int, label: str, *, image: str, patient: str = UNKNOWN, slide: str = UNKNOWN,
    image_key: str = "", source: str = "lab",
) -> Row:  # fmt: skip
    return Row(
        project_id="project", entry_id=image, object_id=f"object-{number:05}", point_index=None,
        image_key=image_key or f"key of {image}", project_name="", image_name=image,
        centroid_x=0.0, centroid_y=0.0, left=0, top=0, width=224, downsample=1.0, label=label,
        original_label=label, content_hash="", file="", patient=patient, slide=slide, source=source,
    )  # fmt: skip


def patients(count: int, *, cells: int = 4, classes: Sequence[str] = LABELS) -> list[Row]:
    """Each patient has one image and `cells` cells of the classes in turn."""
    return [
        row(p * cells + c, classes[c % len(classes)], image=f"i{p}", patient=f"p{p}")
        for p in range(count)
        for c in range(cells)
    ]


@st.composite
def data_sets(draw: st.DrawFn) -> list[Row]:
    """At least ten images, some of one patient, some of the same pixels, of any classes."""
    images = draw(st.integers(10, 30))
    rows: list[Row] = []
    for image in range(images):
        patient = draw(st.sampled_from([UNKNOWN, "a", "b", "c", f"own {image}"]))
        twin = image - 1 if draw(st.integers(0, 9)) == 0 and image else image
        for _ in range(draw(st.integers(1, 5))):
            label = draw(st.sampled_from(LABELS))
            source = draw(st.sampled_from(["lab", "public"])) if patient == UNKNOWN else "lab"
            key = f"key {twin}"
            cell = row(len(rows), label, image=f"i{image}", patient=patient, image_key=key)
            rows.append(replace(cell, source=source))
    return rows


@settings(deadline=None, max_examples=60)
@given(data_sets(), st.integers(0, 5))
def test_no_group_and_no_image_is_in_two_parts(rows: list[Row], seed: int) -> None:
    if len(groups_of(rows)) < 3:
        return
    parts = assign(rows, seed=seed)
    assert set(parts) == {r.key for r in rows}
    assert set(parts.values()) == set(PARTS)
    for name in ("group", "image_key", "entry_id"):
        found = defaultdict(set)
        for r in rows:
            found[getattr(r, name)].add(parts[r.key])
        assert all(len(seen) == 1 for seen in found.values()), name


@settings(deadline=None, max_examples=30)
@given(data_sets(), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    rows: list[Row], seed: int, shuffler: random.Random
) -> None:
    if len(groups_of(rows)) < 3:
        return
    other = list(rows)
    shuffler.shuffle(other)
    assert assign(rows, seed=seed) == assign(other, seed=seed)


@settings(deadline=None, max_examples=30)
@given(st.integers(5, 60), st.integers(1, 60), st.integers(0, 5))
def test_what_has_a_part_keeps_it_when_data_grow(before: int, more: int, seed: int) -> None:
    grown = patients(before + more)
    first = assign(grown[: before * 4], seed=seed)
    second = assign(grown, seed=seed + 1, previous=first)
    assert {key: second[key] for key in first} == first


@settings(deadline=None, max_examples=60)
@given(
    st.integers(20, 90),
    st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.2, 0.3), (0.6, 0.2, 0.2), (0.34, 0.33, 0.33)]),
    st.integers(0, 3),
)
def test_the_fractions_are_met_within_one_group(
    count: int, fractions: tuple[float, float, float], seed: int
) -> None:
    parts = assign(patients(count), fractions=fractions, seed=seed)
    for part, fraction in zip(PARTS, fractions, strict=True):
        groups = sum(found == part for found in parts.values()) / 4
        assert abs(groups - fraction * count) <= 1


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(3, 12), min_size=4, max_size=4), st.integers(0, 5))
def test_every_class_with_three_groups_is_in_every_part(counts: list[int], seed: int) -> None:
    labels = [name for name, count in zip(LABELS, counts, strict=True) for _ in range(count)]
    rows = [row(n, label, image=f"i{n}") for n, label in enumerate(labels)]
    found = summary(rows, assign(rows, seed=seed))
    assert not any(found.missing.values())


def test_28_patients_give_a_test_part_of_at_least_8() -> None:
    found = summary(patients(28), assign(patients(28), fractions=(0.5, 0.2, 0.3)))
    assert [found.parts[part].groups for part in PARTS] == [14, 6, 8]
    assert found.levels == {"patient": 28, "slide": 0, "image": 0}


def test_three_groups_give_one_to_each_part() -> None:
    assert Counter(assign(patients(3)).values()) == {"train": 4, "validation": 4, "test": 4}


@pytest.mark.parametrize(("groups", "in_parts"), [(1, ["train"]), (2, ["test", "train"])])
def test_a_class_of_few_groups_is_learnt_first_then_tested(
    groups: int, in_parts: list[str]
) -> None:
    rows = patients(20, classes=("NILM",))
    rows += [row(900 + n, "HSIL", image=f"h{n}", patient=f"h{n}") for n in range(groups)]
    parts = assign(rows)
    assert sorted(parts[r.key] for r in rows if r.label == "HSIL") == in_parts
    assert "HSIL" in summary(rows, parts).missing["validation"]


def test_cells_follow_the_fractions_though_patients_differ_in_size() -> None:
    rows = [
        row(p * 100 + c, LABELS[c % 4], image=f"i{p}", patient=f"p{p}")
        for p in range(40)
        for c in range(4 + 2 * p)
    ]
    found = summary(rows, assign(rows, fractions=(0.6, 0.2, 0.2)))
    assert found.parts["train"].cells / len(rows) == pytest.approx(0.6, abs=0.05)
    assert found.parts["test"].cells / len(rows) == pytest.approx(0.2, abs=0.05)


def test_large_groups_go_to_small_parts_too() -> None:
    """Groups of one to nine cells: each part has its share of the cells of each class."""
    rows = [
        row(10 * g + c, LABELS[g % 4], image=f"i{g}") for g in range(400) for c in range(1 + g % 9)
    ]
    found = summary(rows, assign(rows))
    for label in LABELS:
        total = sum(found.by_class[part][label].cells for part in PARTS)
        for part in ("validation", "test"):
            share = found.by_class[part][label].cells / total
            assert share == pytest.approx(0.1, abs=0.015)


def test_each_source_is_spread_over_the_parts() -> None:
    rows = [row(n, "NILM", image=f"i{n}", source="ab"[n % 2]) for n in range(60)]
    parts = assign(rows, fractions=(0.5, 0.25, 0.25))
    tested = Counter(r.source for r in rows if parts[r.key] == "test")
    assert tested["a"] == pytest.approx(tested["b"], abs=1)


def test_seeds_give_different_splits() -> None:
    """Also where patients differ in size, which leaves little to chance."""
    uneven = [
        row(100 * p + c, LABELS[c % 4], image=f"i{p}", patient=f"p{p}")
        for p in range(31)
        for c in range(20 + 2 * p)
    ]
    splits = [assign(uneven, seed=seed) for seed in range(6)]
    tested = {frozenset(key.entry_id for key in parts if parts[key] == "test") for parts in splits}
    assert len(tested) >= 5
    assert assign(uneven, seed=3) == splits[3]


def test_everything_can_be_for_testing() -> None:
    assert set(assign(patients(2), fractions=(0, 0, 1)).values()) == {"test"}


def test_a_cell_that_is_gone_still_holds_the_part_of_its_image() -> None:
    rows = patients(12)
    first = assign(rows)
    gone, again = rows[0], row(999, "HSIL", image=rows[0].entry_id, patient=rows[0].patient)
    second = assign([*rows[4:], again], previous=first)
    assert second[again.key] == first[gone.key]


@pytest.mark.parametrize(
    "fractions", [(0.8, 0.1, 0.2), (0.8, 0.2), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_fractions_must_add_up(fractions: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match=r"do not add up to 1"):
        assign(patients(9), fractions=fractions)


def test_two_patients_are_too_few() -> None:
    with pytest.raises(BadInputError, match=r"2 groups .* for 3 parts(.|\n)*more patients"):
        assign(patients(2))


def test_a_patient_found_to_be_in_two_parts_is_refused() -> None:
    rows = [row(n, "NILM", image=f"i{n}") for n in range(9)]
    first = assign(rows)
    joined = [row(n, "NILM", image=f"i{n}", patient="same") for n in range(9)]
    joined += [row(100 + n, "NILM", image=f"other {n}") for n in range(9)]
    with pytest.raises(RefusedError, match=r"9 of one patient(.|\n)*--reshuffle") as caught:
        assign(joined, previous=first)
    assert "same" not in str(caught.value)


def test_an_image_known_for_some_cells_only_is_one_group() -> None:
    rows = [
        row(0, "NILM", image="i", patient="p"),
        row(1, "NILM", image="i"),
        row(2, "NILM", image="j"),
    ]
    assert [(g.level, len(g.rows)) for g in groups_of(rows)] == [("image", 1), ("patient", 2)]


def test_the_table_says_cells_and_groups() -> None:
    rows = patients(28)
    table = summary(rows, assign(rows, fractions=(0.5, 0.2, 0.3)), ("HSIL", "NILM")).table()
    assert table.splitlines() == [
        "          train  validation    test",
        "HSIL    14 (14)       6 (6)   8 (8)",
        "NILM    14 (14)       6 (6)   8 (8)",
        "ASC-US  14 (14)       6 (6)   8 (8)",
        "LSIL    14 (14)       6 (6)   8 (8)",
        "all     56 (14)      24 (6)  32 (8)",
    ]


@settings(deadline=None, max_examples=30)
@given(data_sets(), st.integers(3, 6), st.integers(0, 5))
def test_a_group_is_in_one_fold_and_no_fold_is_empty(
    rows: list[Row], folds: int, seed: int
) -> None:
    if len(groups_of(rows)) < folds:
        return
    found = assign_folds(rows, folds, seed=seed)
    assert set(found) == {r.key for r in rows}
    assert set(found.values()) == set(range(1, folds + 1))
    assert all(len({found[r.key] for r in group.rows}) == 1 for group in groups_of(rows))


def test_folds_are_about_equal_and_hold_every_class() -> None:
    found = assign_folds(patients(23), 5)
    sizes = Counter(found.values())
    assert {size // 4 for size in sizes.values()} == {4, 5}
    rare = patients(20, classes=("NILM",))
    rare += [row(900 + n, "HSIL", image=f"h{n}", patient=f"h{n}") for n in range(5)]
    folds = assign_folds(rare, 5)
    assert {folds[r.key] for r in rare if r.label == "HSIL"} == {1, 2, 3, 4, 5}


@settings(deadline=None, max_examples=20)
@given(st.integers(5, 40), st.integers(1, 40), st.integers(0, 5))
def test_folds_stay_when_data_grow(before: int, more: int, seed: int) -> None:
    grown = patients(before + more)
    first = assign_folds(grown[: before * 4], 5, seed=seed)
    second = assign_folds(grown, 5, seed=seed + 1, previous=first)
    assert {key: second[key] for key in first} == first


def test_the_number_of_folds_stays_unless_told() -> None:
    first = assign_folds(patients(12), 5)
    with pytest.raises(RefusedError, match=r"5 folds so far(.|\n)*--reshuffle"):
        assign_folds(patients(12), 4, previous=first)
    for folds, told in ((2, "2 folds will not do"), (1, "1 fold will not do")):
        with pytest.raises(UsageError, match=told):
            assign_folds(patients(12), folds)
    with pytest.raises(BadInputError, match=r"4 groups .* for 5 folds"):
        assign_folds(patients(4), 5)


def slides(**counts: int) -> list[Row]:
    """Slides of each diagnosis: three NILM cells each, and one of the diagnosis."""
    names = [name.replace("_", "-") for name, count in counts.items() for _ in range(count)]
    return [
        row(10 * n + c, name if c == 3 else "NILM", image=f"i{n}", slide=f"s{n}")
        for n, name in enumerate(names)
        for c in range(4)
    ]


def cohort(rows: Sequence[Row], parts: dict[CellKey, str], part: str = "test") -> Counter[str]:
    found = (g for g in groups_of(rows) if parts[g.rows[0].key] == part)
    return Counter(map(diagnosis_of, found))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(6, 15), min_size=4, max_size=4), st.integers(1, 5), st.integers(0, 4))
def test_a_cohort_has_so_many_slides_of_each_diagnosis(
    counts: list[int], wanted: int, seed: int
) -> None:
    rows = slides(NILM=counts[0], ASC_US=counts[1], LSIL=counts[2], HSIL=counts[3])
    parts = assign(rows, seed=seed, test_per_diagnosis=wanted)
    assert cohort(rows, parts) == dict.fromkeys(LABELS, wanted)
    if min(counts) - wanted >= 2:
        assert not any(summary(rows, parts).missing.values())
    # The rest stands as 8 to 1, but for the three slides that bring validation every class.
    trained, validated = (cohort(rows, parts, name).total() for name in PARTS[:2])
    assert validated == pytest.approx((trained + validated) / 9, abs=1.5) or validated == 3


def test_a_cohort_stays_when_data_grow() -> None:
    first = slides(NILM=5, ASC_US=5, LSIL=5, HSIL=5)
    parts = assign(first, test_per_diagnosis=2)
    grown = [*first, *(replace(r, entry_id=f"n{r.entry_id}", slide=f"n{r.slide}",
                               image_key=f"n{r.image_key}") for r in first)]  # fmt: skip
    again = assign(grown, test_per_diagnosis=3, previous=parts, seed=4)
    assert again.items() >= parts.items()
    assert cohort(grown, again) == dict.fromkeys(LABELS, 3)


def test_a_cohort_that_would_take_all_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"4 groups .* HSIL at worst: too few to test 4"):
        assign(slides(NILM=9, HSIL=4), test_per_diagnosis=4)
    with pytest.raises(UsageError, match="at least one group"):
        assign(slides(NILM=9, HSIL=4), test_per_diagnosis=0)
    with pytest.raises(UsageError, match="needs fractions too"):
        assign(slides(NILM=9, HSIL=4), fractions=(0, 0, 1), test_per_diagnosis=1)


def test_a_diagnosis_is_the_worst_of_a_scheme() -> None:
    (group,) = groups_of([row(n, label, image="i") for n, label in enumerate(("LSIL", "Zoo"))])
    assert diagnosis_of(group) == "LSIL"
    (other,) = groups_of([row(1, "Zoo", image="i")])
    assert diagnosis_of(other) == "Zoo"


def test_a_cohort_beside_a_split_that_has_another_test_is_refused() -> None:
    rows = slides(NILM=6, HSIL=6)
    first = assign(rows, test_per_diagnosis=2)
    with pytest.raises(RefusedError, match=r"of 3 cannot be made(.|\n)*--reshuffle"):
        assign(rows, test_per_diagnosis=3, previous=first)
    with pytest.raises(RefusedError, match=r"2 groups .* in the test already"):
        assign(rows, test_per_diagnosis=1, previous=first)
    assert assign(rows, test_per_diagnosis=2, previous=first) == first


def test_a_cohort_leaves_somebody_to_learn_from() -> None:
    with pytest.raises(BadInputError, match="Beside the cohort 1 groups"):
        assign(slides(HSIL=9), test_per_diagnosis=8)
