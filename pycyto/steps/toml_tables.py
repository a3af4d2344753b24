"""Dataclasses from a TOML file, strictly: all that is wrong in it is told at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pycyto import files
from pycyto.errors import BadInputError, itemised
from pycyto.labels import counted, did_you_mean, listed

# Bytes; such files are written by hand.
_LARGEST = 1 << 20
_Kind = TypeVar("_Kind")
# Stands for a value that is wrong, and was told of.
_WRONG = object()

_WANTED = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text in quotes",
}


def read_tables(path: Path, kind: type[_Kind], what: str) -> _Kind:
    """Read a file as a dataclass, whose fields are its keys and tables.

    Parameters
    ----------
    kind
        A dataclass. Its fields are of plain types, of literals, or dataclasses themselves.
    what
        The kind of file, as a message calls it.

    Raises
    ------
    BadInputError
        No TOML; or all of these that there are: keys that do not exist (*did you mean …?*),
        missing ones, values of the wrong kind.
    """
    if not path.is_file():
        raise BadInputError(f"There is no such {what}.", where=path)
    files.check_size(path, _LARGEST)
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"This {what} is not UTF-8 text ({error}).", where=path, remedy="Save it as UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(
            f"This {what} is not valid TOML ({error}).",
            where=path,
            remedy="Look at that place, and at the line before it: text stands in quotes, "
            'folders are written with "/" or in single quotes, and a table of which there can be '
            "several has double brackets, as [[source]].",
        ) from error
    reader = _Reader(what)
    found: _Kind = reader.table(kind, table, "")
    refuse(reader.problems, path, what)
    return found


def refuse(problems: Sequence[str], path: Path, what: str, *, remedy: str | None = None) -> None:
    """Raise an error that names all problems of a file; nothing where there are none.

    Raises
    ------
    BadInputError
        There are some.
    """
    if len(problems) == 1:
        raise BadInputError(problems[0], where=path, remedy=remedy)
    if problems:
        number = counted(len(problems), "thing")
        raise BadInputError(
            f"In this {what} {number} are wrong:\n{itemised(problems)}", where=path, remedy=remedy
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes dataclasses of tables.

    Attributes
    ----------
    what
        The kind of file.
    problems
        What was wrong so far, a sentence or two for each.
    """

    what: str
    problems: list[str] = field(default_factory=list)

    def table(self, kind: Any, table: Mapping[str, Any], place: str) -> Any:
        """Return a table as a dataclass, or `_WRONG`; `place` is how the file calls it."""
        hints, known = get_type_hints(kind), {own.name: own for own in fields(kind)}
        before = len(self.problems)
        for key in table:
            if key not in known:
                hint = did_you_mean(key, known) or f" Known are: {listed(known)}."
                self.problems.append(f"There is no key {key!r} in {self._named(place)}.{hint}")
        for name, own in known.items():
            required = own.default is MISSING and own.default_factory is MISSING
            if required and name not in table:
                missing = f"{self._named(place)} has no {name!r}."
                self.problems.append(missing[0].upper() + missing[1:])
        values = {
            key: self._value(hints[key], value, f"{place}: {key}" if place else key)
            for key, value in table.items()
            if key in known
        }
        return kind(**values) if len(self.problems) == before else _WRONG

    def _named(self, place: str) -> str:
        return place or f"the {self.what}"

    def _value(self, hint: Any, value: Any, name: str) -> Any:
        """Return a value as a hint has it, or `_WRONG`."""
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        for kind in kinds:
            if _fits(kind, value):
                return self._made(kind, value, name)
        words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
        hint_at = did_you_mean(str(value), map(str, words)) if isinstance(value, str) else ""
        wanted = _wanted(kinds, name.rpartition(": ")[2])
        self.problems.append(
            f"{name} = {_as_toml(value)} is not possible.{hint_at or f' It can be {wanted}.'}"
        )
        return _WRONG

    def _made(self, kind: Any, value: Any, name: str) -> Any:
        if is_dataclass(kind):
            return self.table(kind, value, f"[{name}]")
        if get_origin(kind) is Mapping:
            inner = get_args(kind)[1]
            return {key: self._value(inner, own, f"{name}: {key}") for key, own in value.items()}
        if get_origin(kind) is tuple:
            inner = get_args(kind)[0]
            if is_dataclass(inner):
                return tuple(
                    self.table(inner, own, _place(name, number, own))
                    for number, own in enumerate(value, 1)
                )
            return tuple(self._value(inner, own, name) for own in value)
        return value


def _fits(kind: Any, value: object) -> bool:
    """Whether a value is of a kind, whatever is inside it."""
    origin = get_origin(kind)
    if origin is Literal:
        # True is 1 to Python.
        return value in get_args(kind) and not isinstance(value, bool)
    if origin is tuple:
        inner = get_args(kind)[0]
        tables = isinstance(value, list) and all(isinstance(own, dict) for own in value)
        return tables if is_dataclass(inner) else isinstance(value, list)
    if origin is Mapping or is_dataclass(kind):
        return isinstance(value, dict)
    return type(value) in ((int, float) if kind is float else (kind,))


def _wanted(kinds: Sequence[Any], key: str) -> str:
    """Return what a value can be."""
    told = []
    for kind in kinds:
        origin = get_origin(kind)
        if origin is Literal:
            told += [_as_toml(word) for word in get_args(kind)]
        elif origin is tuple:
            inner = get_args(kind)[0]
            table = is_dataclass(inner)
            told.append(f"tables [[{key}]]" if table else f"a list, as in {_example(key, inner)}")
        elif origin is Mapping or is_dataclass(kind):
            told.append("a table")
        elif kind in _WANTED:
            told.append(_WANTED[kind])
    *first, last = told
    return f"{', '.join(first)} or {last}" if first else last


def _example(key: str, kind: Any) -> str:
    words = get_args(kind) if get_origin(kind) is Literal else ()
    plain = {int: [0, 1], float: [60, 20, 20], str: ["one", "two"]}
    return f"{key} = {_as_toml([*words] or plain.get(kind, []))}"


def _place(name: str, number: int, table: Mapping[str, Any]) -> str:
    """Return how one of several tables is called: by its own name, if it has one."""
    own = table.get("name")
    return f"[[{name}]] {own if isinstance(own, str) else f'number {number}'}"


def _as_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_as_toml, value))}]"
    return "{…}" if isinstance(value, dict) else str(value)
