"""An audit as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jinja2

from pycyto.datasets.findings import WEIGHTS, Audit
from pycyto.parts import PARTS


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
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pycyto.datasets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("audit.html.j2").render(
        audit=audit, pairs=pairs, all_pairs=all_pairs, weights=WEIGHTS, parts=PARTS
    )
