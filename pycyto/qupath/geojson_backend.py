"""The backend without Java: reads the files that scripts keep in ``pycyto/cells``."""

from __future__ import annotations

import re

from pycyto import files
from pycyto.errors import BadInputError, StaleError
from pycyto.qupath import geojson
from pycyto.qupath.project import Project
from pycyto.records import ImageObjects

_REMEDY = (
    "Run export_cells.groovy for this project in QuPath (pycyto scripts install), "
    "then start this command again."
)

# Some ten million cells.
_LARGEST = 1 << 32
# An object's ID becomes part of the name of its patch.
_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class GeoJsonBackend:
    """Reads the objects of a project with every QuPath version, and without any.

    Parameters
    ----------
    stale_ok
        Read a file although its image has been saved since; the result says so.
    """

    name = "geojson"

    def __init__(self, project: Project, *, stale_ok: bool = False) -> None:
        self._project = project
        self._stale_ok = stale_ok

    def read(self, entry_id: str) -> ImageObjects:
        """Return all objects of an image but the root.

        Raises
        ------
        BadInputError
            When the image has objects and no file of them is there.
        StaleError
            When the image was saved after the file was written.
        """
        path = geojson.cells_file(self._project.workspace, entry_id)
        sha256 = self._project.data_sha256(entry_id)
        if not path.exists():
            if not sha256:  # never saved in QuPath, so there is nothing to read
                return ImageObjects(entry_id, "", ())
            raise BadInputError(
                "QuPath's own data cannot be read without QuPath, "
                f"and the image with entry ID {entry_id} has no file of its cells.",
                where=path,
                remedy=_REMEDY,
            )
        files.check_size(path, _LARGEST)
        found = geojson.read_cells_file(path, entry_id)
        if found.data_sha256 == sha256:
            return found
        if not self._stale_ok:
            raise StaleError(
                f"The image with entry ID {entry_id} was saved in QuPath "
                "after its file of cells was written.",
                where=path,
                remedy=f"{_REMEDY} To read the older state all the same: --stale-ok.",
            )
        return ImageObjects(entry_id, found.data_sha256, found.objects, stale=True)
