"""Peak memory of ``pycyto.export`` for 100 images of 1000 cells, against that for one such image.

Each export runs in a process of its own, from the files of cells (GeoJSON backend); a second
one into the same folder finds nothing to do.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from PIL import Image

from pycyto import files
from pycyto.qupath.geojson import cells_file, write_cells_file

IMAGES = 100
CELLS = 1000
WIDTH, HEIGHT = 400, 300
CLASSES = ("NILM", "ASC-US", "LSIL", "HSIL")
EXPORT = """
import sys
from pycyto import Access, export
done = export(sys.argv[1], out=sys.argv[2], access=Access(backend="geojson"))
print(done.new, done.kept)
try:
    import resource  # not on Windows, where psutil knows the peak
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
except ImportError:
    import psutil
    peak = psutil.Process().memory_info().peak_wset
print(peak)
"""


def make_project(folder: Path, images: int) -> Path:
    """Write a project of small images, with its files of cells, and return its folder."""
    ramp = np.linspace(0, 255, WIDTH, dtype=np.uint8)
    pixels = np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3))
    entries = []
    for entry_id in map(str, range(1, images + 1)):
        path = folder / "images" / f"{entry_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(pixels)).save(path)
        data = folder / "data" / entry_id / "data.qpdata"
        files.write_text(data, entry_id)
        write_cells_file(
            cells_file(folder / "pycyto", entry_id),
            entry_id,
            [outline(int(entry_id), number) for number in range(CELLS)],
            data_sha256=files.sha256_of(data),
            qupath="0.5.1",
        )
        entries.append(entry(entry_id, path.as_uri()))
    content = {"version": "0.5.1", "uri": (folder / "project.qpproj").as_uri(), "images": entries}
    files.write_json(folder / "project.qpproj", content)
    return folder


def outline(image: int, number: int) -> dict[str, Any]:
    """Return a cell as QuPath writes it: sixteen corners around its centre."""
    x, y = 20.125 + 9 * (number % 40), 20.375 + 10 * (number // 40)
    angles = np.linspace(0, 2 * np.pi, 17)
    ring = np.stack([x + 15 * np.cos(angles), y + 15 * np.sin(angles)], 1).round(2)
    name = CLASSES[number % len(CLASSES)]
    return {
        "type": "Feature",
        "id": str(UUID(int=image * CELLS + number, version=4)),
        "geometry": {"type": "Polygon", "coordinates": [ring.tolist()]},
        "properties": {"objectType": "annotation", "classification": {"name": name}},
        "pycyto": {"centroid": [x, y], "bounds": [x - 15, y - 15, 30, 30], "area": 689.1},
    }


def entry(entry_id: str, uri: str) -> dict[str, Any]:
    """Return an image's entry in the project file."""
    return {
        "entryID": int(entry_id),
        "imageName": f"field {entry_id}.png",
        "metadata": {"Patient": f"P{entry_id}"},
        "serverBuilder": {
            "builderType": "uri",
            "uri": uri,
            "metadata": {"width": WIDTH, "height": HEIGHT, "isRGB": True},
        },
    }


def peak(project: Path, out: Path, *, new: bool) -> int:
    """Export in a process of its own, make sure what it did, and return its peak in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, project, out], capture_output=True, text=True, check=True
    )
    cut, kept, size = map(int, done.stdout.split())
    if (cut == 0) == new or (kept == 0) != new:
        raise SystemExit(f"{cut} patches were cut and {kept} kept, which is not what was meant")
    return size


def main() -> None:
    """Print the peaks in mebibytes and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        one, many = (make_project(work / str(n), n) for n in (1, IMAGES))
        print(f"{'':14}  1 image  {IMAGES} images of {CELLS} cells  ratio")
        for name, new in (("first export", True), ("second export", False)):
            small, large = peak(one, work / "a", new=new), peak(many, work / "b", new=new)
            print(
                f"{name:14} {small / 2**20:6.1f} MiB {large / 2**20:6.1f} MiB {large / small:14.2f}"
            )


if __name__ == "__main__":
    main()
