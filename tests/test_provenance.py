"""Every step leaves a record of itself, and nobody's name in it."""

from __future__ import annotations

import getpass
import platform
from importlib import metadata
from pathlib import Path

import pytest

from pycyto import files, provenance
from pycyto.errors import BadInputError


def test_versions_name_no_machine() -> None:
    found = provenance.versions()
    assert found["pycyto"] == provenance.version_of("pycyto")
    assert found["numpy"] == metadata.version("numpy")
    assert found["python"] == platform.python_version()
    text = " ".join(found.values())
    for secret in (platform.node(), str(Path.home()), str(Path.cwd())):
        assert len(secret) < 3 or secret not in text
    assert getpass.getuser() not in text.split()


def test_a_package_that_is_not_there() -> None:
    assert provenance.version_of("no-such-package-pycyto") == "not installed"


def test_a_record_holds_what_a_figure_depends_on(tmp_path: Path) -> None:
    entry = provenance.record(
        "export",
        {"out": Path("a") / "b", "classes": ("HSIL", "LSIL"), "mpp": 0.25, "images": None},
        counts={"given": 3, "patches": 3},
        inputs={"manifest.csv": "00"},
        seed=7,
    )
    assert entry["arguments"] == {
        "out": str(Path("a") / "b"),
        "classes": ["HSIL", "LSIL"],
        "mpp": 0.25,
        "images": None,
    }
    provenance.keep_record(tmp_path, entry)
    assert files.read_json(tmp_path / "record.json") == {"export": entry}
    assert (entry["seed"], entry["versions"]) == (7, provenance.versions())


def test_each_step_keeps_its_last_record(tmp_path: Path) -> None:
    for step, seed in (("export", 1), ("split", 2), ("export", 3)):
        entry = provenance.record(step, {}, counts={}, inputs={f"{step} {seed}": "00"}, seed=seed)
        provenance.keep_record(tmp_path, entry)
    found = files.read_json(tmp_path / "record.json")
    assert {step: entry["seed"] for step, entry in found.items()} == {"export": 3, "split": 2}
    assert provenance.recorded_inputs(tmp_path, "export") == {"export 3": "00"}
    assert provenance.recorded_inputs(tmp_path, "train") == {}
    assert provenance.recorded_inputs(tmp_path / "elsewhere", "export") == {}


@pytest.mark.parametrize("content", ["[]", "3", '{"export": []}', '{"export":'])
def test_a_record_that_is_none_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(content)
    with pytest.raises(BadInputError, match=r"record\.json"):
        provenance.keep_record(tmp_path, provenance.record("split", {}, counts={}))
    with pytest.raises(BadInputError, match=r"record\.json"):
        provenance.recorded_inputs(tmp_path, "export")
    assert (tmp_path / "record.json").read_text() == content
