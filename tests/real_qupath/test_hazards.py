"""What QuPath and paquo do to data, and that pycyto does not fall into it: docs/hazards.md.

Each letter is a row of that page. Where it is cheap, a test first does with
paquo or QuPath alone what goes wrong, so that it is seen to be true still.
"""

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import pytest
import shapely

import pycyto
from pycyto import Access, files, write_back
from pycyto.errors import BadInputError, PartlyDoneError, RefusedError, StaleError
from pycyto.labels import BETHESDA
from pycyto.qupath import _java, runs
from pycyto.qupath.locate import Installation
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import Project, ensure_project_id, local_path, open_project
from pycyto.qupath.run_tables import NewDetection, Update, write_tables
from pycyto.qupath.runs import ImageState, Run
from pycyto.qupath.versions import facts_of
from pycyto.qupath.writing import Writer
from pycyto.records import RUN_MARK, CellKey, ImageObjects, ProjectObject, new_object_id, run_mark

SHAPES = "33"  # annotations of every form
WAITING = "38"  # detections without a class
CHANCES = dict(zip(BETHESDA.names, (0.1, 0.2, 0.3, 0.4), strict=True))


@pytest.fixture(autouse=True)
def _qupath_is_started(installation: Installation) -> None:
    """For what is done with paquo alone, too: it starts what it finds."""
    _java.library(installation)


@pytest.fixture
def access(installation: Installation) -> Access:
    return Access(backend="paquo", qupath=installation.folder)


@pytest.fixture
def opened(project: Path) -> Project:
    return ensure_project_id(open_project(project))


def java_class(name: str) -> Any:
    from jpype import JClass

    return JClass(name)


def raw(project: Path, mode: Literal["r", "r+"] = "r+") -> Any:
    """Open a project with paquo alone."""
    from paquo.projects import QuPathProject

    return QuPathProject(project, mode)


def raw_image(raw_project: Any, entry_id: str) -> Any:
    image = next(image for image in raw_project.images if image.entry_id == entry_id)
    image.held = raw_project  # paquo's own reference is weak: without the project it only reads
    return image


def java_image(project: Path, installation: Installation, entry_id: str) -> Any:
    """Return an image as our classes in QuPath open it, anew."""
    return _java.open_project(installation, project / "project.qpproj").image(entry_id)


def on_disk(project: Path, installation: Installation, entry_id: str) -> ImageObjects:
    return PaquoBackend(open_project(project), installation).read(entry_id)


def ours(opened: Project, installation: Installation, entry_id: str) -> list[ProjectObject]:
    objects = on_disk(opened.folder, installation, entry_id).objects
    return [item for item in objects if item.made_by_pycyto]


def rectangle(x: float, y: float, side: float = 40.0) -> Any:
    plane = java_class("qupath.lib.regions.ImagePlane").getDefaultPlane()
    return java_class("qupath.lib.roi.ROIs").createRectangleROI(x, y, side, side, plane)


def all_files(project: Path) -> dict[str, str]:
    """Return the hash of every file but what pycyto keeps for itself."""
    return {
        str(path.relative_to(project)): files.sha256_of(path)
        for path in project.rglob("*")
        if path.is_file() and "pycyto" not in path.relative_to(project).parts
    }


def save_as_a_person(
    project: Path, installation: Installation, entry_id: str, change: Callable[[Any], None]
) -> None:
    """Open an image in a QuPath of its own, change something and save."""
    entry = java_image(project, installation, entry_id).getEntry()
    data = entry.readImageData()
    change(data.getHierarchy())
    entry.saveImageData(data)


def name_the_first(hierarchy: Any) -> None:
    next(iter(hierarchy.getFlattenedObjectList(None)[1:])).setName("looked at")


