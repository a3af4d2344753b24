"""Which class of the scheme a source's class becomes: one table per source, with reasons.

A table is TOML::

    source = "herlev"
    version = 1
    scheme = "bethesda"

    [[class]]
    original = "moderate_dysplastic"
    label = "HSIL"                   # without it, cells of this class are left out
    reason = "…"
    reference = "…"
    contested = true
    alternatives = ["LSIL", "none"]  # what --alternative may choose instead; none leaves out
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from pycyto import files
from pycyto.errors import BadInputError, UsageError, itemised
from pycyto.labels import SCHEMES, LabelScheme, counted, did_you_mean, listed

# What an alternative is called that leaves the cells of a class out.
LEFT_OUT = "none"

_LARGEST = 1 << 20
_KEYS = {"source": str, "version": int, "scheme": str, "class": list}


@dataclass(frozen=True, slots=True)
class Mapped:
    """One class of a source.

    Attributes
    ----------
    label
        The class of the scheme, or None where its cells are left out.
    reason, reference
        Why, and who says so.
    contested
        Whether others map it otherwise.
    alternatives
        What a user may choose instead; `LEFT_OUT` leaves its cells out.
    """

    original: str
    reason: str
    label: str | None = None
    reference: str = ""
    contested: bool = False
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """The classes of one source.

    Attributes
    ----------
    sha256
        Of the file; empty for a table that comes from the scheme itself.
    """

    source: str
    version: int
    scheme: LabelScheme
    classes: Mapping[str, Mapped]
    sha256: str = ""
    chosen: Mapping[str, str] = field(default_factory=dict)

    def find(self, original: str) -> Mapped | None:
        """Return what becomes of a class, whatever its upper and lower case; None if unknown.

        A table that comes from the scheme takes every spelling that the scheme takes.
        """
        spelt = None if self.sha256 else self.scheme.find(original)
        return self.classes.get(_plain(spelt or original))

    def near(self, original: str) -> str:
        """Return a question that names the class of the table that was perhaps meant.

        A class of the scheme is not misspelt, and its neighbour another diagnosis.
        """
        if self.scheme.find(original) is not None:
            return f" It is a class of {self.scheme.name}, and the table has no line for it."
        return did_you_mean(original, self.originals)

    @property
    def originals(self) -> list[str]:
        """Its classes as the source calls them."""
        return [row.original for row in self.classes.values()]

    def to_json(self) -> dict[str, Any]:
        """Return what a record keeps of it."""
        return {
            "source": self.source,
            "version": self.version,
            "scheme": self.scheme.name,
            "classes": {row.original: row.label for row in self.classes.values()},
            "alternatives": dict(self.chosen),
        }


def shipped(source: str) -> Table:
    """Return the table that comes with pycyto."""
    file = resources.files("pycyto").joinpath("datasets", "tables", f"{source}.toml")
    return _table(file.read_bytes(), Path(f"{source}.toml"))


def own(path: Path, source: str, scheme: LabelScheme | None = None) -> Table:
    """Read a user's table; where no scheme is given, the table says which.

    Raises
    ------
    BadInputError
        When it cannot be read, is for another source or scheme, has an unknown key, a class
        twice, a row without a reason, or a label that the scheme has not.
    """
    if not path.is_file():
        _refuse("There is no such table of classes.", path)
    files.check_size(path, _LARGEST)
    with files.readable(path):
        content = path.read_bytes()
    table = _table(content, path)
    if table.source != source:
        other = f", or call the source so: --name {table.source}" if scheme is None else ""
        raise BadInputError(
            f"This table is for {table.source!r}, not for {source!r}.",
            where=path,
            remedy=f'Write source = "{source}" into the table{other}.',
        )
    if scheme is not None and table.scheme is not scheme:
        _refuse(f"This table is for the scheme {table.scheme.name}, not {scheme.name}.", path)
    return table


def of_scheme(source: str, scheme: LabelScheme) -> Table:
    """Return the table of a source that uses the names of the scheme: each class as it is."""
    rows = {_plain(name): Mapped(name, "as it is called", name) for name in scheme.names}
    return Table(source, 0, scheme, rows)


def with_alternatives(table: Table, words: Sequence[str]) -> Table:
    """Return a table with other choices for contested classes, each as ``CLASS=LABEL``.

    Raises
    ------
    UsageError
        When the class or the label is none that the table offers.
    """
    rows, chosen = dict(table.classes), {}
    for word in words:
        original, equals, label = word.rpartition("=")
        row = table.find(original)
        if not equals or row is None:
            raise UsageError(
                f"--alternative {word} names no class of this source.{table.near(original)}",
                remedy=f"Those with a choice: {_offers(table.classes.values())}.",
            )
        if label not in row.alternatives:
            raise UsageError(
                f"--alternative {word}: the table does not offer this.",
                remedy=f"Those with a choice: {_offers(table.classes.values())}. "
                "For any other, write a table of your own (--table).",
            )
        rows[_plain(original)] = replace(row, label=None if label == LEFT_OUT else label)
        chosen[row.original] = label
    return replace(table, classes=rows, chosen=chosen)


def _offers(rows: Iterable[Mapped]) -> str:
    return listed(f"{row.original}={label}" for row in rows for label in row.alternatives)


def _table(content: bytes, path: Path) -> Table:
    try:
        found = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"This table is not valid TOML ({error}).", where=path) from error
    _check_keys("The table", found, _KEYS, path)
    for key, kind in _KEYS.items():
        if not isinstance(found.get(key), kind):
            _refuse(f"The table has no {key!r} as it should be.", path)
    scheme = SCHEMES.get(found["scheme"])
    if scheme is None:
        hint = did_you_mean(found["scheme"], SCHEMES)
        _refuse(f"There is no label scheme {found['scheme']!r}.{hint}", path)
    rows = _rows(found["class"], scheme, path)
    digest = hashlib.sha256(content).hexdigest()
    return Table(found["source"], found["version"], scheme, rows, digest)


def _rows(entries: Iterable[Any], scheme: LabelScheme, path: Path) -> dict[str, Mapped]:
    """Return the classes of a table, or refuse it with all that is wrong with them."""
    rows: dict[str, Mapped] = {}
    problems = []
    for number, entry in enumerate(entries, 1):
        try:
            row = _row(entry, number, scheme, path)
        except BadInputError as error:
            problems.append(error.what)
            continue
        twin = rows.setdefault(_plain(row.original), row)
        if twin is not row:
            told = f"{twin.label or LEFT_OUT} and {row.label or LEFT_OUT}"
            problems.append(f"The class {row.original!r} stands in the table twice: as {told}.")
    if len(problems) == 1:
        _refuse(problems[0], path)
    if problems:
        told = itemised(problems)
        _refuse(f"{counted(len(problems), 'problem')} in this table of classes.\n{told}", path)
    return rows


def _row(entry: Any, number: int, scheme: LabelScheme, path: Path) -> Mapped:
    known = [column.name for column in fields(Mapped)]
    if not isinstance(entry, dict):
        _refuse(f"Class number {number} of the table is no table [[class]].", path)
    if not isinstance(entry.get("original"), str):
        told = listed(f"{key} = {value!r}" for key, value in entry.items() if key != "original")
        unknown = "".join(f" {text}" for text in _unknown_keys("It", entry, known))
        _refuse(
            f"Class number {number} of the table ({told}) has no 'original'.{unknown}",
            path,
        )
    name = entry["original"]
    _check_keys(f"The class {name!r}", entry, known, path)
    texts = [entry.get(key, "") for key in ("label", "reason", "reference")]
    alternatives = entry.get("alternatives", [])
    if not all(isinstance(text, str) for text in texts) or not isinstance(alternatives, list):
        _refuse(f"The class {name!r} has a value of the wrong kind.", path)
    if not entry.get("reason"):
        _refuse(f"The class {name!r} has no reason: say why it becomes what it becomes.", path)
    if not isinstance(entry.get("contested", False), bool):
        _refuse(f"The class {name!r}: 'contested' is true or false.", path)
    for label in [*alternatives, *([entry["label"]] if "label" in entry else [])]:
        known = [*scheme.names, *([LEFT_OUT] if label in alternatives else [])]
        if label not in known:
            hint = did_you_mean(str(label), known)
            _refuse(f"The class {name!r}: there is no {label!r} in {scheme.name}.{hint}", path)
    return Mapped(**{**entry, "alternatives": tuple(alternatives)})


def _check_keys(what: str, found: Mapping[str, Any], known: Collection[str], path: Path) -> None:
    for told in _unknown_keys(what, found, known):
        _refuse(told, path)


def _unknown_keys(what: str, found: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    for key in found:
        if key not in known:
            yield f"{what} has an unknown key {key!r}.{did_you_mean(key, known)}"


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _refuse(what: str, path: Path) -> NoReturn:
    raise BadInputError(what, where=path, remedy="docs/sources.md says what a table looks like.")
