"""Writes a staged run into QuPath's data, and takes it back, one image at a time.

The work is done inside QuPath by the classes that its scripts use too
(``qupath_scripts/lib/PycytoWriting.gvy`` and ``PycytoUndo.gvy``), so that the
rules that keep the expert's objects safe are written once. They note what they
did in ``run.json``, from where it is read here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pycyto.qupath import _java, runs
from pycyto.qupath.locate import Installation
from pycyto.qupath.project import Project
from pycyto.qupath.runs import Run


class Writer:
    """QuPath's classes on one project, opened for writing."""

    def __init__(self, project: Project, installation: Installation) -> None:
        self._project = project
        self._library = _java.library(installation)
        self._java_project = _java.open_project(installation, project.file)

    def add_classes(self, run: Run) -> list[str]:
        """Add the run's classes that the project lacks; return their names.

        Classes that are there keep their colour and their place.
        """
        with _java.refusals(self._project.file):
            added = self._java_project.addClasses(self._run(run).getColours())
        return [str(name) for name in added]

    def write(self, run: Run, entry_id: str, *, stale_ok: bool = False) -> Run:
        """Write one image of a run; return the run as it is then.

        What an interrupted write has saved already is found by its marks and
        counted, not added again.

        Raises
        ------
        StaleError
            When the image was saved after it was predicted: nothing is written.
        BadInputError
            When the image file is missing, its data cannot be read, or the disk is full.
        PartlyDoneError
            When not every object that was saved can be read back.
        """
        with self._image(entry_id) as image:
            self._library.PycytoWriting.write(self._run(run), image, stale_ok)
        return runs.load(run.folder)

    def take_back(self, run: Run, entry_id: str) -> Run:
        """Undo exactly what a run did to an image that was saved since; return the run then.

        What a person has relabelled, locked, named, moved or accepted in a review is left
        and listed.
        """
        with self._image(entry_id) as image:
            self._library.PycytoUndo.takeBack(self._run(run), image)
        return runs.load(run.folder)

    @contextlib.contextmanager
    def _image(self, entry_id: str) -> Iterator[Any]:
        with _java.refusals(self._project.data_file(entry_id)):
            image = self._java_project.image(entry_id)
            try:
                yield image
            finally:
                image.close()

    def _run(self, run: Run) -> Any:
        from jpype import JClass

        folder = JClass("java.io.File")(str(run.folder))
        return self._library.PycytoRun(self._java_project, folder)
