"""An audit as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pycyto.datasets.findings import Audit
from pycyto.pages import rendered


@dataclass(frozen=True, slots=True)
class Picture:
    """A pair of near-identical patches, ready to be shown.

    Attributes
    ----------
    pictures
        Data URIs.
    captions
        What may be said of each.
    """

    pictures: tuple[str, ...]
    captions: tuple[str, ...]
    correlation: float


def as_html(audit: Audit, pairs: Sequence[Picture], all_pairs: int) -> str:
    """Return the page.

    Parameters
    ----------
    pairs
        Those to show, of `all_pairs`.
    """
    return rendered(
        "pycyto.datasets",
        "audit.html.j2",
        audit=audit,
        pairs=pairs,
        all_pairs=all_pairs,
        parts=list(audit.split["parts"]),
    )