def stage(
    opened: Project,
    installation: Installation,
    *entry_ids: str,
    chances: dict[str, Any] = CHANCES,
) -> Run:
    """Stage HSIL for every outline and every detection without a class."""
    run_id, new, updates = str(uuid4()), [], []
    images: dict[str, ImageState] = {}
    for entry_id in entry_ids:
        found = on_disk(opened.folder, installation, entry_id)
        for item in found.objects:
            if item.kind == "detection" and item.class_name is None:
                place = (entry_id, item.object_id, *item.centroid)
                updates.append(Update(*place, "HSIL", chances))
            elif item.kind == "annotation" and not item.points:
                key = CellKey(opened.project_id, entry_id, item.object_id, None)
                made = (entry_id, new_object_id(key, run_id), item.object_id, None, *item.centroid)
                new.append(NewDetection(*made, item.z, item.t, 0.0, "HSIL", chances))
        n, m = (sum(row.entry_id == entry_id for row in rows) for rows in (new, updates))
        images[entry_id] = ImageState("staged", found.data_sha256, n, m)
    created_at = files.now("milliseconds")
    run = Run(
        folder=opened.workspace / "runs" / runs.folder_name(run_id, created_at),
        run_id=run_id,
        created_at=created_at,
        project_id=opened.project_id,
        state="staged",
        objects="all",
        model={"bundle_id": "b", "network": "n", "labels": list(BETHESDA.names)},
        scheme="bethesda",
        colours={label.name: label.colour for label in BETHESDA.labels},
        counts={},
        images=images,
    )
    write_tables(run.folder, BETHESDA.names, new=new, updates=updates)
    runs.save(run)
    return run


@contextlib.contextmanager
def at_step(
    installation: Installation, step: str, name: str, action: Callable[[], None]
) -> Iterator[None]:
    """Do something when the work inside QuPath is about to change a file of this name."""
    from jpype import JProxy

    def accept(what: Any, file: Any) -> None:
        if (str(what), str(file.getName())) == (step, name):
            action()

    library = _java.library(installation)
    library.PycytoFiles.setWatcher(JProxy("java.util.function.BiConsumer", {"accept": accept}))
    try:
        yield
    finally:
        library.PycytoFiles.setWatcher(None)


def in_time(work: Callable[[], object]) -> None:
    """Do something that must come to an end."""
    errors: list[BaseException] = []

    def tried() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=tried, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it goes on for ever"
    if errors:
        raise errors[0]


# --- a to i: objects --------------------------------------------------------------------------


def nested_detection(project: Path, installation: Installation) -> tuple[str, str]:
    """Save a detection inside an annotation; return their IDs."""
    make = java_class("qupath.lib.objects.PathObjects")
    annotation = make.createAnnotationObject(rectangle(10, 10))
    detection = make.createDetectionObject(rectangle(20, 20, 9))
    annotation.addChildObject(detection)
    save_as_a_person(project, installation, SHAPES, lambda tree: tree.addObject(annotation))
    return str(annotation.getID()), str(detection.getID())


def test_a_a_class_leaves_an_object_with_its_parent(
    opened: Project, installation: Installation, access: Access
) -> None:
    from paquo.classes import QuPathPathClass

    outer, inner = nested_detection(opened.folder, installation)
    hierarchy = raw_image(raw(opened.folder), SHAPES).hierarchy
    (through_paquo,) = hierarchy.detections
    assert str(through_paquo.java_object.getParent().getID()) == outer
    through_paquo.update_path_class(QuPathPathClass("HSIL"))
    assert through_paquo.java_object.getParent().isRootObject()

    run = stage(opened, installation, SHAPES)
    write_back(opened.folder, run.name, access=access)

    found = java_image(opened.folder, installation, SHAPES).objectsOnDisk()
    by_id = {str(item.getID()): item for item in found}
    assert str(by_id[inner].getPathClass()) == "HSIL"
    assert str(by_id[inner].getParent().getID()) == outer
    assert [str(item.getID()) for item in by_id[outer].getChildObjects()] == [inner]


def test_b_k_a_missing_image_is_refused_and_nothing_is_lost(
    opened: Project, installation: Installation, access: Access
) -> None:
    run = stage(opened, installation, SHAPES)
    raw_project = raw(opened.folder)
    image = raw_image(raw_project, SHAPES)
    name_the_first(image.hierarchy.java_object)
    image._image_data.setChanged(True)
    (opened.folder / "images" / "shapes.png").rename(opened.folder / "elsewhere.png")
    before = opened.data_file(SHAPES).read_bytes()
    image.save()  # paquo warns, and the name is lost
    assert opened.data_file(SHAPES).read_bytes() == before
    opened.data_file(SHAPES).with_name("server.json").unlink()
    with pytest.raises((TypeError, FileNotFoundError)):  # k: the message is no help
        assert raw_image(raw(opened.folder, "r"), SHAPES).width

    with pytest.raises(PartlyDoneError, match="cannot open this image"):
        write_back(opened.folder, run.name, access=access)

    assert opened.data_file(SHAPES).read_bytes() == before
    assert runs.load(run.folder).images[SHAPES].state == "staged"
    assert on_disk(opened.folder, installation, SHAPES).objects  # which needs no image file


