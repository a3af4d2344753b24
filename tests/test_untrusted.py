"""Bundles, projects and runs from elsewhere execute nothing and reach nothing outside themselves.

Each attack is a real file. It must end in one of pycyto's own errors, and what
it was after must not have happened. SECURITY.md says the same in words.
"""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from pycyto import files, locks, predict, undo, write_back
from pycyto.cli.main import main
from pycyto.errors import BadInputError, MissingDependencyError, PartlyDoneError
from pycyto.learning.bundle import WEIGHTS_FILE, load_bundle
from pycyto.learning.exported import Exported, keep, kept
from pycyto.learning.weights import Published, load_weights
from pycyto.manifest import Row, read_manifest
from pycyto.qupath.geojson import cells_file
from pycyto.qupath.project import open_project
from pycyto.qupath.runs import ImageState, Run, save
from pycyto.settings import load_settings
from pycyto.steps.context import Access
from tests import hostile_files as hostile
from tests.evaluation.made import classified
from tests.manifests import write_manifest
from tests.tiny_project import TinyCell, TinyImage, build

ROOT = Path(__file__).parent.parent
GEOJSON = Access(backend="geojson")
BAD_INPUT, PARTLY_DONE, MISSING = 3, 5, 7
# What is said once TensorFlow has built a network: an attack is to be found before.
_BUILT = "are not those of the network"
DEEP = "[" * 100_000 + "]" * 100_000
DIGITS = "9" * 100_000
HALF_A_PAIR = "\\ud800"

Card = dict[str, Any]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return build(tmp_path / "project", [TinyImage("1", "a.png", [TinyCell(200, 150)])])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return hostile.honest_bundle(tmp_path / "bundle")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What the payloads make."""
    return tmp_path / "marker"


def refusal(words: list[object], capsys: pytest.CaptureFixture[str], code: int = BAD_INPUT) -> str:
    """Run a command that must refuse, and return what it says."""
    assert main(list(map(str, words))) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len(said) < 3000
    assert _BUILT not in said
    return said


# --- bundles ---------------------------------------------------------------------------------


def test_an_honest_bundle_is_loaded(bundle: Path) -> None:
    """So that what is refused below is refused for the attack; unknown members do no harm."""
    assert load_bundle(bundle).labels == tuple(hostile.LABELS)


WEIGHTS: dict[Callable[[Path], None], str] = {
    hostile.external_link: "a link to elsewhere",
    hostile.soft_link: "a link to elsewhere",
    hostile.external_storage: "in another file",
    hostile.virtual_dataset: "in another file",
    hostile.shape_bomb: "bytes of memory",
    hostile.many_bombs: "bytes of memory",
    hostile.endless_groups: "hold each other",
    hostile.no_numbers: "holds no numbers",
}


@pytest.mark.parametrize("attack", WEIGHTS, ids=lambda attack: attack.__name__)
def test_weights_hold_numbers_of_their_own(
    attack: Callable[[Path], None],
    bundle: Path,
    project: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    attack(bundle / WEIGHTS_FILE)
    hostile.sign(bundle)
    said = refusal(["predict", project, "--model", bundle], capsys)
    assert WEIGHTS[attack] in said
    with pytest.raises(BadInputError, match=WEIGHTS[attack]):  # the same file by --weights
        load_weights(None, "mobilenetv2", Published("MobileNetV2", ""), str(bundle / WEIGHTS_FILE))


def test_a_pickle_is_not_opened(
    bundle: Path, project: Path, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = bundle / WEIGHTS_FILE
    hostile.pickled_npz(weights, marker)
    np.load(weights, allow_pickle=True)["weights"]
    assert marker.exists()  # the payload is live
    marker.unlink()
    hostile.sign(bundle)
    assert "holds no weights" in refusal(["predict", project, "--model", bundle], capsys)
    for name in ("w.npz", "w.h5", "w.pkl"):
        files.copy_file(weights, bundle / name)
        with pytest.raises(BadInputError):
            load_weights(None, "mobilenetv2", Published("MobileNetV2", ""), str(bundle / name))
    assert not marker.exists()


def test_a_lambda_layer_is_not_built(bundle: Path, marker: Path, project: Path) -> None:
    """Neither in Keras' own archive nor in the older HDF5 file of a whole model."""
    from pycyto.learning.backend import keras

    code = f"lambda x: [x, open({str(marker)!r}, 'w').close()][0]"
    model = keras().Sequential([keras().Input((4,)), keras().layers.Lambda(eval(code))])
    other = keras().Sequential([keras().Input((4,)), keras().layers.Dense(2)])
    archive, older = bundle / "model.keras", bundle / "model.h5"
    model.save(archive)
    model.save(older)
    marker.unlink()
    keras().saving.load_model(archive, safe_mode=False)
    assert marker.exists()  # the payload is live
    marker.unlink()
    for path in (archive, older):
        for name in (path.name, "renamed.h5", "renamed.weights.h5", WEIGHTS_FILE):
            if name != path.name:
                files.copy_file(path, bundle / name)
            with pytest.raises(BadInputError):
                load_weights(other, "vgg16", Published("VGG16", ""), str(bundle / name))
        hostile.sign(bundle)
        with pytest.raises(BadInputError, match="holds no weights"):
            predict(project, model=bundle, access=GEOJSON)
    assert not marker.exists()


