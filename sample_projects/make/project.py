"""Writes the QuPath project with QuPath's own classes, so that it is a real one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marks import Entry, Mark, Ring

CLASS_COLOURS = {
    "NILM": (76, 175, 80),
    "ASC-US": (255, 193, 7),
    "LSIL": (255, 112, 0),
    "HSIL": (211, 47, 47),
    "Trichomonas": (94, 53, 177),
}
MAGNIFICATION = 40.0
THUMBNAIL_PX = 240


class QuPath:
    """QuPath's classes, reached through a Java machine in this process."""

    def __init__(self, folder: Path | None) -> None:
        # paquo reads the setting when it is imported, which also starts Java.
        if folder is not None:
            os.environ["PAQUO_QUPATH_DIR"] = str(folder)
        import jpype
        import paquo.java  # noqa: F401

        self._jpype = jpype
        # QuPath 0.5 finds OpenSlide for new slides only after this call.
        self("qupath.lib.images.servers.openslide.jna.OpenSlideLoader").tryToLoadQuietly()

    def __call__(self, name: str) -> Any:
        """The Java class ``name``."""
        return self._jpype.JClass(name)

    def doubles(self, values: Sequence[float]) -> Any:
        """A Java ``double[]``."""
        return self._jpype.JArray(self._jpype.JDouble)(list(values))


def _polygon(qupath: QuPath, ring: Ring, plane: Any) -> Any:
    rois = qupath("qupath.lib.roi.ROIs")
    x, y = zip(*ring, strict=True)
    return rois.createPolygonROI(qupath.doubles(x), qupath.doubles(y), plane)


def _roi(qupath: QuPath, mark: Mark) -> Any:
    """The mark as the ROI that QuPath's own tool would have made."""
    plane = qupath("qupath.lib.regions.ImagePlane").getDefaultPlane()
    rois = qupath("qupath.lib.roi.ROIs")
    if mark.shape == "points":
        x, y = zip(*mark.rings[0], strict=True)
        return rois.createPointsROI(qupath.doubles(x), qupath.doubles(y), plane)
    if mark.shape == "ellipse":
        (x0, y0), (x1, y1) = mark.rings[0]
        return rois.createEllipseROI(x0, y0, x1 - x0, y1 - y0, plane)
    tools = qupath("qupath.lib.roi.RoiTools")
    outer = _polygon(qupath, mark.rings[0], plane)
    for hole in mark.rings[1:]:
        outer = tools.combineROIs(outer, _polygon(qupath, hole, plane), tools.CombineOp.SUBTRACT)
    return outer


def _path_class(qupath: QuPath, label: str) -> Any:
    packed = qupath("qupath.lib.common.ColorTools").packRGB(*CLASS_COLOURS[label])
    return qupath("qupath.lib.objects.classes.PathClass").fromString(label, packed)


def _path_object(qupath: QuPath, mark: Mark) -> Any:
    objects = qupath("qupath.lib.objects.PathObjects")
    is_detection = mark.object == "detection"
    create = objects.createDetectionObject if is_detection else objects.createAnnotationObject
    made = create(_roi(qupath, mark))
    if mark.label is not None:
        made.setPathClass(_path_class(qupath, mark.label))
    made.setID(qupath("java.util.UUID").fromString(mark.object_id))
    return made


def _calibrate(qupath: QuPath, image_data: Any, mpp: float | None) -> None:
    if mpp is None:
        return
    metadata = image_data.getServer().getMetadata()
    builder = qupath("qupath.lib.images.servers.ImageServerMetadata").Builder(metadata)
    builder.pixelSizeMicrons(mpp, mpp).magnification(MAGNIFICATION)
    image_data.updateServerMetadata(builder.build())


def _thumbnail(image_data: Any) -> Any:
    server = image_data.getServer()
    width, height = server.getWidth(), server.getHeight()
    return server.readRegion(max(width, height) / THUMBNAIL_PX, 0, 0, width, height)


def _add_entry(qupath: QuPath, project: Any, images: Path, entry: Entry, marks: list[Mark]) -> None:
    uri = qupath("java.io.File")(str(images / entry.file)).toURI()
    support = qupath("qupath.lib.images.servers.ImageServers").getImageSupport(uri)
    added = project.addImage(support.getBuilders().get(0))
    added.setImageName(entry.name)
    for key, value in entry.metadata.items():
        added.putMetadataValue(key, value)
    image_data = added.readImageData()
    image_type = qupath("qupath.lib.images.ImageData").ImageType
    image_data.setImageType(image_type.BRIGHTFIELD_OTHER)
    _calibrate(qupath, image_data, entry.mpp)
    made = qupath("java.util.ArrayList")()
    for mark in marks:
        made.add(_path_object(qupath, mark))
    image_data.getHierarchy().addObjects(made)
    added.saveImageData(image_data)
    added.setThumbnail(_thumbnail(image_data))
    image_data.getServer().close()


def write_project(
    folder: Path, entries: list[Entry], marks: list[Mark], qupath_folder: Path | None
) -> None:
    """Write ``folder/project.qpproj`` over the pictures in ``folder/images``.

    Parameters
    ----------
    qupath_folder
        Where QuPath is installed; None lets paquo look for it.
    """
    qupath = QuPath(qupath_folder)
    picture = qupath("java.awt.image.BufferedImage").class_
    file = qupath("java.io.File")(str(folder / "project.qpproj"))
    project = qupath("qupath.lib.projects.Projects").createProject(file, picture)
    classes = qupath("java.util.ArrayList")()
    for label in CLASS_COLOURS:
        classes.add(_path_class(qupath, label))
    project.setPathClasses(classes)
    for entry in entries:
        own = [mark for mark in marks if mark.image == entry.file]
        _add_entry(qupath, project, folder / "images", entry, own)
    project.syncChanges()
