"""A landmark that was outlined in QuPath is in the middle of its patch, or the image is refused.

Each image shows `tests.landmarks.picture` in its own way; real QuPath opens it, and outlines are
drawn around the landmarks. Patches are cut by both backends and by the script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from pycyto import Access, export, predict, write_back
from pycyto import files as pycyto_files
from pycyto.errors import PartlyDoneError
from pycyto.images.patches import read_patch
from pycyto.labels import BETHESDA
from pycyto.manifest import Row, read_manifest
from pycyto.qupath import _java, runs
from pycyto.qupath.headless import run_script
from pycyto.qupath.locate import Installation
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import ImageEntry, Project, open_project
from pycyto.qupath.run_tables import NewDetection, read_new, write_tables
from pycyto.qupath.runs import ImageState, Run
from pycyto.records import CellKey, ProjectObject, Silent, new_object_id
from tests import landmarks, stub_model
from tests.landmarks import BOUNDS, PLACES, deep, picture, shown

SCRIPTS = Path(__file__).parents[2] / "qupath_scripts"
ALTERED = "rotated, cropped or altered in QuPath"
NOT_RGB = "image not RGB"
# Opens an image file in QuPath, perhaps changed: what a project gets.
Opening = Callable[["QuPath", Path], Any]


class QuPath:
    """Classes of the QuPath in this process by their names."""

    def __init__(self, installation: Installation) -> None:
        _java.start(installation)
        for name in ("jna.OpenSlideLoader", "OpenslideServerBuilder"):  # where the version has it
            try:
                self.servers(f"openslide.{name}").tryToLoadQuietly()
            except (TypeError, AttributeError):
                continue

    def named(self, name: str) -> Any:
        from jpype import JClass

        return JClass(f"qupath.lib.{name}")

    def servers(self, name: str) -> Any:
        return self.named(f"images.servers.{name}")

    def file(self, path: Path) -> Any:
        from jpype import JClass

        return JClass("java.io.File")(str(path))

    def server(self, path: Path, *arguments: str) -> Any:
        uri = self.file(path).toURI()
        return self.servers("ImageServers").buildServer(uri, *arguments)


def plain(qupath: QuPath, path: Path) -> Any:
    return qupath.server(path).getBuilder()


def uncropped(qupath: QuPath, path: Path) -> Any:
    return qupath.server(path, "--no-crop").getBuilder()


def pyramid(qupath: QuPath, path: Path) -> Any:
    server = qupath.servers("ImageServers").pyramidalize(qupath.server(path), 1.0, 2.0, 4.0)
    return server.getBuilder()


def transformed(change: Callable[[QuPath, Any], Any], *, below_pyramid: bool = False) -> Opening:
    """Return how to open an image with something that QuPath's own class puts over it."""

    def opening(qupath: QuPath, path: Path) -> Any:
        builder = qupath.servers("TransformedServerBuilder")(qupath.server(path))
        server = change(qupath, builder).build()
        if below_pyramid:
            server = qupath.servers("ImageServers").pyramidalize(server, 1.0, 2.0)
        return server.getBuilder()

    return opening


def rotated(by: int, **options: bool) -> Opening:
    def change(qupath: QuPath, builder: Any) -> Any:
        rotations = qupath.servers("RotatedImageServer$Rotation")
        return builder.rotate(rotations.valueOf(f"ROTATE_{by}"))

    return transformed(change, **options)


def cropped(qupath: QuPath, builder: Any) -> Any:
    return builder.crop(qupath.named("regions.ImageRegion").createInstance(40, 30, 600, 500, 0, 0))


def affine(_: QuPath, builder: Any) -> Any:
    from jpype import JClass

    return builder.transform(JClass("java.awt.geom.AffineTransform")(1, 0, 0, 1, 25, 0))


def blue_first(_: QuPath, builder: Any) -> Any:
    return builder.reorderRGB("BGR")


def mirrored(qupath: QuPath, builder: Any) -> Any:
    return builder.flip(qupath.servers("FlippedImageServer$Flip").HORIZONTAL)


