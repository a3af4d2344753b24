from __future__ import annotations

import numpy as np
import pytest

from pycyto.evaluation import words
from pycyto.evaluation.controls import Control
from pycyto.evaluation.metrics import Figures, Share, score

LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")
MISSING = (
    "No tested cell is LSIL: nothing is known about how the model does on such cells, and "
    "averages leave them out."
)
FRAGILE = (
    "With so few cells of so few patients, slides or images (2 NILM of 2, 1 ASC-US of 2, "
    "3 HSIL of 2), a handful more can change the figures a lot."
)
UNKNOWN = (
    "The model does not know SCC: 2 of 5 such cells were called NILM, and no figure here "
    "counts them."
)
FEW = dict.fromkeys(LABELS, 2)


def figures_of(truth: list[int], said: list[int]) -> Figures:
    return score(np.array(truth, np.int64), np.eye(4)[said], LABELS)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Share(0, 0), "not defined"),
        (Share(1, 3), "33 %"),
        (Share(198, 199), "99 %"),
        (Share(1, 5000), "< 0.1 %"),
        (Share(4999, 5000), "> 99.9 %"),
        (Share(0, 5000), "0.0 %"),
        (Share(5000, 5000), "100.0 %"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share: Share, text: str) -> None:
    assert words.percent(share) == text


def test_missed_hsil_comes_first() -> None:
    said = words.summary(
        figures_of([0, 0, 3, 3, 3, 1], [0, 1, 0, 3, 2, 1]), {"patient": 3, "image": 1}, FEW, {}
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
    said = words.summary(figures_of([0, 1], [0, 1]), {"image": 2}, FEW, {})
    assert (
        said[0] == "There is no HSIL cell among those tested: nothing is known about missed HSIL."
    )


def test_a_class_that_the_model_does_not_know_is_told() -> None:
    others = {"SCC": {"NILM": 2, "HSIL": 3}}
    said = words.summary(figures_of([0, 3], [0, 3]), {"image": 2}, FEW, others)
    assert said[2] == UNKNOWN


def test_a_model_below_a_control_is_told_off() -> None:
    model, control = figures_of([0, 3, 3], [0, 0, 3]), figures_of([0, 3, 3], [0, 3, 3])
    beats, said = words.beside_controls(model, [Control("colour only", "", control)])
    assert not beats
    assert said[0].startswith("The model does not beat a control that looks at no cell")
    assert said[1] == (
        "“colour only” called fewer HSIL cells NILM (0 of 2) than the model (1 of 2)."
    )


def test_an_equal_control_is_not_beaten() -> None:
    same = figures_of([0, 3], [0, 3])
    assert not words.beside_controls(same, [Control("c", "", same)])[0]


def test_a_better_model_beats_the_best_control() -> None:
    controls = [
        Control("one", "", figures_of([0, 3], [0, 0])),
        Control("two", "", None, "no outline"),
    ]
    beats, said = words.beside_controls(figures_of([0, 3], [0, 3]), controls)
    assert beats
    assert said == [
        "The model beats every control that was made (macro-F1 1.00 against 0.33 of “one”)."
    ]


def test_without_controls_nothing_is_claimed() -> None:
    found = words.beside_controls(figures_of([0], [0]), [Control("one", "", None, "why")])
    assert found == (
        False,
        ["No control could be compared, so nothing shows that the model sees cells."],
    )
