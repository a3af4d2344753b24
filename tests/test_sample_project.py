"""The sample project is what its README says, and can be read without QuPath."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from pycyto.images.crop import square_around
from pycyto.labels import BETHESDA
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.project import ImageEntry, open_project
from pycyto.records import ProjectObject
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder

SAMPLE = sample_project_folder()
PROJECT = open_project(SAMPLE)
OBJECTS = {
    image.entry_id: GeoJsonBackend(PROJECT).read(image.entry_id).objects for image in PROJECT.images
}
ALL = [item for objects in OBJECTS.values() for item in objects]
ANNOTATIONS = [item for item in ALL if item.kind == "annotation"]


def labels_by(key: str) -> dict[str, Counter[str]]:
    """Count the annotated classes by a metadata key of the image."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for image in PROJECT.images:
        for item in OBJECTS[image.entry_id]:
            if item.kind == "annotation" and BETHESDA.find(item.class_name):
                found[image.metadata[key]][str(item.class_name)] += 1
    return found


def image_named(name: str) -> ImageEntry:
    (image,) = [image for image in PROJECT.images if image.name == name]
    return image


def test_it_is_small_enough_to_carry() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 20e6


def test_there_are_enough_patients_and_cells() -> None:
    patients = {image.metadata["Patient"] for image in PROJECT.images}
    counts = Counter(item.class_name for item in ANNOTATIONS)
    assert len(patients) >= 28
    assert sum(counts[name] for name in BETHESDA.names) >= 500
    assert all(counts[name] >= 100 for name in BETHESDA.names)


@pytest.mark.parametrize("key", ["Scanner", "Site", "Preparation"])
def test_the_domain_does_not_give_the_class_away(key: str) -> None:
    found = labels_by(key)
    assert len(found) == 2
    shares = [
        np.array([counts[name] for name in BETHESDA.names]) / counts.total()
        for counts in found.values()
    ]
    assert np.abs(shares[0] - shares[1]).max() < 0.1


def test_the_slide_is_a_calibrated_pyramid_of_jpeg_tiles() -> None:
    (image,) = [image for image in PROJECT.images if image.opened_by_openslide]
    path = next(path for path in SAMPLE.rglob("*") if path.name == Path(image.uri).name)
    import openslide

    with openslide.OpenSlide(path) as slide:
        assert slide.level_count >= 2
        assert float(slide.properties["openslide.mpp-x"]) == image.mpp


def test_the_hard_cases_are_there() -> None:
    widths = {image.entry_id: (image.width, image.height) for image in PROJECT.images}
    at_edges = [
        entry_id
        for entry_id, objects in OBJECTS.items()
        for item in objects
        if min(item.centroid) < 112
        or item.centroid[0] > widths[entry_id][0] - 112
        or item.centroid[1] > widths[entry_id][1] - 112
    ]
    assert len(at_edges) >= 8
    assert any(len(item.points) > 1 for item in ANNOTATIONS)
    assert any(item.geometry.get("isEllipse") for item in ANNOTATIONS)
    assert any(len(item.geometry["coordinates"]) > 1 for item in outlines("Polygon"))
    assert any(not inside(item) for item in outlines("Polygon"))
    squares = [[square_around(*item.centroid) for item in found] for found in OBJECTS.values()]
    assert any(len(set(found)) < len(found) for found in squares)
    assert any(item.class_name is None for item in ANNOTATIONS)
    assert any(item.class_name and not BETHESDA.find(item.class_name) for item in ANNOTATIONS)
    assert any(image.mpp is None for image in PROJECT.images)
    assert len({image.name for image in PROJECT.images}) < len(PROJECT.images)
    assert any(" " in i.name and "%" in i.name and not i.name.isascii() for i in PROJECT.images)
    assert sum(item.kind == "detection" and item.class_name is None for item in ALL) >= 10


def outlines(kind: str) -> list[ProjectObject]:
    return [item for item in ANNOTATIONS if item.geometry["type"] == kind]


def inside(item: ProjectObject) -> bool:
    import shapely.geometry

    plain = {key: item.geometry[key] for key in ("type", "coordinates")}
    shape = shapely.geometry.shape(plain)
    return bool(shape.covers(shapely.geometry.Point(item.centroid)))


def test_a_copy_finds_its_images_and_changes_no_data(tmp_path: Path) -> None:
    target = tmp_path / "Kopie ü 100%"
    copy_project(SAMPLE, target)

    for before, after in zip(PROJECT.images, open_project(target).images, strict=True):
        assert after.uri.startswith(target.as_uri())
        assert Path(after.uri).name == Path(before.uri).name
        assert PROJECT.data_sha256(before.entry_id) == digest(target, before.entry_id)


def digest(project: Path, entry_id: str) -> str:
    data = project / "data" / entry_id / "data.qpdata"
    return hashlib.sha256(data.read_bytes()).hexdigest()
