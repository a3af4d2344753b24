"""Logs of reviewers on disk, as the scripts in QuPath leave them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pycyto.qupath.logs import file_name_of
from pycyto.records import CellKey

RUN = "2026-01-31_120000_1f9c2a"
# Later than whatever a test saves: then nothing of it is in QuPath's data for sure.
START = datetime(2126, 1, 31, 12, tzinfo=UTC)


def a_line(key: CellKey, number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the line of a log: at the second `number` the cell without a class became HSIL."""
    at = START + timedelta(seconds=number)
    line = {
        "schema": 1,
        "decision": str(uuid5(NAMESPACE_URL, f"decision {number} {key}")),
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "reviewer": "Anna",
        **key._asdict(),
        "run": RUN,
        "shown": "prediction",
        "predicted": "HSIL",
        "probabilities": {"NILM": 0.25, "HSIL": 0.75},
        "action": "class",
        "old_class": None,
        "new_class": "HSIL",
        "label": "HSIL",
        "takes_back": None,
        "seconds": 1.25,
        "way": "panel",
        **changes,
    }
    if line["action"] in ("skip", "flag", "take back") and "label" not in changes:
        line["label"] = None
    return line


def write_log(
    workspace: Path, lines: Iterable[Mapping[str, Any]], reviewer: str = "Anna", tail: str = ""
) -> Path:
    """Write a reviewer's log, and after it what a killed process may have left."""
    path = workspace / "decisions" / f"{file_name_of(reviewer)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines) + tail
    path.write_text(text, encoding="utf-8", newline="")
    return path