def with_arguments(*arguments: str) -> Opening:
    def opening(qupath: QuPath, path: Path) -> Any:
        server = qupath.server(path)
        provider = qupath.servers("openslide.OpenslideServerBuilder")
        create = qupath.servers("ImageServerBuilder$DefaultImageServerBuilder").createInstance
        uri = qupath.file(path).toURI()
        return create(provider.class_, server.getMetadata(), uri, *arguments)

    return opening


def oblong(qupath: QuPath, path: Path) -> Any:
    server = qupath.server(path)
    builder = qupath.servers("ImageServerMetadata$Builder")(server.getMetadata())
    server.setMetadata(builder.pixelSizeMicrons(0.25, 0.5).build())
    return server.getBuilder()


@dataclass(frozen=True)
class Case:
    """An image: how its file is made, how QuPath opens it, and what is to come of it.

    Attributes
    ----------
    word
        Why all refuse it; empty where it is cut.
    python
        Why Python alone refuses it: QuPath mixes or turns what is in the file.
    planes
        Axis of further planes, on which there are outlines as well.
    since
        First version of QuPath that can do it.
    """

    file: str
    write: Callable[[Path], object]
    opening: Opening = plain
    word: str = ""
    python: str = ""
    planes: str = ""
    since: str = ""


def saved(**options: Any) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(picture()).save(path, **options)


