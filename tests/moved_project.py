"""Projects whose files say that they were saved elsewhere, as after a move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny_project import TinyCell, TinyImage, build


def lab(folder: Path, count: int = 2, *, images_in: str = "slides") -> Path:
    """Write ``folder/proj`` with its images in ``folder/slides``; return the project."""
    images = [TinyImage(str(n), f"im {n}", [TinyCell(50, 50)], {"Patient": f"P{n}"})
              for n in range(1, count + 1)]  # fmt: skip
    project = build(folder / "proj", images)
    if images_in != "proj/images":
        (folder / images_in).parent.mkdir(parents=True, exist_ok=True)
        (project / "images").rename(folder / images_in)
        say(project, (project / "images").as_uri(), (folder / images_in).as_uri())
    for entry in content(project)["images"]:
        server = {"builder": entry["serverBuilder"], "metadata": {"width": 400}}
        text = json.dumps(server, separators=(",", ":"), ensure_ascii=False)
        (project / "data" / str(entry["entryID"]) / "server.json").write_text(text, "utf-8")
    return project


def moved(project: Path, target: Path) -> Path:
    """Move the project and what lies beside it; return where the project is now."""
    target.parent.mkdir(parents=True, exist_ok=True)
    project.parent.rename(target)
    return target / project.name


def say(project: Path, old: str, new: str) -> None:
    """Let the files of a project name another place."""
    for path in written(project):
        path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))


def written(project: Path) -> list[Path]:
    """Return the files that hold places."""
    return [*sorted(project.glob("data/*/server.json")), project / "project.qpproj"]


def content(project: Path) -> Any:
    """Return what the project file holds."""
    return json.loads((project / "project.qpproj").read_bytes())


def state(project: Path) -> dict[str, bytes]:
    """Return the files that QuPath wrote, with their bytes."""
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.relative_to(project).parts[0] != "pycyto"
    }