def test_c_an_exception_while_writing_saves_nothing(
    opened: Project, installation: Installation, access: Access
) -> None:
    run = stage(opened, installation, SHAPES, WAITING)
    before = all_files(opened.folder / "data")

    def fails() -> None:
        raise ZeroDivisionError

    with at_step(installation, "saved", "data.qpdata", fails), pytest.raises(ZeroDivisionError):
        write_back(opened.folder, run.name, access=access)
    assert all_files(opened.folder / "data") == before

    with contextlib.suppress(ZeroDivisionError), raw(opened.folder) as raw_project:
        hierarchy = raw_image(raw_project, SHAPES).hierarchy.java_object
        hierarchy.clearAll()
        raise ZeroDivisionError
    assert not on_disk(opened.folder, installation, SHAPES).objects


def test_d_reading_opens_no_image_and_changes_no_file(
    opened: Project, installation: Installation
) -> None:
    raw_project = raw(opened.folder)
    raw_project.save()
    assert all("_image_data" in vars(image) for image in raw_project.images)

    for path in (opened.folder / "images").rglob("*.*"):
        path.unlink()
    before = all_files(opened.folder)
    for image in opened.images:
        read = java_image(opened.folder, installation, image.entry_id)
        assert len(read.objectsOnDisk())
        assert read.getProperty("imageData") is None
        assert on_disk(opened.folder, installation, image.entry_id).objects
    assert all_files(opened.folder) == before


def test_f_what_is_counted_is_read_from_the_file(
    opened: Project, installation: Installation, access: Access
) -> None:
    hierarchy = raw_image(raw(opened.folder), SHAPES).hierarchy
    n = len(hierarchy.cells)
    box = shapely.box(10, 10, 30, 30)
    hierarchy.add_cell(box, nucleus_roi=box.buffer(-5))
    assert len(hierarchy.cells) == n

    run = stage(opened, installation, SHAPES)
    data = opened.data_file(SHAPES)
    before = data.read_bytes()

    def lose_it() -> None:
        data.write_bytes(before)

    with (
        at_step(installation, "saved", "data.qpdata", lose_it),
        pytest.raises(PartlyDoneError, match="objects were saved and 0 found"),
    ):
        write_back(opened.folder, run.name, access=access)


def test_g_no_wrapper_of_paquo_is_used(project: Path, installation: Installation) -> None:
    """Its settings, its search for QuPath and its start of Java are; its objects are not."""
    _java.start(installation)
    hierarchy = raw_image(raw(project), SHAPES).hierarchy
    with pytest.raises(AttributeError):
        hierarchy.detections |= []

    found = set()
    for path in Path(pycyto.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paquo"):
                found |= {f"{node.module}.{name.name}" for name in node.names}
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names if name.name.startswith("paquo")}
    assert found == {
        "paquo.java",
        "paquo._config.settings",
        "paquo._config.to_kwargs",
        "paquo.jpype_backend.find_qupath",
    }


def test_h_i_numbers_of_every_kind_arrive_as_float32(
    opened: Project, installation: Installation, access: Access
) -> None:
    from paquo.pathobjects import QuPathPathDetectionObject

    box = shapely.box(10, 10, 30, 30)
    for refused in (1, np.float32(0.5), np.int64(1)):
        with pytest.raises(TypeError):
            QuPathPathDetectionObject.from_shapely(box, measurements={"m": refused})

    numbers: tuple[Any, ...] = (np.float32(0.3), np.float64(1 / 3), 0, np.float16(0.25))
    chances = dict(zip(BETHESDA.names, numbers, strict=True))
    run = stage(opened, installation, SHAPES, WAITING, chances=chances)
    write_back(opened.folder, run.name, access=access)

    made = ours(opened, installation, SHAPES)
    given = on_disk(opened.folder, installation, WAITING).objects
    for item in (*made, *given):
        for label, number in chances.items():
            assert item.measurements[f"pycyto: P({label})"] == np.float32(number)
    assert {item.measurements[RUN_MARK] for item in made} == {run_mark(run.run_id)}


