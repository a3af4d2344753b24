"""Export, predict, load, undo, export again: with a fault somewhere, and then once more without.

Eight seeds in a row share a generated project and one round trip without a fault, the
*reference*: it says how many operations each step has, and where all of it should end.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from tests.faults import checks
from tests.faults.checks import Problem
from tests.faults.generated import chance, generate, one_of
from tests.faults.injection import Blow, Injector
from tests.faults.processes import Ended, attempt, in_child, together
from tests.faults.world import STEPS, World, stubbed

FAULTS: Final = (
    "none", "kill", "torn write", "power cut", "disk full", "no permission", "read only",
    "I/O error", "unreadable", "Ctrl-C", "Ctrl-C at a line", "clock", "two processes",
    "saved during", "saved between", "stale lock", "cells cut",
)  # fmt: skip
PER_PROJECT: Final = 8

_CODES: Final = {
    "disk full": errno.ENOSPC,
    "no permission": errno.EACCES,
    "read only": errno.EROFS,
    "I/O error": errno.EIO,
}
_BLOWS: Final = {
    "kill": "kill", "torn write": "torn", "power cut": "power", "Ctrl-C": "interrupt",
    "Ctrl-C at a line": "interrupt", "saved during": "act",
}  # fmt: skip
# The stand-in's own steps: what it does when a disk is full is QuPath's affair.
_OF_LOADING: Final = ("kill", "torn write", "two processes", "saved between", "stale lock", "clock")
_OTHERS: Final = ("export", "predict", "load", "undo", "export elsewhere")
_SECONDS: Final = 60
# Why a step may refuse for good: the expert has saved over a run, or deleted all cells.
_REASONS: Final = ("needs QuPath", "There is no cell")


@dataclass(frozen=True)
class Fault:
    """One fault, drawn from a seed.

    Attributes
    ----------
    step
        During or before which it comes.
    partner
        What the other of two processes does.
    seconds
        By how much the clock is wrong.
    edits
        Whether the expert works on before the step is done again.
    """

    kind: str
    step: str
    blow: Blow
    partner: str
    seconds: float
    edits: bool


class End(NamedTuple):
    """Where a round trip ended, without what differs from one to the next."""

    rows: list[dict[str, Any]]
    expert: dict[str, str]
    staged: list[dict[str, str]]
    states: list[str]


@dataclass(frozen=True)
class Reference:
    """The round trip without a fault."""

    ended: dict[str, Ended]
    end: End
    problems: Sequence[Problem]


@dataclass
class Trip:
    """What came of one round trip.

    Attributes
    ----------
    faulted
        How the step with the fault ended: ``done``, ``killed``, or the name of an error.
    again
        How it ended without the fault.
    refusals
        What it said where it refused, even after all that the messages ask for was done.
    """

    seed: int
    fault: Fault
    faulted: str = ""
    fired: bool = False
    again: str = ""
    refusals: list[str] = field(default_factory=list)
    bypasses: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


class RoundTrips:
    """Plays round trips in a folder of its own."""

    def __init__(self, place: Path, *, trace: Callable[[str], None] | None = None) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self._place = place
        self._world = World(place)
        self._trace = trace
        self._references: dict[int, Reference] = {}

    def play(self, seed: int, kinds: Sequence[str] = FAULTS) -> Trip:
        """Play the round trip of a seed.

        Parameters
        ----------
        kinds
            Faults to draw from; with others than all the seed means another trip.
        """
        with stubbed(self._place), _time_limit():
            number = seed // PER_PROJECT
            if number not in self._references:
                self._references[number] = self._reference(number)
            reference = self._references[number]
            rng = np.random.default_rng((seed, 3))
            fault = _drawn(rng, reference, kinds)
            self._tell(f"seed {seed}: {fault}")
            trip = Trip(seed, fault, problems=list(reference.problems))
            try:
                _Player(self._world, trip, reference, rng, self._trace).play()
            except Exception:  # noqa: BLE001 - what cannot even be looked at is the worst
                trip.problems.append(Problem("unreadable", traceback.format_exc()))
            return trip

    def _reference(self, number: int) -> Reference:
        """Play without a fault, every step in a child that counts."""
        world, ended = self._world, {}
        problems: list[Problem] = []
        world.create(generate(number, world.uri))
        for step in STEPS:
            _work_on(world, step)
            if not _is_possible(world, step):
                continue
            child = in_child(partial(world.step, step), Injector(str(world.seen), Blow()))
            ended[step] = child
            problems += _problems_of(world, step, child, stale_ok=False)
            problems += checks.of_states(world, step, child.result)
            problems += checks.of_litter(world, step)
            if step == "predict":
                world.take_newest_run()
        return Reference(ended, _end(world), problems)

    def _tell(self, text: str) -> None:
        if self._trace:
            self._trace(text)


class _Player:
    """One round trip under way."""

    def __init__(
        self,
        world: World,
        trip: Trip,
        reference: Reference,
        rng: np.random.Generator,
        trace: Callable[[str], None] | None,
    ) -> None:
        self._world, self._trip, self._reference = world, trip, reference
        self._fault, self._rng, self._trace = trip.fault, rng, trace
        self._saved_by_others = False
        self._is_stale = False

    def play(self) -> None:
        world = self._world
        number = self._trip.seed // PER_PROJECT
        world.create(generate(number, world.uri))
        for step in STEPS:
            _work_on(world, step)
            if not _is_possible(world, step):
                continue
            if step == self._fault.step:
                self._faulted(step)
            self._cleanly(step)
            if step == "predict":
                world.take_newest_run()
        self._compare()

    def _faulted(self, step: str) -> None:
        """Do a step under the fault, and look at what it has left."""
        self._prepare(step)
        for child in self._struck(step):
            self._tell(f"{step}: {child.how} {child.error} {child.text}")
            self._trip.faulted = child.error or child.how
            self._trip.fired |= child.fired
            self._trip.bypasses |= set(child.bypasses)
            if child.how == "raised" and not child.named:
                self._report(Problem("unnamed error", child.text))
            if child.how == "done" and len(self._struck_steps(step)) == 1:
                self._report(*_problems_of(self._world, step, child, stale_ok=True))
                if self._fault.kind != "saved during":
                    self._report(*checks.of_states(self._world, step, child.result))
        self._report(*checks.of_project(self._world, stale_ok=True))
        if self._fault.edits:
            self._mend()
            self._world.edit(self._rng, refresh=True)
            self._saved_by_others = True

    def _prepare(self, step: str) -> None:
        """Do what comes before the step rather than during it."""
        world, kind = self._world, self._fault.kind
        if kind == "clock":
            world.shift_clock(self._fault.seconds)
        elif kind == "saved between":
            world.edit(self._rng, refresh=chance(self._rng, 0.5))
            self._saved_by_others = self._is_stale = True
        elif kind == "stale lock":
            self._leave_lock(step)
        elif kind == "cells cut":
            for path in sorted(world.folder.glob("pycyto/cells/*"))[:1]:
                content = path.read_bytes()
                path.write_bytes(content[: int(self._rng.integers(len(content)))])
            self._is_stale = True

    def _leave_lock(self, step: str) -> None:
        """Leave the note of a process that was killed: a command's or a script's."""
        folder = self._world.out if "export" in step else self._world.folder / "pycyto"
        folder.mkdir(parents=True, exist_ok=True)
        note = {"pid": _dead_process(), "host": socket.gethostname(), "since": "yesterday"}
        if chance(self._rng, 0.5):
            note["by"] = "import_predictions"
        text = json.dumps(note)
        half = chance(self._rng, 0.2)
        (folder / "lock.json").write_text(text[: len(text) // 2] if half else text)

    def _struck_steps(self, step: str) -> list[str]:
        if self._fault.kind != "two processes":
            return [step]
        partner = self._fault.partner
        return [step, partner if _is_possible(self._world, partner) else "predict"]

    def _struck(self, step: str) -> list[Ended]:
        world, root = self._world, str(self._world.seen)
        actions = [partial(world.step, name) for name in self._struck_steps(step)]
        if len(actions) > 1:
            new = partial(_turned, root, self._trace)
            return together(actions, new, self._rng)
        act = partial(world.edit, self._rng, refresh=False)
        self._saved_by_others |= self._fault.blow.kind == "act"
        self._is_stale |= self._fault.blow.kind == "act"
        return [in_child(actions[0], Injector(root, self._fault.blow, act=act, trace=self._trace))]

    def _cleanly(self, step: str) -> None:
        """Do a step without a fault; where it refuses, mend what the message asks for."""
        world, expected = self._world, self._reference.ended.get(step)
        ended = attempt(partial(world.step, step))
        if _differs(ended, expected) and ended.named:
            self._tell(f"{step} again: {ended.error} {ended.text}")
            self._trip.again = self._trip.again or f"refused: {ended.error}"
            self._mend()
            ended = attempt(partial(world.step, step))
        if step == "load" and ended.how == "raised":  # the run is of a state that is gone
            attempt(partial(world.step, "predict"))
            world.take_newest_run()
            ended = attempt(partial(world.step, step))
        self._tell(f"{step} again: {ended.how} {ended.error} {ended.text} {ended.result}")
        if ended.how == "raised" and not ended.named:
            self._report(Problem("unnamed error", ended.text))
        elif _differs(ended, expected):
            self._refused(step, ended, must=expected is not None)
        self._report(*_problems_of(world, step, ended, stale_ok=self._is_stale))
        self._report(*checks.of_states(world, step, ended.result))
        self._report(*checks.of_litter(world, step))

    def _refused(self, step: str, ended: Ended, *, must: bool) -> None:
        """Note a step that refuses although all that can be mended is: it must have a reason."""
        reasons = [reason for reason in _REASONS if reason in ended.text]
        self._trip.refusals.append(f"{step}: {reasons[0] if reasons else ended.text}")
        if must and not reasons and not self._saved_by_others:
            self._report(Problem("stuck", f"{step}: {ended.text}"))

    def _mend(self) -> None:
        self._world.qupath.mend()
        self._is_stale = False

    def _compare(self) -> None:
        """Compare with where the reference ended, or with a fresh export of what is there."""
        found, expected = _end(self._world), self._reference.end
        rows = expected.rows
        # A step that has a reason to refuse, as undo without QuPath, ends elsewhere too.
        elsewhere = self._saved_by_others or self._others_end() or bool(self._trip.refusals)
        if elsewhere or found.expert != expected.expert:
            fresh = self._world.seen / "fresh"
            attempt(lambda: self._world.export(fresh))
            rows = checks.rows_of(fresh)
            shutil.rmtree(fresh, ignore_errors=True)
        elif found[1:] != expected[1:]:
            text = f"run {found.states}, not {expected.states}"
            self._report(Problem("other end", text))
        if found.rows != rows:
            self._report(Problem("other end", _first_difference(rows, found.rows)))

    def _others_end(self) -> bool:
        """Whether the other of two processes has brought the run elsewhere."""
        return self._fault.kind == "two processes" and self._fault.partner in ("load", "undo")

    def _report(self, *problems: Problem) -> None:
        for problem in problems:
            self._tell(f"PROBLEM {problem.sort}: {problem.text}")
        self._trip.problems += problems

    def _tell(self, text: str) -> None:
        if self._trace:
            self._trace(text)


def _drawn(rng: np.random.Generator, reference: Reference, kinds: Sequence[str]) -> Fault:
    kind = one_of(rng, kinds)
    of_reads = kind == "unreadable"
    operations = {
        step: ended.reads if of_reads else ended.writes
        for step, ended in reference.ended.items()
        if step != "load" or kind in _OF_LOADING
    }
    step = one_of(rng, [step for step in operations if operations[step]] or ["export"])
    code = _CODES.get(kind, one_of(rng, (errno.EIO, errno.EACCES)) if of_reads else 0)
    blow = Blow(
        kind="errno" if code else _BLOWS.get(kind, "none"),
        at=int(rng.integers(max(operations[step], 1))) + 1,
        code=code,
        lasting=chance(rng, 0.5),
        of_reads=of_reads,
        lines=int(rng.integers(1, 60)) if kind == "Ctrl-C at a line" else 0,
    )
    sign = one_of(rng, (-1, 1))
    return Fault(
        kind=kind,
        step=step,
        blow=blow,
        partner=step if chance(rng, 0.4) else one_of(rng, _OTHERS),
        seconds=sign * float(10 ** rng.uniform(0, 8.5)),
        edits=chance(rng, 0.15),
    )


def _work_on(world: World, step: str) -> None:
    """Let the expert work on between two steps, in the same way in every trip of a project."""
    before = {"predict": 0, "export again": 1}.get(step)
    if before is None or not world.made.options.edits[before]:
        return
    rng = np.random.default_rng((world.made.seed, 4, before))
    world.edit(rng, refresh=True)
    if chance(rng, 0.3):
        world.replace_picture(rng)


def _is_possible(world: World, step: str) -> bool:
    """Whether there is a run for the steps that are about one."""
    return step not in ("load", "undo") or bool(world.run)


def _differs(ended: Ended, expected: Ended | None) -> bool:
    """Whether a step refused what the reference did; what both refuse is the project's fault."""
    return ended.how == "raised" and (expected is None or ended.error != expected.error)


