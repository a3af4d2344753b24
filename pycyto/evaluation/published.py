"""Figures that others have published, with their source and what contradicts itself in them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Shift:
    """A model trained on one source and tested on another."""

    trained: str
    tested: str
    accuracy: float | None = None
    f1: float | None = None


@dataclass(frozen=True, slots=True)
class OfNetwork:
    """A network's figures on test cells; averages over classes."""

    name: str
    accuracy: float
    sensitivity: float
    f1: float


@dataclass(frozen=True, slots=True)
class Paper:
    """One publication.

    Attributes
    ----------
    figures, validation
        On test and validation cells, by the names that `pycyto evaluate` has for its bounds.
    contradictions
        What does not fit together in it.
    """

    key: str
    title: str
    reference: str
    data: str
    cells: str
    groups: str
    protocol: tuple[str, ...]
    contradictions: tuple[str, ...]
    network: tuple[OfNetwork, ...]
    figures: Mapping[str, float]
    validation: Mapping[str, float]
    shift: tuple[Shift, ...]


def published() -> list[Paper]:
    """Return all papers of ``published.toml``."""
    text = resources.files("pycyto.evaluation").joinpath("published.toml").read_text("utf-8")
    return [_paper(table) for table in tomllib.loads(text)["paper"]]


def _paper(table: Mapping[str, Any]) -> Paper:
    return Paper(
        **{
            **table,
            "protocol": tuple(table["protocol"]),
            "contradictions": tuple(table["contradictions"]),
            "network": tuple(OfNetwork(**own) for own in table["network"]),
            "shift": tuple(Shift(**own) for own in table["shift"]),
        }
    )
