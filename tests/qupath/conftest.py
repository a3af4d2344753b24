"""A small QuPath project on disk, in the form that QuPath writes, its objects, and a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pycyto.qupath.runs import ImageState, Run
from pycyto.records import Bounds, ProjectObject

Json = dict[str, Any]
ProjectMaker = Callable[..., Path]
OBJECT_ID = "0a0b0c0d-0000-4000-8000-000000000001"
RUN_ID = "1f9c2a3b-0000-4000-8000-000000000000"
LABELS = ("NILM", "ASC-US")


def builder(
    uri: str = "file:///slides/a.svs",
    *,
    pixel_size: Sequence[float] = (0.25, 0.25),
    unit: str = "µm",
    args: Sequence[str] = (),
    provider: str = "qupath.lib.images.servers.openslide.OpenslideServerBuilder",
    **metadata: object,
) -> Json:
    """What QuPath keeps of how to open an image."""
    sides = dict(zip(("pixelWidth", "pixelHeight"), pixel_size, strict=True))
    return {
        "builderType": "uri",
        "providerClassName": provider,
        "uri": uri,
        "args": list(args),
        "metadata": {
            "name": "a.svs",
            "width": 600,
            "height": 520,
            "isRGB": True,
            "channels": [{"name": name, "color": -1} for name in ("Red", "Green", "Blue")],
            "pixelCalibration": {
                side: {"value": value, "unit": unit} for side, value in sides.items()
            },
            **metadata,
        },
    }


def entry(server: Json | None = None, *, entry_id: object = 1, **more: object) -> Json:
    """One image of the project file."""
    return {
        "serverBuilder": server or builder(),
        "entryID": entry_id,
        "randomizedName": "00000000-0000-4000-8000-000000000000",
        "imageName": "a.svs",
        "metadata": {},
        "tags": [],
        **more,
    }


@pytest.fixture
def make_project(tmp_path: Path) -> ProjectMaker:
    """Write a project file with these entries and return its folder."""

    def make(*entries: Json, folder: str = "Projekt é 1") -> Path:
        path = tmp_path / folder / "project.qpproj"
        path.parent.mkdir()
        content = {
            "version": "0.5.1",
            "createTimestamp": 1,
            "modifyTimestamp": 1,
            "uri": "file:/elsewhere/project.qpproj",
            "lastID": len(entries),
            "images": list(entries),
        }
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
        return path.parent

    return make


def feature(**changes: Any) -> Json:
    """One object as the scripts write it; changes of its own members or of ``properties``."""
    result: Json = {
        "type": "Feature",
        "id": OBJECT_ID,
        "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 2], [0, 0]]]},
        "properties": {
            "objectType": "annotation",
            "classification": {"name": "HSIL", "color": [211, 47, 47]},
        },
        "pycyto": {
            "centroid": [2.123456789012345, 1.5],
            "bounds": [0.0, 0.0, 4.0, 2.0],
            "area": 4.0,
            "z": 0,
            "t": 0,
        },
    }
    for name, value in changes.items():
        (result if name in result else result["properties"])[name] = value
    return result


def an_object(**changes: Any) -> ProjectObject:
    """An annotation of HSIL with a small outline."""
    values: Json = {
        "object_id": OBJECT_ID,
        "kind": "annotation",
        "class_name": "HSIL",
        "centroid": (10.5, 20.25),
        "bounds": Bounds(0, 0, 20, 40),
        "area": 800.0,
        "geometry": {"type": "Polygon", "coordinates": []},
    }
    return ProjectObject(**{**values, **changes})


def a_run(folder: Path, **changes: Any) -> Run:
    """A run that is to create one detection in image 1, and to classify another."""
    values: Json = {
        "run_id": RUN_ID,
        "created_at": "2026-01-31T12:00:00+00:00",
        "project_id": "p",
        "state": "staged",
        "objects": "annotations",
        "model": {"bundle_id": "b", "network": "small", "labels": list(LABELS)},
        "scheme": "bethesda",
        "colours": {"NILM": (76, 175, 80), "ASC-US": (255, 193, 7)},
        "counts": {"given": 3, "predicted": 3, "by_class": {"NILM": 2, "ASC-US": 1}},
        "images": {"1": ImageState("staged", "00", 1, 1)},
    }
    return Run(folder, **{**values, **changes})


def edit(path: Path, old: str, new: str) -> None:
    """Replace something in a file, as somebody might by hand."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