def test_a_model_for_openvino_is_read_only_with_the_users_own_seal(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender can make every file and every digest, but the key is in the user's folder."""
    homes = [tmp_path / "sender", tmp_path / "user"]
    found = []
    for home in homes:
        monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, home=home, **__: str(home))
        found.append(kept(load_bundle(bundle), {}))
        keep(load_bundle(bundle), Exported(b"<net/>", b"x"), {})
        found.append(kept(load_bundle(bundle), {}))
    assert found == [None, Exported(b"<net/>", b"x")] * 2


CARDS: dict[str, Callable[[Card], object]] = {
    "network": lambda card: card.update(network=5),
    "network path": lambda card: card.update(network="../../network"),
    "scheme": lambda card: card.update(scheme=["bethesda"]),
    "labels": lambda card: card.update(labels={"NILM": 1, "HSIL": 2}),
    "label": lambda card: card.update(labels=["NILM", {"HSIL": 1}]),
    "many labels": lambda card: card.update(labels=["NILM"] * 100_000),
    "resolution": lambda card: card.update(resolution=[1, 1]),
    "endless": lambda card: card["resolution"].update(downsample=float("inf")),
    "no number": lambda card: card["resolution"].update(mpp=float("nan")),
    "tiny": lambda card: card["resolution"].update(downsample=1e-300),
    "range": lambda card: card["resolution"].update(trained_mpp=[0.5, 0.25]),
    "three": lambda card: card["resolution"].update(trained_mpp=[1, 1, 1]),
    "truth": lambda card: card["resolution"].update(downsample=True),
    "counts": lambda card: card.update(counts=[1]),
    "inner counts": lambda card: card.update(counts={"train": {"NILM": "<b>"}}),
    "bundle id": lambda card: card.update(bundle_id=["x"]),
    "files elsewhere": lambda card: card["files"].update(
        {f"../{WEIGHTS_FILE}": card["files"].pop(WEIGHTS_FILE)}
    ),
}


