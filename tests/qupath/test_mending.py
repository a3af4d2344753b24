"""New places are written into a project, and nothing else is."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto import files
from pycyto.errors import RefusedError
from pycyto.qupath.mending import mend, with_places
from pycyto.qupath.project import open_project
from tests.moved_project import content, lab, state, written

OLD, NEW = PurePosixPath("/old/a b.svs"), Path("/new/ü/a b.svs").absolute()
KEYS = st.sampled_from(["uri", "builder", "metadata", "args", 'a "\\ key', "{", "é"]) | st.text()
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["file:/old/a%20b.svs", "file:///old/a%20b.svs", "file:/old", "uri"])
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=25
)


def expected(value: Any, key: str = "") -> Any:
    """Return the same with the new place, told from the parsed value and not from the text."""
    if isinstance(value, list):
        return [expected(item) for item in value]
    if isinstance(value, dict):
        return {k: v if k == "metadata" else expected(v, k) for k, v in value.items()}
    if key == "uri" and value in ("file:/old/a%20b.svs", "file:///old/a%20b.svs"):
        return NEW.as_uri()
    return value


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_the_same_but_the_places(value: Any, indent: int | None, plain: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    new = with_places(text, {OLD: NEW})
    assert json.loads(new) == expected(value)
    assert with_places(new, {OLD: NEW}) == new
    back = with_places(new, {PurePosixPath(NEW): Path("/old/a b.svs").absolute()})
    assert with_places(back, {OLD: NEW}) == new


def test_the_text_around_a_place_stays_as_it_is() -> None:
    text = (
        '{ "n":1.0E-5,"big" : 12345678901234567890, "k\\u003d":"\\u00e9", "n":2,\r\n "uri" :"%s"}'
    )
    changed = with_places(text % "file:/old/a%20b.svs", {OLD: NEW})
    assert changed == text % NEW.as_uri()


def test_windows_knows_no_case_and_a_query_is_kept() -> None:
    text = '{"uri": "file:/D:/Lab/a.svs?series=1#x"}'
    new = with_places(text, {PureWindowsPath("d:/lab/A.svs"): NEW})
    assert json.loads(new)["uri"] == f"{NEW.as_uri()}?series=1#x"


def moves(project: Path) -> dict[Any, Path]:
    slides = project.parent / "slides"
    return {slides / f"{n}.png": project.parent / "elsewhere" / f"{n}.png" for n in (1, 2)}


def test_what_is_changed_is_kept_first(tmp_path: Path) -> None:
    project = lab(tmp_path)
    before = state(project)

    snapshot = mend(open_project(project), moves(project))

    assert snapshot is not None
    assert snapshot.parent == project / "pycyto" / "snapshots" / "doctor"
    kept = {str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()}
    assert kept == {str(path.relative_to(project)) for path in written(project)}
    after = state(project)
    assert {name for name in after if after[name] != before[name]} == kept
    assert all("elsewhere" in after[name].decode() for name in kept)
    for name in kept:  # copied back it is the project that it was
        (project / name).write_bytes((snapshot / name).read_bytes())
    assert state(project) == before
    assert mend(open_project(project), {}) is None


@pytest.mark.parametrize("writes", range(8))
def test_a_run_that_is_killed_leaves_a_project_to_be_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    project = lab(tmp_path)
    before = state(project)
    done: list[Path] = []
    replace = files.replace

    def killed(source: Path, target: Path) -> None:
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(files, "replace", killed)
    try:
        mend(open_project(project), moves(project))
    except KeyboardInterrupt:
        assert content(project) == json.loads(before["project.qpproj"])
        for path in written(project):
            json.loads(path.read_bytes())
    else:
        assert writes >= 6
    monkeypatch.undo()

    mend(open_project(project), moves(project))

    for path in written(project):
        uris = re.findall(r"elsewhere/\d\.png", path.read_text("utf-8"))
        assert uris
        assert "slides" not in path.read_text("utf-8")


def test_what_another_program_saves_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = lab(tmp_path)
    copy = files.copy_file

    def save_meanwhile(source: Path, target: Path) -> None:
        copy(source, target)
        (project / "project.qpproj").write_bytes(b'{"images": []}')

    monkeypatch.setattr(files, "copy_file", save_meanwhile)
    with pytest.raises(RefusedError, match="just saved"):
        mend(open_project(project), moves(project))
    assert content(project) == {"images": []}


@pytest.mark.parametrize("text", ["", "{", "[[["])
def test_a_broken_copy_of_a_builder_hinders_nothing(tmp_path: Path, text: str) -> None:
    project = lab(tmp_path)
    broken = project / "data" / "1" / "server.json"
    broken.write_text(text)
    assert mend(open_project(project), moves(project)) is not None
    assert broken.read_text() == text
    assert "slides" not in (project / "project.qpproj").read_text()


def test_who_could_write_the_project_still_can(tmp_path: Path) -> None:
    project = lab(tmp_path)
    (project / "project.qpproj").chmod(0o664)
    mode = (project / "project.qpproj").stat().st_mode
    mend(open_project(project), moves(project))
    assert (project / "project.qpproj").stat().st_mode == mode
