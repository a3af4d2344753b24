"""One project folder, two backends: the interface, and the choice between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pycyto.errors import MissingDependencyError
from pycyto.qupath import locate
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import Project
from pycyto.records import ImageObjects, Reporter

BackendName = Literal["auto", "paquo", "geojson"]


class Backend(Protocol):
    """Reads the objects of a project; both backends return the same records."""

    name: str

    def read(self, entry_id: str) -> ImageObjects:
        """Return all objects of an image but the root.

        Raises
        ------
        BadInputError, StaleError, RefusedError
            When they cannot be read, or not in their present state.
        """


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """What the user said about how to reach a project's objects.

    Attributes
    ----------
    stale_ok
        Read a file of cells although its image has changed since.
    qupath
        Folder of the installation to use instead of the one that is found.
    """

    backend: BackendName = "auto"
    stale_ok: bool = False
    qupath: Path | None = None


def choose(project: Project, options: BackendOptions, reporter: Reporter) -> Backend:
    """Return the backend to use, and say which and why.

    Raises
    ------
    MissingDependencyError
        When paquo was asked for and there is no QuPath.
    """
    if options.backend == "geojson":
        reporter.say("Backend: GeoJSON, as asked.")
        return GeoJsonBackend(project, stale_ok=options.stale_ok)
    found = locate.find_qupath(options.qupath)
    if found is None and options.backend == "paquo":
        raise MissingDependencyError(
            "The paquo backend needs QuPath, and none was found.",
            remedy=f"{locate.REMEDY} Or use --backend geojson.",
        )
    if found is None:
        reporter.say("Backend: GeoJSON, since no QuPath was found on this machine.")
        return GeoJsonBackend(project, stale_ok=options.stale_ok)
    reporter.say(f"Backend: paquo with QuPath {found.version} ({found.folder}).")
    return PaquoBackend(project, found)
