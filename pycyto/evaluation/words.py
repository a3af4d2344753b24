"""Figures as sentences and as text: the part of a report that is read first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pycyto.evaluation.assisted import Assisted
from pycyto.evaluation.controls import Control
from pycyto.evaluation.intervals import MIN_GROUPS, Estimate
from pycyto.evaluation.metrics import Figures
from pycyto.labels import SEVERITY, counted

NOT_DEFINED = "not defined"

# Below this, the next few cells can move the figures of a class a lot.
_FEW_CELLS = 30

# A class of which a model finds less than this share it does not know.
_HARDLY = 0.5


def percent(share: Estimate) -> str:
    """Return a share in per cent, never rounded to none or to all."""
    if share.value is None:
        return NOT_DEFINED
    # Of fewer cells no share but 0 and 1 is rounded to these; what counts no cells may be any.
    few = share.count is not None and share.of < 200
    return f"{_rounded(share.value, 0 if few else 1)} %"


def of(share: Estimate) -> str:
    """Return a share as its two numbers."""
    return f"{share.count} of {share.of}" if share.of else NOT_DEFINED


def number(found: Estimate) -> str:
    """Return a figure with two digits, never rounded to 1."""
    return NOT_DEFINED if found.value is None else two_digits(found.value)


def between(found: Estimate) -> str:
    """Return the interval of a figure, or why there is none."""
    if found.interval is None:
        return f"no interval: {found.withheld}"
    low, high = found.interval
    if found.count is None:
        return f"{two_digits(low)} to {two_digits(high)}"
    return f"{whole(low)} to {whole(high)} %"


def percent_between(found: Estimate) -> str:
    """Return the interval of a share that counts no cells in per cent, or why there is none."""
    if found.interval is None:
        return between(found)
    low, high = (_rounded(end, 1) for end in found.interval)
    return f"{low} to {high} %"


def lost(drop: Estimate) -> str:
    """Return a drop in words: what is below 0 is gained."""
    return NOT_DEFINED if drop.value is None else _lost(drop.value)


def lost_between(drop: Estimate) -> str:
    """Return the interval of a drop as `lost` tells it, or why there is none."""
    if drop.interval is None:
        return between(drop)
    low, high = drop.interval
    if low < 0 < high:
        return f"{_lost(low)} to {_lost(high)}"
    least, most = sorted((abs(low), abs(high)))
    return f"{two_digits(least)} to {two_digits(most)}"


def whole(share: float) -> str:
    """Return a share as a percentage without digits, never rounded to 0 or to 100."""
    return _rounded(share, 0)


def in_brackets(share: Estimate) -> str:
    """Return a share in per cent, with its interval where it has one."""
    known = f", 95 % interval {between(share)}" if share.interval else ""
    return f"({percent(share)}{known})"


def summary(
    figures: Figures,
    groups: Mapping[str, int],
    others: Mapping[str, Mapping[str, int]],
    *,
    folds: int = 0,
) -> list[str]:
    """Return the report in a few sentences, what is most dangerous first.

    Parameters
    ----------
    groups
        How many groups of the tested cells rest on ``patient``, ``slide`` and ``image``.
    others
        ``others[label][called]``: tested cells of classes that the model does not know.
    """
    least, worst = figures.labels[0], figures.labels[-1]
    return [
        *_worst_class(figures, least, worst),
        *unknown(others, least),
        *_screening(figures, least),
        *_hardly_known(figures),
        f"Measured on {counted(figures.n, 'cell')} of {held(groups)}{_seen_by(folds)}.",
        *cautions(figures),
    ]


def _seen_by(folds: int) -> str:
    return (
        ", each by a model that was not trained on it"
        if folds
        else " that the model was not trained on"
    )


def by_folds(folds: int) -> list[str]:
    """Return a sentence about models of several folds that stand for one; none for 0."""
    if not folds:
        return []
    told = (
        f"Each cell was classified by one of {folds} models that had learnt in the same way from "
        "other groups: the model itself has learnt from all of them."
    )
    return [told]


def unknown(others: Mapping[str, Mapping[str, int]], least: str) -> list[str]:
    """Return a sentence for each class of the test that the model cannot call."""
    return [
        f"The model does not know {label}: {seen.get(least, 0)} of {sum(seen.values())} such cells "
        f"were called {least}{_below(label, seen)}, and no figure here counts them."
        for label, seen in others.items()
    ]


def _below(label: str, seen: Mapping[str, int]) -> str:
    if label not in SEVERITY:
        return ""
    below = SEVERITY[: SEVERITY.index(label)]
    return f" and {sum(seen.get(name, 0) for name in below)} less severe than they are in all"


def of_validation(*, cells: int, seen: int, learnt: bool, linear: bool) -> str:
    """Return what a report must say beside figures of validation cells.

    Parameters
    ----------
    cells, seen
        How many there are, and how many of these had a part in the model's training.
    learnt
        Whether what was seen was learnt from, and no cell kept aside.
    linear
        Whether the model has a linear head, of which no epoch is chosen.
    """
    if not seen:
        return "The model has not seen these either; thresholds are chosen on them."
    if learnt:
        which = "these" if seen == cells else f"{seen} of these"
        return (
            f"The model has learnt from {which}, and thresholds are chosen on them, so that they "
            "flatter: figures here say nothing about new patients."
        )
    if linear:
        return (
            "The model has not learnt from these. Thresholds are chosen on them, and they fit the "
            "temperature where there is one; what a cell is called does not depend on them."
        )
    return (
        "Training stopped by these and thresholds are chosen on them, so that they flatter: far "
        "better figures here than above mean that the model will do worse on new patients."
    )


def with_help(assisted: Assisted | None, figures: Figures) -> list[str]:
    """Return what there is to say about labels that a model had a part in."""
    if assisted is None:
        return []
    one = assisted.cells == 1
    made = (
        f"{counted(assisted.cells, 'tested cell')} {'was' if one else 'were'} labelled, or chosen, "
        "with a model's help"
    )
    way = "Without" if assisted.counted else "With"
    kept = "these count here" if assisted.counted else "these are left out here"
    if assisted.other is None:
        return [f"{made}; {kept}, and without these no cell is left."]
    other, most, least = assisted.other, figures.labels[-1], figures.labels[0]
    changed = (
        f"macro-F1 {number(other.macro_f1)} rather than {number(figures.macro_f1)}",
        f"{of(other.classes[-1].recall)} {most} found rather than {of(figures.classes[-1].recall)}",
        f"{of(other.worst_miss)} {most} called {least} rather than {of(figures.worst_miss)}",
    )
    return [f"{made}; {kept}. {way} these: {', '.join(changed)}."]


def cautions(figures: Figures) -> list[str]:
    """Return what these figures cannot say."""
    found = []
    if figures.absent:
        found.append(
            f"No tested cell is {' or '.join(figures.absent)}: nothing is known about how the "
            "model does on such cells, and averages leave them out."
        )
    few = [
        f"{own.support} {own.label} of {own.groups}"
        for own in figures.classes
        if own.support and (own.support < _FEW_CELLS or own.groups < MIN_GROUPS)
    ]
    if few:
        found.append(
            f"With so few cells of so few patients, slides or images ({', '.join(few)}), a handful "
            f"more can change the figures a lot; below {MIN_GROUPS} of these no interval is shown."
        )
    return found


def held(groups: Mapping[str, int], *, slide: str = "group") -> str:
    """Return the number of groups and what they rest on.

    Parameters
    ----------
    slide
        What a slide is called: public sets have no more for it than a part of a file's name.
    """
    names = {level: slide if level == "slide" else level for level in groups}
    kinds = [counted(count, names[level]) for level, count in groups.items() if count]
    return " and ".join(kinds) or "no group"


def beside_controls(figures: Figures, controls: Sequence[Control]) -> tuple[bool | None, list[str]]:
    """Return whether the model beats every control, and what to say about it.

    It beats a control where all of the interval of its lead is above 0. None
    stands for "not decidable": no control could be made, or the groups are too few.
    """
    made = [control for control in controls if control.figures]
    left = [f"“{own.name}” ({own.reason})" for own in controls if not own.figures]
    untold = [f"Not compared: {', '.join(left)}."] if left else []
    if not made:
        return None, ["No control could be compared, so nothing shows that the model sees cells."]
    lost = [control for control in made if control.beaten is False]
    undecided = [control for control in made if control.beaten is None]
    misses = _misses_more(figures, made)
    if lost:
        said = [f"The model does not beat {_compared(figures, own)}." for own in lost]
        said.append("Its figures are no evidence that it recognises cells.")
        return False, [*said, *misses, *untold]
    if undecided:
        names = ", ".join(f"“{own.name}”" for own in undecided)
        why = undecided[0].lead.withheld if undecided[0].lead else NOT_DEFINED
        nearest = _compared(figures, min(undecided, key=_lead_of))
        said = [f"Whether the model beats {names} is not decidable: {why}. Nearest is {nearest}."]
        if others := [control for control in made if control.beaten]:
            nearest = _compared(figures, min(others, key=_lead_of))
            said.append(f"It beats every other control that was made; nearest is {nearest}.")
        return None, [*said, *misses, *untold]
    nearest = _compared(figures, min(made, key=_lead_of))
    said = [f"The model beats every control that was made. Nearest is {nearest}."]
    return True, [*said, *misses, *untold]


def _lead_of(control: Control) -> float:
    value = control.lead.value if control.lead else None
    return float("inf") if value is None else value


def _compared(figures: Figures, control: Control) -> str:
    """Return a control beside the model, in words."""
    theirs, lead = control.figures, control.lead
    if theirs is None or lead is None or lead.value is None:
        return f"“{control.name}” (macro-F1 is not defined)"
    ours = control.beside or figures
    both = f"macro-F1 {number(theirs.macro_f1)}, the model {number(ours.macro_f1)}"
    if control.beside:
        both += f", both on {theirs.n} of {control.of} cells"
    if lead.interval is None:
        return f"“{control.name}” ({both})"
    low, high = lead.interval
    return f"“{control.name}” ({both}; 95 % interval of its lead {low:+.2f} to {high:+.2f})"


def _misses_more(figures: Figures, controls: Sequence[Control]) -> list[str]:
    return [text for own in controls if own.figures for text in _fewer(figures, own, own.figures)]


def _fewer(figures: Figures, control: Control, theirs: Figures) -> list[str]:
    """Return a sentence where a control missed less than the model on the same cells."""
    ours = (control.beside or figures).worst_miss
    if (theirs.worst_miss.count or 0) >= (ours.count or 0):
        return []
    told = (
        f"“{control.name}” called fewer {figures.labels[-1]} cells {figures.labels[0]} "
        f"({of(theirs.worst_miss)}) than the model ({of(ours)})."
    )
    return [told]


def two_digits(value: float) -> str:
    """Return a number with two digits, never rounded to 1."""
    text = f"{value:.2f}"
    return "> 0.99" if text == "1.00" and value < 1 else text


def _lost(value: float) -> str:
    return f"{two_digits(abs(value))} {'gained' if value < 0 else 'lost'}"


def _rounded(share: float, digits: int) -> str:
    """Return a share as a percentage, never rounded to 0 or to 100."""
    text, least = f"{100 * share:.{digits}f}", 10.0**-digits
    if share > 0 and float(text) == 0:
        return f"< {least:g}"
    if share < 1 and float(text) == 100:
        return f"> {100 - least:g}"
    return text


def _worst_class(figures: Figures, least: str, worst: str) -> list[str]:
    miss, hits = figures.worst_miss, figures.classes[-1].recall
    if not miss.of:
        return [
            f"There is no {worst} cell among those tested: nothing is known about missed {worst}."
        ]
    return [
        f"{of(miss)} {worst} cells {in_brackets(miss)} were called {least}.",
        f"{of(hits)} {in_brackets(hits)} were called {worst}.",
    ]


def _hardly_known(figures: Figures) -> list[str]:
    """Return a sentence for each class, but the most severe, that is mostly called another."""
    return [
        f"{own.label} is hardly recognised: {of(own.recall)} {in_brackets(own.recall)} were called "
        "so."
        for own in figures.classes[:-1]
        if own.recall.value is not None and own.recall.value < _HARDLY
    ]


def _screening(figures: Figures, least: str) -> list[str]:
    label = figures.at_least[0].label
    found, kept = figures.at_least[0].sensitivity, figures.at_least[0].specificity
    said = []
    if found.of and len(figures.labels) > 2:
        said.append(
            f"Of {found.of} cells that are {label} or worse, {found.count} {in_brackets(found)} "
            f"were called {label} or worse."
        )
    if kept.of:
        said.append(
            f"Of {kept.of} {least} cells, {kept.count} {in_brackets(kept)} were called {least}."
        )
    return said
