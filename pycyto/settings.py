"""What a lab sets once: metadata keys, path mappings, the label scheme. TOML in and out.

Later ones win: ``defaults.toml`` (which documents every key), the user's file,
the project's ``pycyto/settings.toml``, ``--settings FILE``, options. Path
mappings are the user's alone: a project that came from elsewhere must not
decide which files are opened here.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import platformdirs
import tomli_w

from pycyto import files
from pycyto.errors import BadInputError

# Bytes of a settings file; a project from elsewhere may bring one.
_LARGEST = 1 << 20
# No radius in pixels and no area in patches reaches this.
_BEYOND_ALL = 1e9


@dataclass(frozen=True, slots=True)
class MetadataKeys:
    """Under which keys QuPath's image metadata holds what; see ``defaults.toml``."""

    patient: str
    slide: str
    scanner: str
    site: str
    preparation: str
    annotator: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one command."""

    scheme: str
    point_radius: float
    largest_outline: float
    metadata_keys: MetadataKeys
    path_mappings: Mapping[str, str] = field(default_factory=dict)


def user_file() -> Path:
    """Return where the user's own settings are, whether or not the file exists."""
    return Path(platformdirs.user_config_dir("pycyto", appauthor=False)) / "settings.toml"


def load_settings(project: Path | None = None, extra: Path | None = None) -> Settings:
    """Return the settings that hold for a project.

    Parameters
    ----------
    project
        Folder of the QuPath project, if there is one.
    extra
        The file given with ``--settings``.

    Raises
    ------
    BadInputError
        A file that is not TOML, an unknown key, a value of the wrong kind, a
        size that is not above 0, or path mappings in a project's file.
    """
    defaults = tomllib.loads(resources.files("pycyto").joinpath("defaults.toml").read_text("utf-8"))
    merged: dict[str, Any] = dict(defaults)
    for path, is_users in _sources(project, extra):
        table = _read(path)
        if "path_mappings" in table and not is_users:
            raise BadInputError(
                "Path mappings belong to the user, not to a project.",
                where=path,
                remedy=f"Move the table [path_mappings] to {user_file()}.",
            )
        merged = _merged(merged, table, path)
    keys = MetadataKeys(**merged.pop("metadata_keys"))
    return Settings(metadata_keys=keys, **merged)


def with_mappings(settings: Settings, mappings: Mapping[str, str]) -> Settings:
    """Return the settings with further path mappings."""
    return replace(settings, path_mappings={**settings.path_mappings, **mappings})


def keep_mappings(mappings: Mapping[str, str]) -> None:
    """Add path mappings to the user's file; one that holds them all is left as it is."""
    path = user_file()
    table = _read(path) if path.exists() else {}
    known = _mappings(table.get("path_mappings", {}), path)
    merged = {**known, **mappings}
    if merged != known:
        table["path_mappings"] = merged
        files.write_text(path, tomli_w.dumps(table))


def _sources(project: Path | None, extra: Path | None) -> list[tuple[Path, bool]]:
    found = [(user_file(), True)]
    if project is not None:
        found.append((project / "pycyto" / "settings.toml", False))
    found = [(path, users) for path, users in found if path.exists()]
    return found if extra is None else [*found, (extra, True)]


def _read(path: Path) -> dict[str, Any]:
    files.check_size(path, _LARGEST)
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise BadInputError(f"These settings cannot be read ({error}).", where=path) from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(
            f"These settings are not valid TOML ({error}).",
            where=path,
            remedy='Save the file as UTF-8, and write folders with "/" or in single quotes.',
        ) from error


def _merged(base: Mapping[str, Any], table: Mapping[str, Any], path: Path) -> dict[str, Any]:
    result = dict(base)
    for key, value in table.items():
        if key not in base:
            near = difflib.get_close_matches(key, base, 1)
            raise BadInputError(
                f"There is no setting {key!r}.",
                where=path,
                remedy=f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(base)}.",
            )
        if key == "path_mappings":
            result[key] = {**base[key], **_mappings(value, path)}
        elif isinstance(base[key], dict) and isinstance(value, dict):
            result[key] = _merged(base[key], value, path)
        elif _same_kind(base[key], value):
            result[key] = value
        else:
            raise BadInputError(
                f"The setting {key!r} has the value {value!r}; it should be like {base[key]!r}.",
                where=path,
            )
    return result


def _mappings(value: object, path: Path) -> dict[str, str]:
    if isinstance(value, dict) and all(isinstance(folder, str) for folder in value.values()):
        return value
    raise BadInputError(
        "The table [path_mappings] holds something else than folders.",
        where=path,
        remedy='It should be like "D:/slides" = "/data/slides".',
    )


def _same_kind(default: object, value: object) -> bool:
    if isinstance(default, float):  # a radius or an area
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return 0 < value < _BEYOND_ALL
    return isinstance(value, type(default))
