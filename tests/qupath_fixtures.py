"""Fixtures for tests that run real QuPath installations (marker ``qupath``).

``PYCYTO_QUPATH_DIRS`` names one or more installation folders, parted by the
system's path separator; each such test runs once per installation.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pycyto.qupath.headless import ScriptResult, launcher_of, run_script
from tests.qupath_installations import parameters

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "qupath_scripts"
MAKER = ROOT / "tests" / "qupath_scripts" / "make_hard_project.groovy"

WIDTH, HEIGHT = 900, 700
# Name of the image in QuPath → its file and whether it has objects. The first
# two share a name; the slides are opened by OpenSlide, the others by ImageJ.
IMAGES: tuple[tuple[str, str, bool], ...] = (
    ("Präparat 100% é", "field a%20b é.png", True),
    ("Präparat 100% é", "field2.png", True),
    ("jpeg 4:2:0", "chroma420.jpg", True),
    ("jpeg 4:4:4", "chroma444.jpg", True),
    ("slide.svs", "slide.svs", True),
    ("tiled.tif", "tiled.tif", True),
    ("grey", "grey.png", True),
    ("never opened", "empty.png", False),
)
GREY, EMPTY = "7", "8"  # entry IDs


@dataclass(frozen=True)
class HardProject:
    """A project with every hard case, made by the QuPath that is under test."""

    folder: Path
    images: Path
    qupath: Path

    def run(self, script: str, **options: Any) -> ScriptResult:
        """Run a script on it."""
        return run_script(self.qupath, SCRIPTS / f"{script}.groovy", self.folder, **options)

    def file_of(self, entry_id: str) -> Path:
        """Return the file of an image."""
        return self.images / IMAGES[int(entry_id) - 1][1]


@pytest.fixture(scope="session", params=parameters())
def qupath_installation(request: pytest.FixtureRequest) -> Path:
    """Return the folder of a real QuPath."""
    return Path(request.param)


@pytest.fixture(scope="session")
def hard_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the image files: a field in every format, and two small slides."""
    folder = tmp_path_factory.mktemp("bilder é %41")
    pixels = _picture()
    Image.fromarray(pixels).save(folder / IMAGES[0][1])
    Image.fromarray(pixels[::-1].copy()).save(folder / IMAGES[1][1])
    Image.fromarray(pixels).save(folder / IMAGES[2][1], quality=85, subsampling="4:2:0")
    Image.fromarray(pixels).save(folder / IMAGES[3][1], quality=85, subsampling="4:4:4")
    _write_slide(folder / IMAGES[4][1], pixels, compression="jpeg", aperio=True)
    _write_slide(folder / IMAGES[5][1], pixels, compression="adobe_deflate", aperio=False)
    Image.fromarray(pixels[..., 0]).save(folder / IMAGES[6][1])
    Image.fromarray(pixels).save(folder / IMAGES[7][1])
    return folder


@pytest.fixture(scope="session")
def hard_project_template(
    qupath_installation: Path, hard_images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make the hard project with one version of QuPath."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("projects") / "projet é 1"
    images = [
        {
            "file": str(hard_images / file),
            "name": name,
            "objects": objects,
            "metadata": {
                "Patient": f"p{number % 3}",
                "Slide": f"s, {number}",
                "Annotator": 'A "B"',
            },
        }
        for number, (name, file, objects) in enumerate(IMAGES)
    ]
    recipe = home / "recipe.json"
    recipe.write_text(json.dumps({"folder": str(folder), "images": images}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, home)
        done = subprocess.run(
            [str(launcher_of(qupath_installation)), "script", "-a", str(recipe), str(MAKER)],
            capture_output=True,
            timeout=300,
            check=False,
        )
    assert (folder / "project.qpproj").exists(), done.stdout.decode(errors="replace")[-4000:]
    assert len(list(folder.glob("data/*/data.qpdata"))) == len(IMAGES) - 1, done.stdout.decode(
        errors="replace"
    )[-4000:]
    return folder


@pytest.fixture(scope="module")
def hard_project(
    qupath_installation: Path,
    hard_project_template: Path,
    hard_images: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HardProject]:
    """Return a copy of the hard project that the tests of one module may change."""
    folder = tmp_path_factory.mktemp("copy") / hard_project_template.name
    shutil.copytree(hard_project_template, folder)
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, tmp_path_factory.mktemp("home"))
        yield HardProject(folder, hard_images, qupath_installation)


def isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Keep the user's own settings of QuPath out of what is started."""
    # Read by every Java, whatever launcher starts it. The last two halve a short run.
    options = (
        f"-Duser.home={home}",
        f"-Djava.util.prefs.userRoot={home}",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
    )
    patch.setenv("JAVA_TOOL_OPTIONS", " ".join(options))


def _picture() -> npt.NDArray[np.uint8]:
    """Return a picture that no shift, flip or smoothing leaves the same."""
    generator = np.random.default_rng(20260131)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = [128 + 90 * np.sin(x / (9 + 4 * c) + y / (13 - 3 * c)) for c in range(3)]
    noise = generator.integers(-35, 36, (HEIGHT, WIDTH, 3))
    return np.clip(np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)


def _write_slide(
    path: Path, pixels: npt.NDArray[np.uint8], *, compression: str, aperio: bool
) -> None:
    import tifffile

    options: Mapping[str, Any] = {
        "photometric": "rgb",
        "tile": (240, 240) if aperio else (256, 256),
        "compression": compression,
        "metadata": None,
    }
    description = (
        f"Aperio Image Library v11.2.1\n{WIDTH}x{HEIGHT} [0,0 {WIDTH}x{HEIGHT}] (240x240) "
        "JPEG/RGB Q=80|AppMag = 40|MPP = 0.2500"
    )
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            pixels,
            **options,
            description=description if aperio else "",
            resolution=(40000, 40000),
            resolutionunit="CENTIMETER",
        )