# --- e, o: classes ----------------------------------------------------------------------------


def class_list(project: Path) -> dict[str, int]:
    content = files.read_json(project / "classifiers" / "classes.json")
    return {item["name"]: item["color"] for item in content["pathClasses"]}


def packed(name: str) -> int:
    return int(java_class("qupath.lib.common.ColorTools").packRGB(*BETHESDA.colour_of(name)))


def test_e_o_classes_are_added_with_the_colours_of_the_scheme(
    opened: Project, installation: Installation, access: Access
) -> None:
    from paquo.classes import QuPathPathClass

    raw_project = raw(opened.folder)
    n = len(raw_project.path_classes)
    raw_project.path_classes = [QuPathPathClass(f"other {i}") for i in range(n)]
    assert not any(item.name.startswith("other") for item in raw_project.path_classes)
    for colour in ((1, 2, 3), (9, 9, 9)):
        made = QuPathPathClass("o", color=colour).color
        assert made is not None
        assert made.to_rgb() == (1, 2, 3)

    path_class = java_class("qupath.lib.objects.classes.PathClass")
    kept = path_class.fromString("NILM")
    kept.setColor(*BETHESDA.colour_of("NILM"))
    only = java_class("java.util.ArrayList")()
    only.add(kept)
    _java.open_project(installation, opened.file).getProject().setPathClasses(only)
    path_class.fromString("HSIL").setColor(1, 2, 3)  # as another project may have it
    result = write_back(opened.folder, stage(opened, installation, SHAPES).name, access=access)

    assert result.added_classes == ("ASC-US", "LSIL", "HSIL")
    assert class_list(opened.folder) == {name: packed(name) for name in BETHESDA.names}


def test_e_a_list_of_classes_that_is_not_written_is_refused(
    opened: Project, installation: Installation, access: Access
) -> None:
    """QuPath only logs it."""
    run = stage(opened, installation, SHAPES)
    path = opened.folder / "classifiers" / "classes.json"
    path.unlink()
    path.symlink_to(opened.folder / "nowhere" / "classes.json")
    before = opened.data_file(SHAPES).read_bytes()
    with pytest.raises(RefusedError, match="could not be written"):
        write_back(opened.folder, run.name, access=access)
    assert opened.data_file(SHAPES).read_bytes() == before


# --- j: one bad row ---------------------------------------------------------------------------


def test_j_paquo_loads_no_feature_beside_a_bad_one(project: Path) -> None:
    hierarchy = raw_image(raw(project), SHAPES).hierarchy
    n = len(hierarchy.java_object.getFlattenedObjectList(None))
    good, *_ = hierarchy.to_geojson()
    bad = {**good, "properties": {**good["properties"], "classification": {"name": "x"}}}
    with pytest.raises(Exception):  # noqa: B017,PT011 - whatever Java throws
        hierarchy.load_geojson([{**good, "id": str(uuid4())}, {**bad, "id": str(uuid4())}])
    assert len(hierarchy.java_object.getFlattenedObjectList(None)) == n


def edited(table: Path, column: str, value: str) -> None:
    """Change one cell of the last row of a table."""
    header, *rows = table.read_text("utf-8").splitlines()
    cells = rows[-1].split(",")
    cells[header.split(",").index(column)] = value
    table.write_text("\n".join([header, *rows[:-1], ",".join(cells), ""]), encoding="utf-8")


def cut_off(table: Path) -> None:
    """Leave out the last row."""
    table.write_text("".join(table.read_text("utf-8").splitlines(keepends=True)[:-1]), "utf-8")


BAD_ROWS: dict[str, tuple[Callable[[Path], None], str]] = {
    "class": (lambda path: edited(path, "class", "Nonsense"), "Nonsense"),
    "place": (lambda path: edited(path, "x", "left"), "left"),
    "number": (lambda path: edited(path, "P(HSIL)", "high"), "high"),
    "missing": (cut_off, "objects were staged for this image, and "),
}


