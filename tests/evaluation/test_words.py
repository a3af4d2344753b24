from __future__ import annotations

import pytest

from pycyto.evaluation import words
from pycyto.evaluation.assisted import Assisted
from pycyto.evaluation.controls import Control, lead
from pycyto.evaluation.intervals import Estimate
from pycyto.evaluation.metrics import Figures, score
from tests.evaluation.made import called

MISSING = (
    "No tested cell is LSIL: nothing is known about how the model does on such cells, and "
    "averages leave them out."
)
FRAGILE = (
    "With so few cells of so few patients, slides or images (2 NILM of 2, 1 ASC-US of 1, "
    "3 HSIL of 3), a handful more can change the figures a lot; below 8 of these no interval "
    "is shown."
)
UNKNOWN = (
    "The model does not know SCC: 2 of 5 such cells were called NILM and 5 less severe than they "
    "are in all, and no figure here counts them."
)


def figures_of(truth: list[int], said: list[int]) -> Figures:
    return score(called(truth, said))


def share(count: int, of: int) -> Estimate:
    return Estimate(count / of if of else None, of, of, count)


def beside(name: str, truth: list[int], model: list[int], control: list[int]) -> Control:
    ours, theirs = called(truth, model), called(truth, control)
    return Control(name, "", score(theirs), lead(ours, theirs))


@pytest.mark.parametrize(
    ("own", "text"),
    [
        (share(0, 0), "not defined"),
        (share(1, 3), "33 %"),
        (share(198, 199), "99 %"),
        (share(1, 5000), "< 0.1 %"),
        (share(4999, 5000), "> 99.9 %"),
        (share(0, 5000), "0.0 %"),
        (share(5000, 5000), "100.0 %"),
        (Estimate(0.99557, 54, 36), "99.6 %"),
        (Estimate(0.00443, 54, 36), "0.4 %"),
        (Estimate(0.9996, 54, 36), "> 99.9 %"),
        (Estimate(1.0, 54, 36), "100.0 %"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(own: Estimate, text: str) -> None:
    assert words.percent(own) == text


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((0.9904, 0.9986), "99.0 to 99.9 %"),
        ((0.0002, 0.99996), "< 0.1 to > 99.9 %"),
        ((0.0, 1.0), "0.0 to 100.0 %"),
        (None, "no interval: too few groups"),
    ],
)
def test_nor_is_an_end_of_its_interval(interval: tuple[float, float] | None, text: str) -> None:
    found = Estimate(0.99557, 54, 36, None, interval, "" if interval else "too few groups")
    assert words.percent_between(found) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.004, "< 1"), (0.5, "50"), (0.9967, "> 99"), (1.0, "100")]
)
def test_nor_is_a_whole_percentage(value: float, text: str) -> None:
    assert words.whole(value) == text


@pytest.mark.parametrize(
    ("value", "interval", "told", "between"),
    [
        (0.2, (0.11, 0.294), "0.20 lost", "0.11 to 0.29"),
        (-0.08, (-0.14, -0.02), "0.08 gained", "0.02 to 0.14"),
        (0.02, (-0.03, 0.07), "0.02 lost", "0.03 gained to 0.07 lost"),
        (0.02, None, "0.02 lost", "no interval: too few groups"),
        (None, None, "not defined", "no interval: too few groups"),
    ],
)
def test_a_drop_below_nothing_is_a_gain(
    value: float | None, interval: tuple[float, float] | None, told: str, between: str
) -> None:
    drop = Estimate(value, 90, 30, None, interval, "" if interval else "too few groups")
    assert (words.lost(drop), words.lost_between(drop)) == (told, between)


def test_what_public_sets_have_as_slides_are_groups() -> None:
    found = {"patient": 2, "slide": 7, "image": 1}
    assert words.held(found) == "2 patients and 7 groups and 1 image"
    assert words.held({"slide": 1}, slide="slide") == "1 slide"


