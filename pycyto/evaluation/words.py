"""Figures as sentences and as text: the part of a report that is read first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pycyto.evaluation.controls import Control
from pycyto.evaluation.metrics import Figures, Share

NOT_DEFINED = "not defined"

# Below these, the next few cells or one more patient can move the figures of a class a lot.
_FEW_CELLS = 30
_FEW_GROUPS = 5


def percent(share: Share) -> str:
    """Return a share in per cent, never rounded to none or to all."""
    if share.value is None:
        return NOT_DEFINED
    digits = 0 if share.of < 200 else 1
    text = f"{100 * share.value:.{digits}f}"
    if share.count and float(text) == 0:
        return "< 0.1 %"
    if share.count < share.of and float(text) == 100:
        return "> 99.9 %"
    return f"{text} %"


def of(share: Share) -> str:
    """Return a share as its two numbers."""
    return f"{share.count} of {share.of}" if share.of else NOT_DEFINED


def number(value: float | None) -> str:
    """Return a figure with two digits."""
    return NOT_DEFINED if value is None else f"{value:.2f}"


def summary(
    figures: Figures,
    groups: Mapping[str, int],
    class_groups: Mapping[str, int],
    others: Mapping[str, Mapping[str, int]],
) -> list[str]:
    """Return the report in a few sentences, what is most dangerous first.

    Parameters
    ----------
    groups
        How many groups of the tested cells rest on ``patient``, ``slide`` and ``image``.
    class_groups
        From how many groups the cells of each class are.
    others
        ``others[label][called]``: tested cells of classes that the model does not know.
    """
    least, worst = figures.labels[0], figures.labels[-1]
    return [
        *_worst_class(figures, least, worst),
        *unknown(others, least),
        *_screening(figures, least),
        f"Measured on {figures.n} cells of {held(groups)} that the model was not trained on.",
        *cautions(figures, class_groups),
    ]


def unknown(others: Mapping[str, Mapping[str, int]], least: str) -> list[str]:
    """Return a sentence for each class of the test that the model cannot call."""
    return [
        f"The model does not know {label}: {seen.get(least, 0)} of {sum(seen.values())} such cells "
        f"were called {least}, and no figure here counts them."
        for label, seen in others.items()
    ]


def cautions(figures: Figures, class_groups: Mapping[str, int]) -> list[str]:
    """Return what these figures cannot say."""
    found = []
    if figures.absent:
        found.append(
            f"No tested cell is {' or '.join(figures.absent)}: nothing is known about how the "
            "model does on such cells, and averages leave them out."
        )
    few = [
        f"{own.support} {own.label} of {class_groups[own.label]}"
        for own in figures.classes
        if own.support and (own.support < _FEW_CELLS or class_groups[own.label] < _FEW_GROUPS)
    ]
    if few:
        found.append(
            f"With so few cells of so few patients, slides or images ({', '.join(few)}), a handful "
            "more can change the figures a lot."
        )
    return found


def held(groups: Mapping[str, int]) -> str:
    """Return the number of groups and what they rest on."""
    names = {"patient": "patients", "slide": "slides", "image": "images"}
    kinds = [
        f"{count} {names.get(level, level) if count > 1 else level}"
        for level, count in groups.items()
        if count
    ]
    return " and ".join(kinds) or "no group"


def beside_controls(figures: Figures, controls: Sequence[Control]) -> tuple[bool, list[str]]:
    """Return whether the model beats every control, and what to say about it."""
    made = {control.name: control.figures for control in controls if control.figures}
    scores = {name: found.macro_f1 for name, found in made.items() if found.macro_f1 is not None}
    if figures.macro_f1 is None or not scores:
        return False, ["No control could be compared, so nothing shows that the model sees cells."]
    name = max(scores, key=lambda key: scores[key])
    beats = figures.macro_f1 > scores[name]
    both = f"macro-F1 {number(figures.macro_f1)} against {number(scores[name])} of “{name}”"
    said = [
        f"The model beats every control that was made ({both})."
        if beats
        else f"The model does not beat a control that looks at no cell ({both}). Its figures are "
        "no evidence that it recognises cells."
    ]
    said += [
        f"“{name}” called fewer {figures.labels[-1]} cells {figures.labels[0]} "
        f"({of(found.worst_miss)}) than the model ({of(figures.worst_miss)})."
        for name, found in made.items()
        if found.worst_miss.count < figures.worst_miss.count
    ]
    return beats, said


def _worst_class(figures: Figures, least: str, worst: str) -> list[str]:
    miss, hits = figures.worst_miss, figures.classes[-1].recall
    if not miss.of:
        return [
            f"There is no {worst} cell among those tested: nothing is known about missed {worst}."
        ]
    return [
        f"{of(miss)} {worst} cells ({percent(miss)}) were called {least}.",
        f"{of(hits)} ({percent(hits)}) were called {worst}.",
    ]


def _screening(figures: Figures, least: str) -> list[str]:
    label = figures.at_least[0].label
    found, kept = figures.at_least[0].sensitivity, figures.at_least[0].specificity
    said = []
    if found.of and len(figures.labels) > 2:
        said.append(
            f"Of {found.of} cells that are {label} or worse, {found.count} ({percent(found)}) were "
            f"called {label} or worse."
        )
    if kept.of:
        said.append(
            f"Of {kept.of} {least} cells, {kept.count} ({percent(kept)}) were called {least}."
        )
    return said