def channels(kind: Callable[[Any], Any], **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pixels = np.ascontiguousarray(np.moveaxis(kind(picture()), -1, 0))
        tifffile.imwrite(path, pixels, **options)

    return write


def transparent(path: Path) -> None:
    alpha = np.full((*picture().shape[:2], 1), 255, np.uint8)
    alpha[::2] = 250
    Image.fromarray(np.concatenate([picture(), alpha], 2)).save(path)


def oriented(orientation: int) -> Callable[[Path], None]:
    return lambda path: landmarks.write_oriented(path, orientation)


AS_IMAGEJ = {"imagej": True, "metadata": {"axes": "CYX"}}
SVS = ("a.svs", landmarks.write_aperio)
CASES = {
    "png": Case("a.png", saved()),
    "jpeg": Case("a.jpg", saved(quality=95)),
    "bmp": Case("a.bmp", saved()),
    "svs": Case(*SVS),
    "odd levels": Case("odd.tif", lambda path: landmarks.write_pyramid(path, 2.33, 3.7)),
    "bigtiff": Case("big.tif", lambda path: landmarks.write_pyramid(path, 2.33, bigtiff=True)),
    "levels below": Case("sub.tif", landmarks.write_with_sub_levels),
    "bounded": Case("a.scn", landmarks.write_bounded),
    "bounded, whole": Case("a.scn", landmarks.write_bounded, uncropped),
    "planes apart": Case(
        "planar.tif", channels(lambda p: p, photometric="rgb", planarconfig="separate")
    ),
    "made-up levels": Case("a.png", saved(), pyramid),
    "made-up levels, bounded": Case("a.scn", landmarks.write_bounded, pyramid),
    "first of the file": Case(*SVS, opening=with_arguments("--series", "0")),
    "z": Case("z.tif", lambda path: landmarks.write_stack(path, "ZYXS"), planes="z"),
    "t": Case("t.tif", lambda path: landmarks.write_stack(path, "TYXS"), planes="t"),
    "exif 6": Case("exif6.jpg", oriented(6)),
    "exif 3": Case("exif3.jpg", oriented(3)),
    "exif 3 in png": Case("exif3.png", oriented(3)),
    "tiff 3": Case("exif3.tif", oriented(3), python="orientation 3"),
    "tiff 6": Case("exif6.tif", oriented(6), python="orientation 6"),
    "opaque": Case("rgba.png", lambda path: Image.fromarray(picture()).convert("RGBA").save(path)),
    "transparent": Case("see-through.png", transparent, python="transparent"),
    "rotated 90": Case("a.png", saved(), rotated(90), ALTERED),
    "rotated 180": Case(*SVS, opening=rotated(180), word=ALTERED),
    "rotated, levels": Case("a.png", saved(), rotated(180, below_pyramid=True), ALTERED),
    "cropped": Case("a.png", saved(), transformed(cropped), ALTERED),
    "affine": Case("a.png", saved(), transformed(affine), ALTERED),
    "mirrored": Case("a.png", saved(), transformed(mirrored), ALTERED, since="0.7"),
    "blue first": Case("a.png", saved(), transformed(blue_first), ALTERED),
    "--rotate": Case(*SVS, opening=with_arguments("--rotate", "ROTATE_90"), word=ALTERED),
    "--rotate=": Case(*SVS, opening=with_arguments("--rotate=ROTATE_180"), word=ALTERED),
    "--dims": Case(*SVS, opening=with_arguments("--dims", "XYTCZ"), word=ALTERED),
    "second of the file": Case(
        *SVS, opening=with_arguments("--series", "1"), word="not the first image of its file"
    ),
    "named in the file": Case(
        *SVS, opening=with_arguments("--name", "label"), word="not the first image of its file"
    ),
    "oblong": Case(*SVS, opening=oblong, word="anisotropic pixels"),
    "grey": Case(
        "grey.png", lambda path: Image.fromarray(picture()[..., 1]).save(path), word=NOT_RGB
    ),
    "grey, 16 bit": Case(
        "grey16.tif", lambda path: tifffile.imwrite(path, deep(picture())[..., 0]), word=NOT_RGB
    ),
    "rgb, 16 bit": Case(
        "rgb16.tif",
        lambda path: tifffile.imwrite(path, deep(picture()), photometric="rgb"),
        word=NOT_RGB,
    ),
    "png, 16 bit": Case(
        "rgb16.png",
        lambda path: path.write_bytes(imagecodecs.png_encode(deep(picture()))),
        word=NOT_RGB,
    ),
    "fluorescence": Case("fluo16.tif", channels(deep, **AS_IMAGEJ), word=NOT_RGB),
    "fluorescence, 8 bit": Case("fluo8.tif", channels(lambda p: p, **AS_IMAGEJ), word=NOT_RGB),
    "palette": Case(
        "palette.png", lambda path: Image.fromarray(picture()).quantize(99).save(path), word=NOT_RGB
    ),
}
REFUSED = [name for name, case in CASES.items() if case.word]


def planes_of(case: Case) -> list[tuple[int, int]]:
    """Return the planes, z and t, on which a case has outlines."""
    return {"z": [(0, 0), (1, 0), (2, 0)], "t": [(0, 0), (0, 2)]}.get(case.planes, [(0, 0)])


def places_of(name: str) -> list[tuple[int, int]]:
    """Return where the landmarks are in QuPath."""
    left, top = BOUNDS if name == "bounded, whole" else (0, 0)
    return [(x + left, y + top) for x, y in PLACES]


def add_image(qupath: QuPath, project: Any, name: str, path: Path) -> None:
    """Add an image to a project, with outlines around the landmarks in every plane."""
    case = CASES[name]
    entry = project.addImage(case.opening(qupath, path))
    entry.setImageName(name)
    data = entry.readImageData()
    kind = "BRIGHTFIELD_OTHER" if data.getServer().isRGB() else "FLUORESCENCE"
    data.setImageType(qupath.named("images.ImageData$ImageType").valueOf(kind))
    hsil = qupath.named("objects.classes.PathClass").fromString("HSIL")
    for z, t in planes_of(case):
        plane = qupath.named("regions.ImagePlane").getPlane(z, t)
        for x, y in places_of(name):
            box = qupath.named("roi.ROIs").createRectangleROI(x - 15, y - 13, 30, 26, plane)
            outline = qupath.named("objects.PathObjects").createAnnotationObject(box, hsil)
            data.getHierarchy().addObject(outline)
    entry.saveImageData(data)
    data.getServer().close()


@dataclass(frozen=True)
class Made:
    """The project with every case that this QuPath knows, and what the script did with it."""

    project: Project
    installation: Installation
    script: dict[str, Any]

    def entry(self, name: str) -> ImageEntry:
        found = [image for image in self.project.images if image.name == name]
        if not found:
            pytest.skip(f"QuPath {self.installation.version} cannot: {name}")
        return found[0]

    def rows(self, folder: Path, name: str) -> list[tuple[Row, Any]]:
        """Return the patches of an image in a data set, in the order of the landmarks."""
        rows = [row for row in read_manifest(folder) if row.image_name == name]
        places = places_of(name)
        rows.sort(key=lambda row: places.index((round(row.centroid_x), round(row.centroid_y))))
        return [(row, read_patch(folder, row)) for row in rows]


@pytest.fixture(scope="module")
def made(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Made:
    qupath = QuPath(installation)
    images, folder = tmp_path_factory.mktemp("images"), tmp_path_factory.mktemp("landmarks")
    from jpype import JClass

    picture_class = JClass("java.awt.image.BufferedImage").class_
    project = qupath.named("projects.Projects").createProject(qupath.file(folder), picture_class)
    for name, case in CASES.items():
        if case.since and installation.version < case.since:
            continue
        if not (images / case.file).exists():
            case.write(images / case.file)
        add_image(qupath, project, name, images / case.file)
    project.syncChanges()
    backend = PaquoBackend(open_project(folder), installation)
    for image in open_project(folder).images:
        backend.refresh(image.entry_id)
    with pytest.raises(PartlyDoneError):
        run_script(installation.folder, SCRIPTS / "export_patches.groovy", folder)
    told = pycyto_files.read_json(folder / "pycyto" / "results" / "export_patches.json")
    return Made(open_project(folder), installation, told["images"])


def check_landmarks(made: Made, folder: Path, name: str, downsample: float = 1.0) -> None:
    found = made.rows(folder, name)
    assert len(found) == len(PLACES)
    noise = 0.3 if name in ("jpeg", "exif 3", "exif 6", "transparent") else 1e-9
    for (row, patch), place in zip(found, PLACES, strict=True):
        assert (row.z, row.t) == (0, 0)
        x, y, *told = shown(patch)
        off = noise if downsample == 1 else 0.5 / min(downsample, 1) + 0.05
        assert (x, y) == pytest.approx((112, 112), abs=off)
        assert told == pytest.approx(place, abs=24 * max(1, downsample))


def others(case: Case) -> int:
    """Return how many outlines are on planes that no patch is cut from."""
    return (len(planes_of(case)) - 1) * len(PLACES)


@pytest.mark.parametrize("name", ["bounded", "svs", "odd levels", "bigtiff", "levels below"])
def test_slides_are_opened_by_openslide(name: str, made: Made) -> None:
    """Else the cases would prove nothing of it."""
    entry = made.entry(name)
    assert entry.opened_by_openslide
    assert (entry.width, entry.height) == (landmarks.WIDTH, landmarks.HEIGHT)
    assert made.entry("bounded, whole").width == 1000


class Said(Silent):
    """A reporter that remembers what it said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@dataclass(frozen=True)
class Exported:
    """What one backend made of all images: the data set, what was said, and the error."""

    folder: Path
    lines: list[str]
    error: str


@pytest.fixture(scope="module", params=["paquo", "geojson"])
def exported(
    request: pytest.FixtureRequest, made: Made, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    said, folder = Said(), tmp_path_factory.mktemp(request.param)
    access = Access(backend=request.param, qupath=made.installation.folder)
    with pytest.raises(PartlyDoneError) as raised:
        export(made.project.folder, out=folder, access=access, reporter=said)
    return Exported(folder, said.lines, str(raised.value))


@pytest.mark.parametrize("name", CASES)
def test_python_cuts_the_landmark_or_refuses(name: str, made: Made, exported: Exported) -> None:
    case, entry = CASES[name], made.entry(name)
    if case.word or case.python:
        assert (entry.obstacle or "") == case.word
        assert made.rows(exported.folder, name) == []
    else:
        check_landmarks(made, exported.folder, name)


def test_every_outline_is_accounted_for(made: Made, exported: Exported) -> None:
    cases = [CASES[image.name] for image in made.project.images]
    expected = Counter(
        case.word or ("image not readable" if case.python else "") for case in cases for _ in PLACES
    )
    expected["z or t plane"] = sum(map(others, cases))
    del expected[""]
    for reason, count in expected.items():
        assert f"  {count:>6}  {reason}" in exported.lines
    assert all(case.python in exported.error for case in cases)


@pytest.mark.parametrize("name", CASES)
def test_the_script_cuts_the_landmark_or_refuses(name: str, made: Made) -> None:
    case, count = CASES[name], len(PLACES)
    told = made.script[made.entry(name).entry_id]
    if case.word:
        assert told["error"] == f"{case.word}: its {count} cells are left out."
        assert told["failed"] == {case.word: count}
        assert made.rows(made.project.workspace / "patches", name) == []
        return
    assert told["ok"], told["error"]
    check_landmarks(made, made.project.workspace / "patches", name)
    assert (told["given"], told["patches"]) == (count + others(case), count)
    assert told["skipped"] == ({"z or t plane": others(case)} if case.planes else {})


@pytest.mark.parametrize("mpp", [0.125, 0.345, 0.583, 0.925])
@pytest.mark.parametrize("name", ["svs", "odd levels", "bounded", "made-up levels, bounded"])
def test_in_micrometres_it_is_in_the_middle_too(
    name: str, mpp: float, made: Made, tmp_path: Path
) -> None:
    access = Access(backend="geojson")
    export(made.project.folder, out=tmp_path, images=[name], mpp=mpp, access=access)
    check_landmarks(made, tmp_path, name, mpp / landmarks.MPP)


def test_nothing_is_predicted_in_an_image_that_is_refused(made: Made) -> None:
    names = [image.name for image in made.project.images if image.name in REFUSED]
    count = len(names) * len(PLACES)
    with (
        stub_model.in_place(),
        pytest.raises(PartlyDoneError, match=f"{count} of {count} objects") as raised,
    ):
        predict(made.project.folder, model="m", images=names, access=Access(backend="geojson"))
    assert all(CASES[name].word in str(raised.value) for name in names)
    assert not list(made.project.workspace.rglob("new/*.csv"))


def boxes(made: Made, entry_id: str, *, ours: bool) -> dict[str, ProjectObject]:
    found = PaquoBackend(made.project, made.installation).read(entry_id).objects
    return {item.object_id: item for item in found if item.made_by_pycyto is ours}


@pytest.mark.parametrize("name", ["rotated 90", "cropped", "bounded", "z"])
def test_what_was_predicted_by_other_means_is_written_where_its_cell_is(
    name: str, made: Made
) -> None:
    """A detection gets the outline of the expert's object: no pixel and no coordinate is used."""
    entry_id = made.entry(name).entry_id
    run, sources = staged(made, entry_id)
    result = write_back(
        made.project.folder,
        run.name,
        access=Access(qupath=made.installation.folder),
    )
    assert result.created == result.read_back == len(sources) > 0
    now = boxes(made, entry_id, ours=True)
    for row in read_new(result.run, entry_id):
        source, detection = sources[row.source_id], now[row.object_id]
        assert detection.kind == "detection"
        assert (detection.centroid, detection.bounds) == (source.centroid, source.bounds)
        assert (detection.z, detection.t) == (source.z, source.t)


def staged(made: Made, entry_id: str) -> tuple[Run, dict[str, ProjectObject]]:
    """Stage a run by hand over every outline of an image."""
    sources = boxes(made, entry_id, ours=False)
    run_id = f"{int(entry_id):08x}-0000-4000-8000-000000000001"
    project_id = open_project(made.project.folder).project_id
    chances = dict(zip(BETHESDA.names, (0.1, 0.2, 0.3, 0.4), strict=True))
    new = [
        NewDetection(
            entry_id,
            new_object_id(CellKey(project_id, entry_id, item.object_id), run_id),
            item.object_id,
            None,
            *item.centroid,
            item.z,
            item.t,
            0.0,
            "HSIL",
            chances,
        )
        for item in sources.values()
    ]
    created_at = pycyto_files.now()
    state = ImageState("staged", made.project.data_sha256(entry_id), len(new), 0)
    run = Run(
        folder=made.project.workspace / "runs" / runs.folder_name(run_id, created_at),
        run_id=run_id,
        created_at=created_at,
        project_id=project_id,
        state="staged",
        objects="annotations",
        model={"bundle_id": "b", "network": "n", "labels": list(BETHESDA.names)},
        scheme="bethesda",
        colours={label.name: label.colour for label in BETHESDA.labels},
        counts={"given": len(new)},
        images={entry_id: state},
    )
    write_tables(run.folder, BETHESDA.names, new=new, updates=[])
    runs.save(run)
    return run, sources