@pytest.mark.parametrize(
    ("seen", "learnt", "linear", "text"),
    [
        (0, False, False, "has not seen these either"),
        (9, False, False, "Training stopped by these"),
        (9, False, True, "does not depend on them"),
        (9, True, False, "has learnt from these, "),
        (4, True, True, "has learnt from 4 of these, "),
    ],
)
def test_what_validation_was_for_is_told(seen: int, learnt: bool, linear: bool, text: str) -> None:
    told = words.of_validation(cells=9, seen=seen, learnt=learnt, linear=linear)
    assert text in told
    assert "epoch" not in told
    assert "thresholds are chosen on them" in told.lower()


def test_missed_hsil_comes_first() -> None:
    said = words.summary(
        figures_of([0, 0, 3, 3, 3, 1], [0, 1, 0, 3, 2, 1]), {"patient": 3, "image": 1}, {}
    )
    assert said == [
        "1 of 3 HSIL cells (33 %) were called NILM.",
        "1 of 3 (33 %) were called HSIL.",
        "Of 4 cells that are ASC-US or worse, 3 (75 %) were called ASC-US or worse.",
        "Of 2 NILM cells, 1 (50 %) were called NILM.",
        "Measured on 6 cells of 3 patients and 1 image that the model was not trained on.",
        MISSING,
        FRAGILE,
    ]


def test_a_test_without_hsil_says_so_first() -> None:
    said = words.summary(figures_of([0, 1], [0, 1]), {"image": 2}, {})
    assert (
        said[0] == "There is no HSIL cell among those tested: nothing is known about missed HSIL."
    )


def test_a_class_that_the_model_does_not_know_is_told() -> None:
    others = {"SCC": {"NILM": 2, "HSIL": 3}}
    said = words.summary(figures_of([0, 3], [0, 3]), {"image": 2}, others)
    assert said[2] == UNKNOWN


def test_where_groups_suffice_the_interval_is_told() -> None:
    truth = [3] * 40 + [0] * 40
    said = words.summary(figures_of(truth, [0] * 4 + truth[4:]), {"patient": 80}, {})
    assert said[0] == "4 of 40 HSIL cells (10 %, 95 % interval 3 to 24 %) were called NILM."


def test_figures_with_two_digits_are_never_rounded_to_one() -> None:
    assert words.number(Estimate(0.9996, 1, 1)) == "> 0.99"
    assert words.number(Estimate(1.0, 1, 1)) == "1.00"
    assert words.number(Estimate(None, 0, 0)) == "not defined"


def test_an_interval_is_told_or_why_there_is_none() -> None:
    assert words.between(Estimate(0.5, 20, 9, 10, (0.314, 0.7))) == "31 to 70 %"
    assert words.between(Estimate(0.5, 20, 9, None, (0.314, 0.7))) == "0.31 to 0.70"
    assert words.between(Estimate(0.9, 900, 9, 810, (0.996, 1))) == "> 99 to 100 %"
    assert words.between(Estimate(0.1, 900, 9, 90, (0, 0.004))) == "0 to < 1 %"
    assert words.between(Estimate(0.99, 900, 9, None, (0.997, 1))) == "> 0.99 to 1.00"
    none = Estimate(0.5, 20, 3, 10, withheld="3 of at least 8 groups")
    assert words.between(none) == "no interval: 3 of at least 8 groups"


TRUTH = [0] * 20 + [3] * 20


def test_a_model_below_a_control_is_told_off() -> None:
    model = [0] * 20 + [0, 0] + [3] * 18
    control = beside("colour only", TRUTH, model, TRUTH)
    beats, said = words.beside_controls(figures_of(TRUTH, model), [control])
    assert beats is False
    assert said[0].startswith(
        "The model does not beat “colour only” (macro-F1 1.00, the model 0.95; 95 % interval of "
    )
    assert said[1:] == [
        "Its figures are no evidence that it recognises cells.",
        "“colour only” called fewer HSIL cells NILM (0 of 20) than the model (2 of 20).",
    ]


