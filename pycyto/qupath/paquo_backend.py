"""The backend on QuPath's own classes: reads ``data.qpdata`` itself.

Objects come from QuPath in the very form that its scripts write, so that one
reader serves both backends.
"""

from __future__ import annotations

from pathlib import Path

from pycyto.qupath import _java, geojson
from pycyto.qupath.locate import Installation
from pycyto.qupath.project import Project
from pycyto.records import ImageObjects


class PaquoBackend:
    """Reads the objects of a project through QuPath's classes."""

    name = "paquo"

    def __init__(self, project: Project, installation: Installation) -> None:
        self._project = project
        self._library = _java.library(installation)
        self._java_project = _java.open_project(installation, project.file)

    def read(self, entry_id: str) -> ImageObjects:
        """Return all objects of an image but the root.

        Raises
        ------
        BadInputError
            When QuPath cannot read the image's data, or the data is not whole.
        RefusedError
            When the data changed while it was read, or QuPath's backup lies beside it.
        """
        data_file = self._project.data_file(entry_id)
        with _java.refusals(data_file):
            image = self._java_project.image(entry_id)
            content = _java.interruptible(lambda: bytes(self._library.PycytoCells.bytes(image)))
        return geojson.read_cells(content, entry_id, data_file)

    def refresh(self, entry_id: str) -> Path:
        """Write the image's file of cells for the GeoJSON backend; return its path."""
        path = geojson.cells_file(self._project.workspace, entry_id)
        with _java.refusals(path):
            self._library.PycytoCells.write(self._java_project.image(entry_id))
        return path
