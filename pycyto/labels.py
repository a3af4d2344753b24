"""Label schemes: which classes there are, what they are called, and how severe they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from pycyto.errors import BadInputError

Colour = tuple[int, int, int]

# What an unclassified cell is filed under; the leading underscore keeps it
# apart from every class folder, which never starts with one.
UNCLASSIFIED_FOLDER = "_unclassified"

_MARKS = re.compile(r"[\s_\-./]+")


@dataclass(frozen=True)
class Label:
    """One class: its name, colour (RGB, 0 to 255) and the other ways of writing it."""

    name: str
    colour: Colour
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelScheme:
    """Classes in order of severity, the least severe first.

    Aliases are spellings of the same diagnosis, never neighbouring ones: a
    class that is not in the scheme stays outside it and is counted.
    """

    name: str
    labels: tuple[Label, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, the least severe first."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def _by_spelling(self) -> dict[str, Label]:
        return {
            _spelling(text): label for label in self.labels for text in (label.name, *label.aliases)
        }

    def find(self, text: str | None) -> str | None:
        """Return the class that `text` is a spelling of, or None."""
        label = self._by_spelling.get(_spelling(text)) if text else None
        return label.name if label else None

    def colour_of(self, name: str) -> Colour:
        """Return the colour of a class of the scheme."""
        return next(label.colour for label in self.labels if label.name == name)

    def severity_of(self, name: str) -> int:
        """Return the rank of a class, 0 being the least severe."""
        return self.names.index(name)

    def folder_of(self, name: str) -> str:
        """Return a folder name for a class: safe on every system, different for every class.

        A class outside the scheme gets a digest of its exact name, since two
        names can differ only in characters or case that a file system drops.
        """
        if not name:
            return UNCLASSIFIED_FOLDER
        if name in self.names:
            return name
        slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "class"
        return f"{slug}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


BETHESDA = LabelScheme(
    "bethesda",
    (
        Label("NILM", (76, 175, 80), ("Negative for intraepithelial lesion or malignancy",)),
        Label("ASC-US", (255, 193, 7), ("ASCUS",)),
        Label("LSIL", (255, 112, 0), ("LGSIL", "Low-grade squamous intraepithelial lesion")),
        Label("HSIL", (211, 47, 47), ("HGSIL", "High-grade squamous intraepithelial lesion")),
    ),
)

# Of the Pap Smear Cell Classification Challenge (PS3C, ISBI 2025). An image may show several
# cells, so its classes say something else than a diagnosis, and none is a spelling of another.
PS3C = LabelScheme(
    "ps3c",
    (
        Label("rubbish", (120, 120, 120)),
        Label("healthy", (76, 175, 80)),
        Label("bothcells", (255, 193, 7)),
        Label("unhealthy", (211, 47, 47)),
    ),
)

# The order of the Bethesda System, with classes that the scheme leaves out: a cell of one of
# these may be undercalled as well.
SEVERITY = ("NILM", "ASC-US", "LSIL", "ASC-H", "HSIL", "SCC")

SCHEMES = {scheme.name: scheme for scheme in (BETHESDA, PS3C)}


def scheme_named(name: str) -> LabelScheme:
    """Return a label scheme by its name.

    Raises
    ------
    BadInputError
        When there is none of this name.
    """
    try:
        return SCHEMES[name]
    except KeyError:
        raise BadInputError(
            f"There is no label scheme {name!r}.", remedy=f"Known are: {listed(SCHEMES)}."
        ) from None


def listed(names: Iterable[str]) -> str:
    """Return names as they read in a sentence."""
    return ", ".join(names) or "none"


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Return a question that names what was perhaps meant, to stand behind a sentence; or nothing.

    Upper and lower case and the number of blanks make no difference.
    """
    plain = {_plain(name): name for name in known}
    near = get_close_matches(_plain(text), plain, 1)
    return f" Did you mean {plain[near[0]]!r}?" if near else ""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it needs one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _spelling(text: str) -> str:
    return _MARKS.sub("", text).casefold()