def test_an_equal_control_is_not_beaten() -> None:
    found = words.beside_controls(figures_of(TRUTH, TRUTH), [beside("c", TRUTH, TRUTH, TRUTH)])
    assert found[0] is False


def test_one_control_not_beaten_is_enough() -> None:
    controls = [beside("c", TRUTH, TRUTH, TRUTH), beside("d", TRUTH, TRUTH, [0] * 40)]
    beats, said = words.beside_controls(figures_of(TRUTH, TRUTH), controls)
    assert beats is False
    assert not any("“d”" in sentence for sentence in said)


def test_a_better_model_beats_the_best_control() -> None:
    controls = [beside("one", TRUTH, TRUTH, [0] * 40), Control("two", "", reason="no outline")]
    beats, said = words.beside_controls(figures_of(TRUTH, TRUTH), controls)
    assert beats is True
    assert said[0].startswith(
        "The model beats every control that was made. Nearest is “one” (macro-F1 0.33, the "
        "model 1.00; 95 % interval of its lead +0."
    )
    assert said[1:] == ["Not compared: “two” (no outline)."]


def test_a_control_of_some_cells_is_told_with_the_model_on_these() -> None:
    """Three patients with outlines decide nothing, and do not hide what the others do."""
    model = [0] * 20 + [0, 0] + [3] * 18
    some = figures_of([0, 3, 3], [0, 3, 3])
    part = Control(
        "outline only", "", some, Estimate(-0.3, 3, 3, withheld="3 of at least 8 groups"),
        of=40, beside=figures_of([0, 3, 3], [0, 0, 3]),
    )  # fmt: skip
    beats, said = words.beside_controls(
        figures_of(TRUTH, model), [beside("one", TRUTH, model, [0] * 40), part]
    )
    assert beats is None
    undecided = (
        "Whether the model beats “outline only” is not decidable: 3 of at least 8 groups. Nearest "
        "is “outline only” (macro-F1 1.00, the model 0.67, both on 3 of 40 cells)."
    )
    assert said.pop(1).startswith(
        "It beats every other control that was made; nearest is “one” (macro-F1 0.33, the model "
        "0.95; 95 % interval of its lead +0."
    )
    assert said == [
        undecided,
        "“outline only” called fewer HSIL cells NILM (0 of 2) than the model (1 of 2).",
    ]


def test_with_few_groups_nothing_is_decided() -> None:
    truth = [0, 0, 0, 3, 3, 3]
    beats, said = words.beside_controls(
        figures_of(truth, truth), [beside("one", truth, truth, [0] * 6)]
    )
    assert beats is None
    (sentence,) = said
    assert sentence == (
        "Whether the model beats “one” is not decidable: 6 of at least 8 groups. Nearest is “one” "
        "(macro-F1 0.33, the model 1.00)."
    )


def test_without_controls_nothing_is_claimed() -> None:
    found = words.beside_controls(figures_of([0], [0]), [Control("one", "", reason="why")])
    assert found == (
        None,
        ["No control could be compared, so nothing shows that the model sees cells."],
    )


def test_labels_made_with_help_are_told_with_what_they_change() -> None:
    figures, other = figures_of([0, 3], [0, 0]), figures_of([0, 3, 3], [0, 0, 3])
    (left_out,) = words.with_help(Assisted(1, counted=False, other=other), figures)
    assert left_out == (
        "1 tested cell was labelled, or chosen, with a model's help; these are left out here. "
        "With these: macro-F1 0.67 rather than 0.33, 1 of 2 HSIL found rather than 0 of 1, "
        "1 of 2 HSIL called NILM rather than 1 of 1."
    )
    (counted,) = words.with_help(Assisted(2, counted=True, other=None), figures)
    assert counted.endswith("these count here, and without these no cell is left.")
    assert words.with_help(None, figures) == []