@pytest.mark.parametrize("by", ["command", "script"])
@pytest.mark.parametrize("name", BAD_ROWS)
def test_j_one_bad_row_is_named_and_nothing_is_written(
    opened: Project, installation: Installation, access: Access, by: str, name: str
) -> None:
    spoil, said = BAD_ROWS[name]
    run = stage(opened, installation, SHAPES)
    spoil(run.folder / "new" / f"{SHAPES}.csv")
    before = all_files(opened.folder / "data")
    # What import_predictions.groovy calls has no Python to look at the rows before.
    writing: dict[str, Callable[[], object]] = {
        "command": lambda: write_back(opened.folder, run.name, access=access),
        "script": lambda: Writer(opened, installation).write(run, SHAPES),
    }
    with pytest.raises((BadInputError, PartlyDoneError), match=said):
        writing[by]()
    assert all_files(opened.folder / "data") == before


# --- l, m: data that is not whole -------------------------------------------------------------

COUNTING = """
class Counting extends FilterInputStream {
    int ends = 0
    Counting(File file) { super(new FileInputStream(file)) }
    int read(byte[] bytes, int offset, int length) {
        int n = super.read(bytes, offset, length)
        if (n < 0 && ++ends > 1000) { throw new IOException('enough') }
        return n
    }
}
"""


def test_l_m_what_qupath_does_with_data_that_is_cut_off(
    opened: Project, installation: Installation
) -> None:
    from jpype import JClass, JException

    data = opened.data_file(SHAPES)
    data.write_bytes(data.read_bytes()[:3000])
    entry = java_image(opened.folder, installation, SHAPES).getEntry()
    counting = java_class("groovy.lang.GroovyClassLoader")().parseClass(COUNTING)
    stream = JClass(counting)(JClass("java.io.File")(str(data)))
    with pytest.raises(JException, match="enough"):  # else it would read on for ever
        java_class("qupath.lib.io.PathIO").readHierarchy(stream)

    shown = entry.readImageData()
    assert shown.getHierarchy().nObjects() == 0
    entry.saveImageData(shown)
    assert sorted(path.name for path in data.parent.glob("*.qpdata*")) == ["data.qpdata"]
    assert not on_disk(opened.folder, installation, SHAPES).objects


