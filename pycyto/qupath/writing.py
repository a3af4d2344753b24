"""Writes a staged run into QuPath's data, and takes it back, through QuPath's classes.

One image at a time: look that nothing changed, snapshot, one list, one add, one
save, then read the file again and count. Nothing of the expert's is touched:
created objects go under the root, and only detections without a class are
given one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pycyto import files
from pycyto.errors import BadInputError, PartlyDoneError, StaleError
from pycyto.qupath import _java, geojson, runs
from pycyto.qupath.locate import Installation
from pycyto.qupath.paquo_backend import PaquoBackend, read_hierarchy
from pycyto.qupath.project import Project
from pycyto.qupath.runs import ImageState, NewDetection, Run, Update
from pycyto.records import RUN_MARK, UPDATED_MARK, run_mark

# A source that has moved further than this is another cell than the one that
# was predicted. In full-resolution pixels.
_SAME_PLACE = 0.5
_KEEP_CHILDREN = True


class Writer:
    """QuPath's classes on one project, opened for writing."""

    def __init__(self, project: Project, installation: Installation) -> None:
        self._project = project
        self._by = f"paquo, QuPath {installation.version}"
        self._backend = PaquoBackend(project, installation)
        self._java = _java.start(installation)
        self._java_project = _java.open_java_project(self._java, str(project.file))

    def add_classes(self, run: Run) -> list[str]:
        """Add the run's classes that the project lacks; return their names.

        Classes that are there keep their colour and their place.
        """
        there = [str(c.toString()) for c in self._java_project.getPathClasses()]
        missing = [label for label in run.labels if label not in there]
        if missing:
            classes = self._java.ArrayList(self._java_project.getPathClasses())
            for label in missing:
                classes.add(self._path_class(label, run))
            self._java_project.setPathClasses(classes)
            self._java_project.syncChanges()
        return missing

    def write(self, run: Run, entry_id: str) -> Run:
        """Write one image of a run; return the run with the image's new state.

        What an interrupted write has saved already is found by its marks and
        counted, not added again.

        Raises
        ------
        StaleError
            When the image was saved after it was predicted: nothing is written.
        BadInputError
            When the image file is missing or the data cannot be read.
        PartlyDoneError
            When not every object that was saved can be read back.
        """
        state = run.images[entry_id]
        resumed = self._is_resumed(run, entry_id, state)
        image_data = self._image_data(entry_id)
        if not resumed:
            runs.take_snapshot(run, entry_id, self._files(entry_id), data_sha256=state.data_sha256)
        hierarchy = image_data.getHierarchy()
        by_id = self._by_id(hierarchy)
        made, created = self._create(run, runs.read_new(run, entry_id), by_id)
        changed, updated = self._update(run, runs.read_updates(run, entry_id), by_id)
        if made or changed:
            hierarchy.addObjects(self._java.ArrayList(made))
            _java.java_entry(self._java_project, entry_id).saveImageData(image_data)
        self._backend.refresh(entry_id)
        return self._closed(run, entry_id, created, updated)

    def _closed(self, run: Run, entry_id: str, created: int, updated: int) -> Run:
        """Read the image back, count, and note it in ``run.json``."""
        state = run.images[entry_id]
        state = dataclasses.replace(
            state,
            state="written",
            written_sha256=self._project.data_sha256(entry_id),
            written_at=files.now(),
            written_by=self._by,
            created=created,
            updated=updated,
            gone=state.new + state.updates - created - updated,
            read_back=self._count_marked(run, entry_id),
        )
        run = run.with_image(entry_id, state)
        runs.save(run)
        if state.read_back != created + updated:
            raise PartlyDoneError(
                f"{created + updated} objects were saved and {state.read_back} found.",
                where=self._project.data_file(entry_id),
                remedy="Take the run back with pycyto undo; the state before it is kept.",
            )
        return run

    def take_back(self, run: Run, entry_id: str) -> tuple[int, int]:
        """Remove what a run made in an image that was saved since.

        Returns
        -------
        tuple
            How many objects were taken back, and how many were left because a
            person has relabelled, locked or moved them.
        """
        image_data = self._image_data(entry_id)
        by_id = self._by_id(image_data.getHierarchy())
        removed, left = self._removable(run, runs.read_new(run, entry_id), by_id)
        cleared, kept = self._clear_updates(run, runs.read_updates(run, entry_id), by_id)
        image_data.getHierarchy().removeObjects(self._java.ArrayList(removed), _KEEP_CHILDREN)
        _java.java_entry(self._java_project, entry_id).saveImageData(image_data)
        self._backend.refresh(entry_id)
        return len(removed) + cleared, left + kept

    def refresh(self, entry_id: str) -> None:
        """Write the image's file of cells anew."""
        self._backend.refresh(entry_id)

    def _is_resumed(self, run: Run, entry_id: str, state: ImageState) -> bool:
        """Whether the image was saved by this very run, which did not live to note it.

        Raises
        ------
        StaleError
            When it was saved by something else.
        """
        if self._project.data_sha256(entry_id) == state.data_sha256:
            return False
        kept = run.snapshot(entry_id) / "data.qpdata"
        was_kept = kept.exists() and files.sha256_of(kept) == state.data_sha256
        if was_kept and self._count_marked(run, entry_id):
            return True
        raise StaleError(
            "This image was saved after it was predicted; nothing was written to it.",
            where=f"{self._project.image(entry_id).name} (entry ID {entry_id})",
            remedy="Predict again, or load the run with import_predictions.groovy, "
            "which looks at every object.",
        )

    def _files(self, entry_id: str) -> Iterable[Path]:
        data = self._project.data_file(entry_id)
        yield data
        yield data.with_name("summary.json")
        cells = geojson.cells_file(self._project.workspace, entry_id)
        yield cells

    def _image_data(self, entry_id: str) -> Any:
        """Return QuPath's image data, sure to hold all that is on disk.

        QuPath opens an image as empty when it cannot read its objects, and the
        next save would destroy them; so they are counted against a plain read.
        """
        import jpype

        entry = _java.java_entry(self._java_project, entry_id)
        on_disk = read_hierarchy(self._java_project, entry_id, self._project)
        try:
            image_data = entry.readImageData()
            # From 0.6 on QuPath opens the image only when asked for, and would save without it.
            server = image_data.getServer()
        except jpype.JException as error:
            raise BadInputError(
                f"QuPath cannot open this image ({error}).",
                where=f"{self._project.image(entry_id).name} (entry ID {entry_id})",
                remedy="Put the image file back where the project expects it: "
                "QuPath does not save the objects of an image that it cannot open.",
            ) from error
        if server is None or image_data.getHierarchy().nObjects() != on_disk.nObjects():
            raise BadInputError(
                "QuPath does not show all objects that are on disk.",
                where=self._project.data_file(entry_id),
                remedy="Open and save the image in QuPath, then predict again.",
            )
        return image_data

    def _by_id(self, hierarchy: Any) -> dict[str, Any]:
        return {str(item.getID()): item for item in hierarchy.getFlattenedObjectList(None)}

    def _create(
        self, run: Run, wanted: Sequence[NewDetection], by_id: dict[str, Any]
    ) -> tuple[list[Any], int]:
        """Return the detections to add, and how many there are with those that are there."""
        made = []
        there = 0
        for item in wanted:
            source, same = by_id.get(item.source_id), by_id.get(item.object_id)
            roi = None if source is None else self._roi(source, item)
            if same is not None:
                there += _marked(same, RUN_MARK, run)
            elif roi is not None:
                detection = self._java.PathObjects.createDetectionObject(roi)
                detection.setID(_uuid(item.object_id))
                detection.setPathClass(self._path_class(item.label, run))
                _measure(detection, item, RUN_MARK, run)
                made.append(detection)
        return made, len(made) + there

    def _roi(self, source: Any, item: NewDetection) -> Any:
        """Return the outline of the new detection, or None where the source has moved."""
        roi = source.getROI()
        if item.point_index is None:
            return roi if _is_at(source, item) else None
        points = list(roi.getAllPoints())
        if item.point_index >= len(points):
            return None
        point = points[item.point_index]
        if not _near(point.getX(), point.getY(), item):
            return None
        radius = item.radius
        return self._java.ROIs.createEllipseROI(
            item.x - radius, item.y - radius, 2 * radius, 2 * radius, roi.getImagePlane()
        )

    def _update(
        self, run: Run, wanted: Sequence[Update], by_id: dict[str, Any]
    ) -> tuple[list[Any], int]:
        """Return the detections that got a class, and how many have one with earlier ones."""
        changed = []
        there = 0
        for item in wanted:
            target = by_id.get(item.object_id)
            if target is None:
                continue
            if _marked(target, UPDATED_MARK, run):
                there += 1
            elif target.isDetection() and target.getPathClass() is None and _is_at(target, item):
                # The Java object's own setter leaves the hierarchy as it is.
                target.setPathClass(self._path_class(item.label, run))
                _measure(target, item, UPDATED_MARK, run)
                changed.append(target)
        return changed, len(changed) + there

    def _removable(
        self, run: Run, made: Sequence[NewDetection], by_id: dict[str, Any]
    ) -> tuple[list[Any], int]:
        removed = []
        left = 0
        for item in made:
            target = by_id.get(item.object_id)
            if target is None or not _marked(target, RUN_MARK, run):
                continue
            is_as_made = _class_of(target) == item.label and not target.isLocked()
            if is_as_made and _is_at(target, item):
                removed.append(target)
            else:
                left += 1
        return removed, left

    def _clear_updates(
        self, run: Run, updates: Sequence[Update], by_id: dict[str, Any]
    ) -> tuple[int, int]:
        cleared = left = 0
        for item in updates:
            target = by_id.get(item.object_id)
            if target is None or not _marked(target, UPDATED_MARK, run):
                continue
            if _class_of(target) != item.label:
                left += 1
                continue
            target.resetPathClass()
            measurements = target.getMeasurementList()
            for name in (UPDATED_MARK, *(f"pycyto: P({label})" for label in item.probabilities)):
                measurements.remove(name)
            cleared += 1
        return cleared, left

    def _count_marked(self, run: Run, entry_id: str) -> int:
        hierarchy = read_hierarchy(self._java_project, entry_id, self._project)
        return sum(
            _marked(item, RUN_MARK, run) or _marked(item, UPDATED_MARK, run)
            for item in hierarchy.getFlattenedObjectList(None)
        )

    def _path_class(self, label: str, run: Run) -> Any:
        red, green, blue = run.colours[label]
        known = {str(c.toString()): c for c in self._java_project.getPathClasses()}
        packed = self._java.ColorTools.packRGB(red, green, blue)
        return known.get(label) or self._java.PathClass.fromString(label, packed)


def _uuid(text: str) -> Any:
    from jpype import JClass

    return JClass("java.util.UUID").fromString(text)


def _measure(target: Any, item: NewDetection | Update, mark: str, run: Run) -> None:
    measurements = target.getMeasurementList()
    for label, probability in item.probabilities.items():
        measurements.put(f"pycyto: P({label})", probability)
    measurements.put(mark, float(run_mark(run.run_id)))
    measurements.close()


def _marked(target: Any, mark: str, run: Run) -> bool:
    value = float(target.getMeasurementList().get(mark))
    return not math.isnan(value) and int(value) == run_mark(run.run_id)


def _class_of(target: Any) -> str | None:
    path_class = target.getPathClass()
    return None if path_class is None else str(path_class.toString())


def _is_at(source: Any, item: NewDetection | Update) -> bool:
    """Whether an object, or its nucleus, is still where it was predicted."""
    rois = [source.getROI(), source.getNucleusROI() if source.isCell() else None]
    return any(
        roi is not None and _near(roi.getCentroidX(), roi.getCentroidY(), item) for roi in rois
    )


def _near(x: float, y: float, item: NewDetection | Update) -> bool:
    return math.hypot(float(x) - item.x, float(y) - item.y) <= _SAME_PLACE