@pytest.mark.parametrize("change", CARDS.values(), ids=CARDS)
def test_every_member_of_the_card_is_checked(
    change: Callable[[Card], object],
    bundle: Path,
    project: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files.copy_file(bundle / WEIGHTS_FILE, bundle.parent / WEIGHTS_FILE)
    hostile.edit(bundle, change)
    refusal(["predict", project, "--model", bundle], capsys)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bundle.json", DEEP),
        ("bundle.json", '{"format": ' + DIGITS + "}"),
        ("bundle.json", '{"format": 1, "x": "' + HALF_A_PAIR + '"}'),
        ("history.csv", 'epoch\n"' + "x" * 200_000),
        ("history.csv", "epoch\n1,2,3\n"),
        ("history.csv", "epoch\n" + "1\n" * 1_000_000),
        ("history.csv", "epoch\n\udc80"),
        ("trained_on.txt", "PATIENT-77\n"),
        ("trained_on.txt", "\udc80"),
    ],
    ids=lambda text: text[:20],
)
def test_the_other_files_of_a_bundle_are_checked(
    name: str, text: str, bundle: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / name).write_bytes(text.encode(errors="surrogateescape"))
    if name != "bundle.json":
        hostile.sign(bundle)
    refusal(["predict", project, "--model", bundle], capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("name", ["bundle.json", WEIGHTS_FILE, "history.csv", "trained_on.txt"])
@pytest.mark.parametrize("target", ["secret", "/dev/zero"])
def test_a_link_in_a_bundle_shows_nothing(
    name: str, target: str, bundle: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle.parent / "secret").write_text("root:x:0:0")
    (bundle / name).unlink()
    (bundle / name).symlink_to(bundle.parent / target)
    assert "root:x" not in refusal(["predict", project, "--model", bundle], capsys)


# --- projects --------------------------------------------------------------------------------


def image_with(**changes: object) -> str:
    """Return a project file of one image in which some members are others."""
    image = {"entryID": 1, "imageName": "a", "serverBuilder": {"uri": "file:/a.png"}}
    return json.dumps({"images": [image | changes]})


PROJECTS = {
    "deep": '{"images": ' + DEEP + "}",
    "digits": '{"images": [{"entryID": 1, "serverBuilder": {"metadata": {"width": ' + DIGITS,
    "entry ID": image_with(entryID="../../outside"),
    "long entry ID": image_with(entryID="9" * 300),
    "name": image_with(imageName=["a"]),
    "half a letter": image_with(imageName="\ud800"),
    "uri": image_with(serverBuilder={"uri": {"a": 1}}),
    "arguments": image_with(serverBuilder={"args": [1]}),
    "provider": image_with(serverBuilder={"providerClassName": 1}),
    "builder": image_with(serverBuilder={"builderType": []}),
    "endless": image_with(serverBuilder={"metadata": {"width": float("inf")}}),
    "no number": image_with(serverBuilder={"metadata": {"width": float("nan")}}),
    "huge": image_with(serverBuilder={"metadata": {"height": 1 << 31}}),
    "negative": image_with(serverBuilder={"metadata": {"height": -1}}),
    "beyond": image_with(entryID=1).replace('"a"', "1e999"),
}


@pytest.mark.parametrize("text", PROJECTS.values(), ids=PROJECTS)
def test_a_project_file_is_checked(
    text: str, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "project.qpproj").write_text(text)
    refusal(["export", project, "--out", tmp_path / "out", "--backend", "geojson"], capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("project.json", DEEP),
        ("project.json", '{"project_id": ' + DIGITS + "}"),
        ("settings.toml", f"point_radius = {DEEP}"),
        ("settings.toml", f"point_radius = {DIGITS}"),
        ("settings.toml", "point_radius = 1" + "0" * 400),
        ("settings.toml", "point_radius = 1e300"),
        ("settings.toml", "[path_mappings]\n'/slides' = '/etc'"),
        ("settings.toml", "#" * 2_000_000),
        ("settings.toml", "scheme = '../../x'"),
    ],
    ids=lambda text: text[:40],
)
def test_what_a_project_keeps_for_pycyto_is_checked(
    name: str, text: str, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "pycyto" / name).write_text(text)
    refusal(["export", project, "--out", tmp_path / "out", "--backend", "geojson"], capsys)