def _problems_of(world: World, step: str, ended: Ended, *, stale_ok: bool) -> Iterator[Problem]:
    yield from checks.of_project(world, stale_ok=stale_ok)
    if ended.how != "done":
        return
    if step in ("export", "export again", "export elsewhere"):
        yield from checks.of_data_set(Path(ended.result["out"]))
        yield from checks.of_export(ended.result, checks.project_id(world))
    elif step == "predict":
        yield from checks.of_prediction(world, ended.result)
    elif step == "load":
        yield from checks.of_load(world, ended.result)
    elif step == "undo":
        yield from checks.of_undo(world, ended.result)


def _end(world: World) -> End:
    last = {save.entry_id: save for save in world.qupath.saves() if save.by == "expert"}
    expert = {entry_id: json.dumps(save.objects) for entry_id, save in last.items()}
    run = next((run for run in world.stored_runs() if run.name == world.run), None)
    images = [] if run is None else sorted(run.images.items())
    states = [f"{entry_id} {image.state} {image.created}" for entry_id, image in images]
    staged = [] if run is None else checks.staged_rows(run)
    return End(checks.rows_of(world.out), expert, staged, states)


def _first_difference(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> str:
    for one, other in zip(expected, found, strict=False):
        for name, value in one.items():
            if other[name] != value:
                return f"{one['file']}: {name} is {other[name]}, not {value}"
    return f"{len(found)} rows, not {len(expected)}"


def _turned(root: str, trace: Callable[[str], None] | None, turn: Callable[[], None]) -> Injector:
    return Injector(root, Blow(), turn=turn, trace=trace)


def _dead_process() -> int:
    """Return the number of a process that is no more."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"a round trip takes longer than {_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def counted(trips: Sequence[Trip]) -> Counter[str]:
    """Return how many trips have a problem of each sort."""
    return Counter(sort for trip in trips for sort in {problem.sort for problem in trip.problems})
