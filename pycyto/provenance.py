"""What every step records: versions, arguments, seed, hashes of its inputs, counts."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pycyto import files
from pycyto.errors import BadInputError

_LIBRARIES = ("numpy", "pillow", "shapely", "keras", "tensorflow", "openslide-python", "paquo")
_FILE = "record.json"


@cache
def version_of(package: str) -> str:
    """Return the installed version of a package, or ``not installed``."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def versions() -> dict[str, str]:
    """Return the versions that a figure may depend on. No path and no host name is in it."""
    return {
        "pycyto": version_of("pycyto"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: version_of(name) for name in _LIBRARIES},
    }


def record(
    step: str,
    arguments: Mapping[str, Any],
    *,
    counts: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Return what a step leaves behind about itself.

    Parameters
    ----------
    arguments
        As the user gave them.
    inputs
        SHA-256 of each input file, by a name that holds no identifier.
    counts
        What was given, done, skipped (by reason) and failed.
    """
    return {
        "step": step,
        "finished_at": files.now(),
        "arguments": {key: _plain(value) for key, value in arguments.items()},
        "seed": seed,
        "inputs": dict(inputs or {}),
        "counts": dict(counts),
        "versions": versions(),
    }


def keep_record(folder: Path, entry: Mapping[str, Any]) -> None:
    """Put a record into the ``record.json`` of a folder, in place of the step's last one."""
    records = records_in(folder)
    records[entry["step"]] = dict(entry)
    files.write_json(folder / _FILE, records)


def recorded_inputs(folder: Path, step: str) -> dict[str, str]:
    """Return the inputs in the record that a step has left in a folder, if any."""
    return dict(records_in(folder).get(step, {}).get("inputs", {}))


def records_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the steps have left in the ``record.json`` of a folder, by step.

    Raises
    ------
    BadInputError
        When it is no record.
    """
    path = folder / _FILE
    records = files.read_json(path) if path.exists() else {}
    if not isinstance(records, dict) or not all(map(_is_record, records.values())):
        raise BadInputError(
            "This is not a record of what was done.",
            where=path,
            remedy="Move it away: every step writes its own part anew.",
        )
    return records


def _is_record(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    inputs, counts = value.get("inputs", {}), value.get("counts", {})
    tables = isinstance(inputs, dict) and isinstance(counts, dict)
    return tables and all(isinstance(digest, str) for digest in inputs.values())


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
