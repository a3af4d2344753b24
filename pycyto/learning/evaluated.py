"""What evaluations of a model found, kept in its bundle, so that the figures go where it goes.

``evaluation.json`` and the model card, ``README.txt``, are no part of the model: they can
be made again, and nothing that pycyto does rests on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.learning.bundle import EVALUATION_FILE, README_FILE, Bundle
from pycyto.learning.card import page

SCHEMA = 1
# Data sets that a model was tested on; the latest are kept.
_MOST = 20


def keep_evaluation(bundle: Bundle, entry: Mapping[str, Any]) -> None:
    """Put an evaluation into a bundle, in place of an earlier one of the same data.

    Parameters
    ----------
    entry
        ``finished_at``, ``inputs`` (SHA-256 by name), ``summary`` and ``limits``
        (sentences), ``figures``. It must name no image, patient, site or source.

    Raises
    ------
    NotWritableError
        The bundle cannot be written to.
    """
    others = [found for found in _earlier(bundle) if found.get("inputs") != entry["inputs"]]
    evaluations = [*others, dict(entry)][-_MOST:]
    content = {"schema": SCHEMA, "bundle_id": bundle.bundle_id, "evaluations": evaluations}
    files.write_json(bundle.path / EVALUATION_FILE, content)
    text = page(bundle.card, str(bundle.resolution), evaluations)
    files.write_text(bundle.path / README_FILE, text)


def _earlier(bundle: Bundle) -> list[Mapping[str, Any]]:
    """Return what is kept of this very model; nothing where the file is not what it should be."""
    path = bundle.path / EVALUATION_FILE
    if not path.exists():
        return []
    try:
        content = files.read_json(path)
        if content["schema"] != SCHEMA or content["bundle_id"] != bundle.bundle_id:
            return []
        return [_checked(entry) for entry in content["evaluations"]]
    except (BadInputError, KeyError, TypeError):
        return []


def _checked(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("summary", "limits"):
        if not all(isinstance(sentence, str) for sentence in entry[name]):
            raise TypeError(name)
    if not isinstance(entry["finished_at"], str) or not isinstance(entry["inputs"], dict):
        raise TypeError("finished_at or inputs")
    return entry
