"""Small QuPath projects on disk, as the scripts leave them for reading without Java."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from PIL import Image

from pycyto import files
from pycyto.qupath.geojson import cells_file, write_cells_file

SIZE = (400, 300)


@dataclass(frozen=True)
class TinyCell:
    """A square outline around (x, y), or points if there are any."""

    x: float
    y: float
    class_name: str | None = "NILM"
    kind: str = "annotation"
    side: float = 30.0
    points: Sequence[tuple[float, float]] = ()
    measurements: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    z: int = 0

    @property
    def object_id(self) -> str:
        return str(uuid5(NAMESPACE_URL, f"{self.x} {self.y} {self.kind} {self.name}"))

    def feature(self) -> dict[str, Any]:
        """Return the feature that QuPath and the script would write."""
        half = self.side / 2
        left, top, right, bottom = self.x - half, self.y - half, self.x + half, self.y + half
        ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        properties: dict[str, Any] = {"objectType": self.kind}
        if self.class_name is not None:
            properties["classification"] = {"name": self.class_name, "color": [1, 2, 3]}
        if self.measurements:
            properties["measurements"] = dict(self.measurements)
        exact: dict[str, Any] = {
            "centroid": [self.x, self.y],
            "bounds": [left, top, self.side, self.side],
            "area": 0.0 if self.points else self.side**2,
            "z": self.z,
            "t": 0,
        }
        geometry: dict[str, Any] = {"type": "Polygon", "coordinates": [ring]}
        if self.points:
            exact["points"] = [list(point) for point in self.points]
            geometry = {"type": "MultiPoint", "coordinates": exact["points"]}
        return {
            "type": "Feature",
            "id": self.object_id,
            "geometry": geometry,
            "properties": properties,
            "pycyto": exact,
        }


@dataclass(frozen=True)
class TinyImage:
    """An image of random pixels with its cells."""

    entry_id: str
    name: str
    cells: Sequence[TinyCell] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    mpp: float | None = 0.25
    rgb: bool = True


def build(folder: Path, images: Iterable[TinyImage]) -> Path:
    """Write a project and return its folder."""
    entries = []
    for image in images:
        path = folder / "images" / f"{image.entry_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        generator = np.random.default_rng(int(image.entry_id))
        pixels = generator.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
        Image.fromarray(pixels).save(path)
        entries.append(_entry(image, path.as_uri()))
        save_cells(folder, image.entry_id, image.cells)
    content = {"version": "0.5.1", "uri": (folder / "project.qpproj").as_uri(), "images": entries}
    (folder / "project.qpproj").write_text(json.dumps(content), encoding="utf-8")
    return folder


def save_cells(folder: Path, entry_id: str, cells: Sequence[TinyCell], state: str = "") -> None:
    """Save an image's objects as QuPath and export_cells.groovy would."""
    data = folder / "data" / entry_id / "data.qpdata"
    data.parent.mkdir(parents=True, exist_ok=True)
    # Ends as QuPath's do: else it counts as cut off.
    data.write_bytes(f"{state} {[cell.feature() for cell in cells]}".encode() + b"t\x00\x03EOF")
    write_cells_file(
        cells_file(folder / "pycyto", entry_id),
        entry_id,
        [cell.feature() for cell in cells],
        data_sha256=files.sha256_of(data),
        qupath="0.5.1",
    )


def _entry(image: TinyImage, uri: str) -> dict[str, Any]:
    unit = {"value": image.mpp or 1.0, "unit": "µm" if image.mpp else "px"}
    return {
        "entryID": int(image.entry_id),
        "imageName": image.name,
        "metadata": dict(image.metadata),
        "serverBuilder": {
            "builderType": "uri",
            "providerClassName": "qupath.imagej.images.servers.ImageJServerBuilder",
            "uri": uri,
            "args": [],
            "metadata": {
                "width": SIZE[0],
                "height": SIZE[1],
                "isRGB": image.rgb,
                "pixelCalibration": {"pixelWidth": unit, "pixelHeight": unit},
            },
        },
    }