def damaged(whole: bytes) -> dict[str, bytes]:
    cuts = (0, 5, 10, 100, 1000, len(whole) // 2, len(whole) - 300, len(whole) - 100)
    tails = (50, 7, 6, 5, 1)  # after the objects: what else belongs to the image is lost
    end = whole[-6:]
    return {
        **{f"first {n}": whole[:n] for n in cuts},
        **{f"without the last {n}": whole[:-n] for n in tails},
        **{f"first {n} and the end": whole[:n] + end for n in cuts},
        "zeros": whole[:4096] + bytes(len(whole) - 4096),
    }


@pytest.mark.parametrize("entry_id", [SHAPES, WAITING])
def test_l_m_data_that_is_not_whole_is_refused_in_time_and_left_alone(
    opened: Project, installation: Installation, access: Access, entry_id: str
) -> None:
    run = stage(opened, installation, entry_id)
    data = opened.data_file(entry_id)
    for name, content in damaged(data.read_bytes()).items():
        data.write_bytes(content)
        before = all_files(opened.folder / "data")
        with pytest.raises(BadInputError, match=r"cut off|cannot read this image's data"):
            in_time(partial(on_disk, opened.folder, installation, entry_id))
        for insist in (False, True):
            write = partial(write_back, opened.folder, run.name, stale_ok=insist, access=access)
            with pytest.raises(PartlyDoneError, match=r"cut off|cannot read this image's data"):
                in_time(write)
        assert all_files(opened.folder / "data") == before, name


def test_m_a_backup_beside_the_data_is_kept(
    opened: Project, installation: Installation, access: Access
) -> None:
    run = stage(opened, installation, SHAPES)
    data = opened.data_file(SHAPES)
    data.with_name("data.qpdata.bkp").write_bytes(data.read_bytes())
    data.write_bytes(data.read_bytes()[:3000])
    before = all_files(opened.folder / "data")
    with pytest.raises(PartlyDoneError, match="save of this image was interrupted"):
        write_back(opened.folder, run.name, access=access)
    with pytest.raises(RefusedError, match="save of this image was interrupted"):
        on_disk(opened.folder, installation, SHAPES)
    assert all_files(opened.folder / "data") == before


# --- n: two writers ---------------------------------------------------------------------------


def test_n_of_two_qupaths_the_last_wins(opened: Project, installation: Installation) -> None:
    first, last = (java_image(opened.folder, installation, SHAPES).getEntry() for _ in "12")
    one, other = first.readImageData(), last.readImageData()
    name_the_first(one.getHierarchy())
    first.saveImageData(one)
    last.saveImageData(other)
    found = on_disk(opened.folder, installation, SHAPES).objects
    assert "looked at" not in [item.name for item in found]


def test_n_a_project_that_another_pycyto_works_on_is_left_alone(
    opened: Project, installation: Installation, access: Access
) -> None:
    run = stage(opened, installation, SHAPES)
    code = (
        "import sys; from pathlib import Path; from pycyto import locks\n"
        "with locks.locked(Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(opened.workspace)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        before = all_files(opened.folder)
        with pytest.raises(RefusedError, match="at work"):
            write_back(opened.folder, run.name, access=access)
        assert all_files(opened.folder) == before
        other.communicate(timeout=20)
    assert write_back(opened.folder, run.name, access=access).read_back


def test_n_what_qupath_saved_since_the_prediction_stays(
    opened: Project, installation: Installation, access: Access
) -> None:
    run = stage(opened, installation, SHAPES)
    save_as_a_person(opened.folder, installation, SHAPES, name_the_first)
    before = all_files(opened.folder / "data")
    with pytest.raises(PartlyDoneError, match=r"saved after the run .* was predicted"):
        write_back(opened.folder, run.name, access=access)
    assert all_files(opened.folder / "data") == before


@pytest.mark.parametrize("back", [False, True])
def test_n_what_qupath_saves_meanwhile_stays(
    opened: Project, installation: Installation, back: bool
) -> None:
    """Between the look at the file and the save."""
    run = stage(opened, installation, SHAPES)
    writer, saved = Writer(opened, installation), {}
    if back:
        run = writer.write(run, SHAPES)

    def meanwhile() -> None:
        save_as_a_person(opened.folder, installation, SHAPES, name_the_first)
        saved.update(all_files(opened.folder / "data"))

    step = ("write", "run.json") if back else ("write", f"{SHAPES}.csv")
    with at_step(installation, *step, meanwhile), pytest.raises(StaleError, match="meanwhile"):
        writer.take_back(run, SHAPES) if back else writer.write(run, SHAPES)

    assert all_files(opened.folder / "data") == saved


# --- p: images that are no single file --------------------------------------------------------


def test_p_an_image_from_the_net_is_read_and_not_written(
    opened: Project, installation: Installation, access: Access
) -> None:
    run = stage(opened, installation, SHAPES)
    content = files.read_json(opened.file)
    (entry,) = [image for image in content["images"] if image["entryID"] == int(SHAPES)]
    entry["serverBuilder"]["uri"] = "http://127.0.0.1:9/shapes.png"
    files.write_json(opened.file, content)
    with pytest.raises(Exception):  # noqa: B017,PT011 - no error of its own
        raw_image(raw(opened.folder), SHAPES).is_readable()

    again = open_project(opened.folder)
    assert on_disk(opened.folder, installation, SHAPES).objects
    with pytest.raises(BadInputError, match="not a file on a disk"):
        local_path(again.image(SHAPES), {})
    before = all_files(opened.folder / "data")
    with pytest.raises(PartlyDoneError, match="cannot open this image"):
        write_back(opened.folder, run.name, access=access)
    assert all_files(opened.folder / "data") == before


def test_p_an_image_of_several_files_is_named_as_no_source_of_patches(
    opened: Project, installation: Installation
) -> None:
    project = _java.open_project(installation, opened.file).getProject()
    region = java_class("qupath.lib.regions.ImageRegion")
    sparse = java_class("qupath.lib.images.servers.SparseImageServer").Builder()
    for n, entry_id in enumerate(("1", "12")):
        single = java_image(opened.folder, installation, entry_id).getEntry().getServerBuilder()
        sparse.jsonRegion(region.createInstance(2000 * n, 0, 1000, 800, 0, 0), 1.0, single)
    added = project.addImage(sparse.build().getBuilder())
    project.syncChanges()
    entry_id = str(added.getID())
    with pytest.raises(NotImplementedError):
        assert raw_image(raw(opened.folder), entry_id).uri

    again = open_project(opened.folder)
    assert again.image(entry_id).obstacle == "rotated, cropped or altered in QuPath"
    assert on_disk(opened.folder, installation, entry_id).objects == ()


# --- q: twice ---------------------------------------------------------------------------------


def test_q_a_run_that_is_written_twice_is_there_once(
    opened: Project, installation: Installation, access: Access
) -> None:
    gson = java_class("qupath.lib.io.GsonTools").getInstance(False)
    kind = java_class("qupath.lib.objects.PathObject")
    hierarchy = java_class("qupath.lib.objects.hierarchy.PathObjectHierarchy")()
    made = java_class("qupath.lib.objects.PathObjects").createDetectionObject(rectangle(1, 1))
    for _ in "12":
        hierarchy.addObject(gson.fromJson(gson.toJson(made, kind), kind))
    assert hierarchy.nObjects() == 2

    run = stage(opened, installation, SHAPES, WAITING)
    first = write_back(opened.folder, run.name, access=access)
    before = {key: opened.data_sha256(key) for key in run.images}
    write_back(opened.folder, run.name, access=access)
    for entry_id in run.images:
        Writer(opened, installation).write(run, entry_id)
    assert {key: opened.data_sha256(key) for key in run.images} == before
    assert len(ours(opened, installation, SHAPES)) == first.created


# --- versions, and the end of the process -----------------------------------------------------


def test_the_facts_of_this_version_are_true(project: Path, installation: Installation) -> None:
    from jpype import JException

    facts = facts_of(installation.version)
    entry = java_image(project, installation, SHAPES).getEntry()
    assert int(str(java_class("java.lang.System").getProperty("java.specification.version"))) == (
        facts.java
    )

    make = java_class("qupath.lib.objects.PathObjects")
    annotation = make.createAnnotationObject(rectangle(1, 1))
    detection = make.createDetectionObject(rectangle(1, 1))
    annotation.getMetadata().put("key", "value")
    expected = (
        contextlib.nullcontext() if facts.detections_hold_metadata else pytest.raises(JException)
    )
    with expected:
        detection.getMetadata().put("key", "value")
    text = str(java_class("qupath.lib.io.GsonTools").getInstance(False).toJson(annotation))
    assert (text.count('"metadata"') == 2) is facts.writes_metadata_twice

    (project / "images" / "shapes.png").unlink()
    expected = contextlib.nullcontext() if facts.opens_images_late else pytest.raises(JException)
    with expected:
        assert entry.readImageData() is not None


AT_WORK = """
import faulthandler, sys, threading, time
faulthandler.enable()
from pathlib import Path
from pycyto.qupath import _java
from pycyto.qupath.locate import installation_in
_java.library(installation_in(Path(sys.argv[1])))
from jpype import JClass
busy = JClass(JClass("groovy.lang.GroovyClassLoader")().parseClass('''
@groovy.transform.CompileStatic
class Busy implements Runnable {
    static volatile long n = 0
    void run() { while (true) { n++; new byte[100] } }
}
'''))()
thread = JClass("java.lang.Thread")(busy)
thread.setDaemon(True)
thread.start()
threading.Thread(target=lambda: _java.interruptible(busy.run), daemon=True).start()
time.sleep(1)
faulthandler.disable()
JClass("java.lang.System").gc()
print("done", flush=True)
"""


def test_a_process_ends_well_whatever_java_still_does(
    installation: Installation, tmp_path: Path
) -> None:
    """Also where pytest, say, has switched faulthandler on before Java and off after it."""
    environment = {key: value for key, value in os.environ.items() if key != "PAQUO_JAVA_OPTS"}
    done = subprocess.run(
        [sys.executable, "-c", AT_WORK, str(installation.folder)],
        env={**environment, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["done"]), done.stderr
    assert "restricted method" not in done.stderr
