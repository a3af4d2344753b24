"""What reviewers decided on cells of a project's runs: their logs, and what follows from them.

The form of ``decisions/<reviewer>.jsonl`` is in docs/formats.md: the scripts in QuPath write
it. The logs are the truth; a class in QuPath is what came of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any, Literal, cast, get_args
from uuid import UUID

from pycyto.qupath.logs import bad_line, objects_in
from pycyto.records import CellKey

SCHEMA = 1

Action = Literal["class", "accept", "skip", "flag", "take back"]
Shown = Literal["prediction", "nothing"]
Way = Literal["panel", "gallery", "page"]
State = Literal["open", "decided", "flagged", "skipped"]

_LABELLING = ("class", "accept")


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of a log.

    Attributes
    ----------
    decision
        Its UUID.
    at
        When, with its time zone.
    reviewer
        The name as it was typed.
    run
        Name of the run that was reviewed.
    shown
        Whether its prediction was seen when deciding.
    old_class, new_class
        Class of the object in QuPath before and after; None for none.
    label
        The class that was decided, by its name in the scheme; None for a skip, a flag
        and what takes back.
    takes_back
        UUID of the decision that is taken back; None for others.
    seconds
        Time since the cell was shown.
    """

    decision: str
    at: datetime
    reviewer: str
    key: CellKey
    run: str
    shown: Shown
    predicted: str
    probabilities: Mapping[str, float]
    action: Action
    old_class: str | None
    new_class: str | None
    label: str | None
    takes_back: str | None
    seconds: float
    way: Way


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds for a cell after all that was decided on it.

    Attributes
    ----------
    state
        ``open``, ``decided``, ``flagged`` or ``skipped``.
    decided
        The last decision on its class that stands, also where it was flagged since;
        None where there is none.
    lines
        All that was decided on it, the oldest first, also what takes back.
    """

    state: State
    decided: Decision | None
    lines: tuple[Decision, ...]

    @property
    def reviewer(self) -> str:
        """Who has said the last word."""
        return self.lines[-1].reviewer

    def agrees_with(self, class_name: str | None, saved_at: datetime) -> bool:
        """Whether the class in QuPath is one that the review knows of.

        If not, somebody has given the object another class outside it since. That of
        before a decision is known too where the data are older: QuPath was killed, or is
        still to save.

        Parameters
        ----------
        saved_at
            When the image's data were saved.
        """
        last = self.lines[-1]
        unsaved = next((one for one in self.lines if one.at > saved_at), last)
        return class_name in (last.old_class, last.new_class, unsaved.old_class)


def read_decisions(workspace: Path) -> list[Decision]:
    """Return all reviewers' decisions in the order of their time.

    Parameters
    ----------
    workspace
        The folder ``pycyto`` of a project.

    Raises
    ------
    BadInputError
        When a log cannot be read, or a line of it, other than a last one without its
        end, is not what it should be: it names file and line.
    """
    paths = sorted((workspace / "decisions").glob("*.jsonl"))
    return sorted((one for path in paths for one in _decisions_in(path)), key=lambda one: one.at)


def replay(decisions: Iterable[Decision]) -> dict[CellKey, Verdict]:
    """Return what holds for each cell.

    Parameters
    ----------
    decisions
        In the order of their time.
    """
    by_cell: dict[CellKey, list[Decision]] = {}
    for one in decisions:
        by_cell.setdefault(one.key, []).append(one)
    return {key: _verdict(lines) for key, lines in by_cell.items()}


def _verdict(lines: list[Decision]) -> Verdict:
    taken_back = {one.takes_back for one in lines}
    state: State = "open"
    decided = None
    for one in lines:
        if one.decision in taken_back:
            continue
        if one.action in _LABELLING:
            state, decided = "decided", one
        elif one.action == "flag":
            state = "flagged"
        elif one.action == "skip" and state == "open":
            state = "skipped"
    return Verdict(state, decided, tuple(lines))


def _decisions_in(path: Path) -> Iterator[Decision]:
    for number, content in objects_in(path):
        try:
            yield _decision(content)
        except KeyError as error:
            raise bad_line(path, number, f"it has no {error}") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise bad_line(path, number, str(error)) from error


def _decision(content: Mapping[str, Any]) -> Decision:
    if content["schema"] != SCHEMA:
        raise ValueError(f"it has schema {content['schema']!r}; this version reads {SCHEMA}")
    made = Decision(
        decision=_uuid(content, "decision"),
        at=_time(_text(content, "at")),
        reviewer=_text(content, "reviewer"),
        key=_key(content),
        run=_text(content, "run"),
        shown=cast("Shown", _one_of(content, "shown", get_args(Shown))),
        predicted=_text(content, "predicted"),
        probabilities=_probabilities(content["probabilities"]),
        action=cast("Action", _one_of(content, "action", get_args(Action))),
        old_class=_text_or_none(content, "old_class"),
        new_class=_text_or_none(content, "new_class"),
        label=_text_or_none(content, "label"),
        takes_back=_uuid(content, "takes_back") if content["takes_back"] is not None else None,
        seconds=_number(content["seconds"]),
        way=cast("Way", _one_of(content, "way", get_args(Way))),
    )
    if (made.label is not None) != (made.action in _LABELLING):
        raise ValueError(f"its action is {made.action!r} and its label {made.label!r}")
    if (made.takes_back is not None) != (made.action == "take back"):
        raise ValueError(f"its action is {made.action!r} and it takes back {made.takes_back!r}")
    return made


def _key(content: Mapping[str, Any]) -> CellKey:
    point = content["point_index"]
    if point is not None and (type(point) is not int or point < 0):
        raise ValueError(f"its point_index is {point!r}")
    project_id, entry_id = _text(content, "project_id"), _text(content, "entry_id")
    return CellKey(project_id, entry_id, _uuid(content, "object_id"), point)


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"its {name} is {value!r}")
    return value


def _text_or_none(content: Mapping[str, Any], name: str) -> str | None:
    return None if content[name] is None else _text(content, name)


def _uuid(content: Mapping[str, Any], name: str) -> str:
    text = _text(content, name)
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError(f"its {name} is {text!r}, which is no UUID") from None


def _one_of(content: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    text = _text(content, name)
    if text not in known:
        raise ValueError(f"its {name} is {text!r}; known are: {', '.join(known)}")
    return text


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"its time {text!r} has no time zone")
    return found


def _probabilities(value: Mapping[str, Any]) -> dict[str, float]:
    return {label: _number(chance) for label, chance in value.items()}


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError(f"{str(value)[:40]!r} where a number should be")
    return float(value)
