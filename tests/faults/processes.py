"""Steps in processes of their own, so that one can be killed, or two can meet."""

from __future__ import annotations

import json
import os
import select
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from pycyto.errors import PycytoError
from tests.faults.injection import Injector
from tests.faults.stand_in import ScriptRefused

Action = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Ended:
    """How a step ended.

    Attributes
    ----------
    result
        What it returned, where it returned.
    error, text, named
        Type and words of what it raised, and whether that is one of pycyto's own errors.
    writes, reads, fired, bypasses
        What the injector saw; none of it where the process was killed.
    """

    how: Literal["done", "raised", "interrupted", "killed"]
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    text: str = ""
    named: bool = False
    writes: int = 0
    reads: int = 0
    fired: bool = True
    bypasses: Sequence[str] = ()


def attempt(action: Action) -> Ended:
    """Do a step here, and say how it ended."""
    try:
        return Ended("done", action())
    except KeyboardInterrupt:
        return Ended("interrupted")
    except (PycytoError, ScriptRefused) as error:
        return Ended("raised", error=type(error).__name__, text=str(error), named=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the harness looks for
        return Ended("raised", error=type(error).__name__, text=traceback.format_exc())


def in_child(action: Action, injector: Injector) -> Ended:
    """Do a step in a forked child under an injector."""
    return _Child(action, injector).ended()


def together(
    actions: Sequence[Action],
    injector: Callable[[Callable[[], None]], Injector],
    rng: np.random.Generator,
) -> list[Ended]:
    """Do steps at the same time in a child each; which may do its next operation is drawn."""
    children: list[_Child] = []
    for action in actions:
        turns = _Turns()
        children.append(_Child(action, injector(turns.wait), turns))
        turns.started()
    going = [child.turns for child in children if child.turns is not None]
    while waiting := [turns for turns in going if turns.asks()]:
        waiting[int(rng.integers(len(waiting)))].go()
    return [child.ended() for child in children]


class _Turns:
    """Two pipes: the child asks whether it may go on, and is told so."""

    def __init__(self) -> None:
        self._asked, self._ask = os.pipe()
        self._told, self._tell = os.pipe()
        self._over = False
        self._has_asked = False

    def wait(self) -> None:
        """Wait, in the child, for its turn."""
        os.write(self._ask, b".")
        os.read(self._told, 1)

    def started(self) -> None:
        """Close, in the parent, the child's ends."""
        os.close(self._ask)
        os.close(self._told)

    def asks(self) -> bool:
        """Wait until the child asks or has ended; True if it asks."""
        if not self._over and not self._has_asked:
            select.select([self._asked], [], [])
            self._has_asked = bool(os.read(self._asked, 1))
            self._over = not self._has_asked
            if self._over:
                os.close(self._asked)
                os.close(self._tell)
        return not self._over

    def go(self) -> None:
        """Let the child go on."""
        self._has_asked = False
        os.write(self._tell, b".")


class _Child:
    def __init__(self, action: Action, injector: Injector, turns: _Turns | None = None) -> None:
        self.turns = turns
        self._pipe, answer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _live(action, injector, answer)
        os.close(answer)

    def ended(self) -> Ended:
        with os.fdopen(self._pipe, "rb") as stream:
            told = stream.read()
        os.waitpid(self._pid, 0)
        return Ended(**json.loads(told)) if told else Ended("killed")


def _live(action: Action, injector: Injector, answer: int) -> None:
    """Be the child; never returns."""
    try:
        injector.install()
        ended = attempt(action)
        injector.retire()
        seen = {name: getattr(injector, name) for name in ("writes", "reads", "fired")}
        said = {**asdict(ended), **seen, "bypasses": sorted(injector.bypasses)}
        with os.fdopen(answer, "wb") as stream:
            stream.write(json.dumps(said).encode())
    finally:
        os._exit(0)