def test_the_most_that_settings_of_a_project_can_do(tmp_path: Path) -> None:
    """If this fails a setting was added: may a project from elsewhere decide it?"""
    names = set(load_settings(tmp_path).__dataclass_fields__)
    decided = {"scheme", "point_radius", "largest_outline", "metadata_keys"}
    assert names == decided | {"path_mappings"}


def with_feature(project: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the one object in the file of cells."""
    path = cells_file(project / "pycyto", "1")
    content = json.loads(path.read_bytes())
    change(content["features"][0])
    path.write_text(json.dumps(content))


FEATURES: dict[str, Callable[[dict[str, Any]], object]] = {
    "out of the folder": lambda cell: cell.update(id="/../../../../escaped"),
    "absolute": lambda cell: cell.update(id="/tmp/escaped"),
    "windows": lambda cell: cell.update(id="..\\..\\escaped"),
    "no text": lambda cell: cell.update(id=["a"]),
    "class": lambda cell: cell["properties"].update(classification={"name": ["NILM"]}),
    "kind": lambda cell: cell["properties"].update(objectType={"a": 1}),
    "bounds": lambda cell: cell["pycyto"].update(bounds=["nan", 0, 1, 1]),
    "area": lambda cell: cell["pycyto"].update(area="inf"),
    "plane": lambda cell: cell["pycyto"].update(z="x"),
    "centroid": lambda cell: cell["pycyto"].update(centroid=["nan", 1]),
    "digits": lambda cell: cell["pycyto"].update(area=10**4000),
}


@pytest.mark.parametrize("change", FEATURES.values(), ids=FEATURES)
def test_an_object_of_a_project_is_checked(
    change: Callable[[dict[str, Any]], object],
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "deep" / "er" / "out"
    with_feature(project, change)
    before = set(tmp_path.rglob("*"))
    refusal(["export", project, "--out", out, "--backend", "geojson"], capsys, PARTLY_DONE)
    made = {path for path in set(tmp_path.rglob("*")) - before if path.suffix == ".png"}
    assert not made


@pytest.mark.parametrize("text", [DEEP, '{"pycyto": ' + DIGITS + "}", "NaN", '"' + HALF_A_PAIR])
def test_a_file_of_cells_is_checked(
    text: str, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells_file(project / "pycyto", "1").write_text(text)
    refusal(
        ["export", project, "--out", tmp_path / "out", "--backend", "geojson"], capsys, PARTLY_DONE
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no such device")
@pytest.mark.parametrize(
    ("name", "code"),
    [("project.json", 3), ("settings.toml", 3), ("cells/1.geojson", PARTLY_DONE)],
)
def test_a_link_in_a_project_does_not_lead_to_what_has_no_end(
    name: str, code: int, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "pycyto" / name
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")
    said = refusal(
        ["export", project, "--out", tmp_path / "out", "--backend", "geojson"], capsys, code
    )
    assert "no ordinary file" in said


@pytest.mark.parametrize("pid", ["9" * 60, "-1", '"x"', "null", DEEP])
def test_a_note_of_a_lock_does_no_harm(pid: str, project: Path) -> None:
    host = json.dumps(socket.gethostname())
    note = project / "pycyto" / "lock.json"
    note.write_text(f'{{"by": "x", "host": {host}, "pid": {pid}}}')
    os.utime(note, (1, 1))  # one that cannot be read and is new may be just being written
    with locks.locked(project / "pycyto"):
        pass


# --- runs and data sets ----------------------------------------------------------------------


def run_in(folder: Path, project_id: str, images: dict[str, ImageState]) -> Run:
    """Write a run that somebody made up."""
    run = Run(
        folder=folder,
        run_id="00000000-0000-4000-8000-000000000000",
        created_at="2026-01-31T12:00:00+00:00",
        project_id=project_id,
        state="staged",
        objects="annotations",
        model={"labels": ["NILM"], "network": "small", "bundle_id": "b"},
        scheme="bethesda",
        colours={"NILM": (1, 2, 3)},
        counts={},
        images=images,
    )
    save(run)
    return run


@pytest.mark.parametrize("entry_id", ["../../../outside", "/outside", "..", "", "9" * 300])
def test_undo_does_not_leave_the_project(entry_id: str, project: Path) -> None:
    """A run names its images; undo copies and deletes files of these names."""
    run_in(project / "pycyto" / "runs" / "evil", "id", {entry_id: ImageState("written", "", 1, 0)})
    with pytest.raises((BadInputError, PartlyDoneError)):
        undo(project, "evil", access=GEOJSON)
    with pytest.raises(BadInputError, match="no entry ID"):
        open_project(project).data_file(entry_id)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_run_from_elsewhere_brings_no_file_of_this_machine(project: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("root:x:0:0")
    files.write_json(project / "pycyto" / "project.json", {"schema": 1, "project_id": "id"})
    sent = tmp_path / "sent"
    run_in(sent, "id", {"1": ImageState("staged", "", 0, 0)})
    (sent / "new").mkdir()
    (sent / "new" / "1.csv").symlink_to(tmp_path / "secret")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "1.csv").write_text("root:x:0:0")
    (sent / "updates").symlink_to(tmp_path / "secrets")
    with pytest.raises(MissingDependencyError):
        write_back(project, sent, access=GEOJSON)
    brought = project / "pycyto" / "runs" / "sent"
    assert [path.name for path in brought.iterdir()] == ["run.json"]


RECORDS = (DEEP, "[]", '{"export": 1}', '{"export": {"inputs": "x"}}', '{"export": {"counts": []}}')


@pytest.mark.parametrize("text", RECORDS, ids=lambda text: text[:30])
def test_a_record_is_checked(
    text: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_manifest(tmp_path / "patches", [row()])
    (tmp_path / "patches" / "record.json").write_text(text)
    said = refusal(["predict", tmp_path / "patches", "--model", bundle], capsys)
    assert "record.json" in said


def row(**changes: Any) -> Row:
    """Return a row of a manifest."""
    values: dict[str, Any] = {
        "project_id": "p", "entry_id": "1", "object_id": "o", "point_index": None,
        "image_key": "k", "project_name": "n", "image_name": "i", "centroid_x": 1.0,
        "centroid_y": 1.0, "left": 0, "top": 0, "width": 224, "downsample": 1.0, "label": "NILM",
        "original_label": "NILM", "content_hash": "h", "file": "images/NILM/a.png",
    }  # fmt: skip
    return Row(**values | changes)


@pytest.mark.parametrize("start", "=+-@\t\r")
def test_a_name_that_is_a_formula_comes_back_as_it_was(start: str, tmp_path: Path) -> None:
    """Names are keys, so none is changed; SECURITY.md says how to open a manifest in Excel."""
    evil = start + 'HYPERLINK("http://x","y")|cmd\' /C calc\'!A0'
    write_manifest(tmp_path, [row(image_name=evil, patient=evil)])
    assert {(r.image_name, r.patient) for r in read_manifest(tmp_path)} == {(evil, evil)}


# --- what is shown ---------------------------------------------------------------------------

SCRIPT = "\"'><script>alert(1)</script>"


def test_no_name_becomes_a_script_of_the_report() -> None:
    from pycyto.evaluation.domains import by_domain
    from pycyto.evaluation.measured import measured
    from pycyto.evaluation.report import Report, as_html
    from pycyto.evaluation.stages import stage

    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    cells = classified([0, 1], probabilities, ("NILM", "HSIL"))
    rows = [row(source=SCRIPT, site=SCRIPT, scanner=SCRIPT, preparation=SCRIPT)] * 2
    empty = {"cells": 0, "groups": 0}
    text = as_html(
        Report(
            measured=measured(cells, cells),
            groups={"patient": 2, "slide": 0, "image": 0},
            model={
                "id": SCRIPT,
                "network": SCRIPT,
                "scheme": "bethesda",
                "resolution": SCRIPT,
                "temperature": 1.5,
            },
            controls=[],
            domains=by_domain(rows, cells),
            undercalls=[],
            errors=[],
            chosen=[],
            stages=[stage(SCRIPT, {SCRIPT: 1, "skipped": {SCRIPT: 2}})],
            split={
                "parts": {SCRIPT: empty},
                "by_class": {SCRIPT: {SCRIPT: empty}},
                "groups_by_level": {SCRIPT: 1},
            },
            audit={"findings": [{"weight": "note", "what": SCRIPT}]},
            provenance={
                "finished_at": SCRIPT,
                "seed": SCRIPT,
                "inputs": {SCRIPT: SCRIPT},
                "versions": {SCRIPT: SCRIPT},
            },
            others={SCRIPT: {"NILM": 1}},
            history=[{"epoch": SCRIPT, "phase": SCRIPT, "loss": "1", "val_loss": SCRIPT}] * 2,
        )
    )
    assert text.count("&lt;script&gt;") > 12
    assert "<script" not in text
    assert "\"'>" not in text


def test_no_name_steers_the_terminal(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((project / "project.qpproj").read_text())
    content["images"][0]["imageName"] = "a\x1b]0;title\x07\x1b[2J\x9b2J"
    (project / "project.qpproj").write_text(json.dumps(content))
    main(["export", str(project), "--out", "x", "--images", "absent"])
    main(["doctor", str(project), "--backend", "geojson"])
    shown = capsys.readouterr()
    assert "title" in shown.err
    assert not set("\x1b\x07\x9b") & set(shown.out + shown.err)


# --- programs --------------------------------------------------------------------------------


def test_work_within_a_project_runs_none_of_its_programs(project: Path, marker: Path) -> None:
    """The library that reads paquo's settings looks for hooks where one works."""
    (project / "dynaconf_hooks.py").write_text(f"open({str(marker)!r}, 'w')")
    (project / ".paquo.toml").write_text(f"qupath_dir = {json.dumps(str(project))}\n")
    home = project.parent / "home"
    home.mkdir()
    variables = {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(ROOT)}
    without = {name: value for name, value in os.environ.items() if "QUPATH" not in name}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pycyto", "doctor", "."],
        cwd=project,
        env=without | variables,
        capture_output=True,
        check=False,
        text=True,
    )
    assert "No QuPath was found" in done.stdout
    assert not marker.exists()


