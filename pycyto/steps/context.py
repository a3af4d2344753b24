"""What every step on a project starts with: the project, its settings, its backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycyto.labels import LabelScheme, scheme_named
from pycyto.qupath.backend import Backend, BackendName, BackendOptions, choose
from pycyto.qupath.project import Project, open_project
from pycyto.records import Reporter
from pycyto.settings import Settings, keep_mappings, load_settings, with_mappings


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a project: the options that all commands on projects share.

    Attributes
    ----------
    backend
        ``auto``, ``paquo`` or ``geojson``.
    qupath
        Folder of the QuPath installation to use.
    stale_ok
        Read a file of cells although its image was saved since.
    mappings
        Folders with another name on this machine; they are kept in the user's settings.
    settings
        A further settings file.
    project_id
        Used instead of the project's own, for projects that cannot be written to.
    """

    backend: BackendName = "auto"
    qupath: Path | None = None
    stale_ok: bool = False
    mappings: Mapping[str, str] = field(default_factory=dict)
    settings: Path | None = None
    project_id: str = ""


DEFAULT_ACCESS = Access()


@dataclass(frozen=True, slots=True)
class Context:
    """An open project with everything a step needs to read it."""

    project: Project
    settings: Settings
    scheme: LabelScheme
    access: Access

    def backend(self, reporter: Reporter) -> Backend:
        """Return the backend, saying which and why."""
        options = BackendOptions(self.access.backend, self.access.stale_ok, self.access.qupath)
        return choose(self.project, options, reporter)


def open_context(path: str | Path, access: Access) -> Context:
    """Open a project with the settings that hold for it."""
    project = open_project(path, project_id=access.project_id)
    if access.mappings:
        keep_mappings(access.mappings)
    settings = with_mappings(load_settings(project.folder, access.settings), access.mappings)
    return Context(project, settings, scheme_named(settings.scheme), access)