# Modules that turn data into objects or code, and calls that do.
MODULES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle", "yaml"}
MODULES |= {"zipfile", "tarfile", "socketserver", "http", "requests", "httpx", "urllib.request"}
CALLS = {"eval", "exec", "compile", "os.system", "os.popen"}
METHODS = {"load_model", "model_from_json", "from_config", "deserialize", "unpack_archive"}
METHODS |= {"extractall", "enable_unsafe_deserialization"}
KEYWORDS = {"allow_pickle", "custom_objects", "shell"}
SAFEGUARDS = {"safe_mode"}


def test_no_code_of_pycyto_could_execute_data() -> None:
    found = []
    for path in (ROOT / "pycyto").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            found += [f"{path.name}: {name}" for name in _risks(node)]
    assert not found


def _risks(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & MODULES
    if isinstance(node, ast.ImportFrom):
        # An error's name opens nothing: numpy's readers raise it.
        names = {alias.name for alias in node.names} - {"BadZipFile"}
        return {node.module or ""} & MODULES if names else set()
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        # Switched off by name it is no risk: allow_pickle=False.
        keywords = {k.arg or "" for k in node.keywords if ast.unparse(k.value) != "False"}
        touched = {k.arg or "" for k in node.keywords} & SAFEGUARDS
        return {name} & CALLS | {name.rpartition(".")[2]} & METHODS | keywords & KEYWORDS | touched
    return set()
