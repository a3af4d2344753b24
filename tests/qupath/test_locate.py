"""QuPath is found where the user says, then where paquo looks, and an old one is not used."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pycyto.errors import MissingDependencyError
from pycyto.qupath import locate, versions
from pycyto.qupath.locate import Installation, find_qupath, installation_in

APP = {"Linux": "lib/app", "Windows": "app", "Darwin": "Contents/app"}


class Info(NamedTuple):
    """What of paquo's answer is looked at."""

    app_dir: Path


def install(folder: Path, version: str = "0.5.1", system: str | None = None) -> Path:
    app = folder / APP[system or platform.system()]
    app.mkdir(parents=True)
    for name in ("core-processing-9.9.9", f"core-{version}", "gui-fx-0.1.0"):
        (app / f"qupath-{name}.jar").touch()
    return folder


@pytest.fixture(autouse=True)
def none_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which neither the environment nor paquo knows a QuPath."""
    monkeypatch.delenv("PYCYTO_QUPATH", raising=False)
    paquo_finds(monkeypatch, ValueError("no valid qupath installation found"))


def paquo_finds(monkeypatch: pytest.MonkeyPatch, found: Path | Exception) -> None:
    def search(**_: Any) -> Info:
        if isinstance(found, Exception):
            raise found
        return Info(found / APP[platform.system()])

    monkeypatch.setattr("paquo.jpype_backend.find_qupath", search)


@pytest.mark.parametrize("system", APP)
def test_the_layout_of_every_system(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(tmp_path / "QuPath é 1", "0.6.0", system)
    monkeypatch.setattr(platform, "system", lambda: system)
    assert installation_in(folder) == Installation(folder, "0.6.0")
    paquo_finds(monkeypatch, folder)
    assert find_qupath() == Installation(folder, "0.6.0")


def test_a_folder_without_qupath(tmp_path: Path) -> None:
    assert installation_in(tmp_path) is None
    assert installation_in(tmp_path / "no") is None


def test_what_is_given_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option, variable, paquos = (install(tmp_path / name) for name in ("a", "b", "c"))
    assert find_qupath() is None
    paquo_finds(monkeypatch, paquos)
    assert find_qupath() == Installation(paquos, "0.5.1")
    monkeypatch.setenv("PYCYTO_QUPATH", str(variable))
    assert find_qupath() == Installation(variable, "0.5.1")
    assert find_qupath(option) == Installation(option, "0.5.1")


def test_a_folder_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    folder = install(tmp_path / "QuPath")
    assert find_qupath(Path("~/QuPath")) == Installation(folder, "0.5.1")


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_wrong_folder_is_not_replaced_by_another(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paquo_finds(monkeypatch, install(tmp_path / "good"))
    wrong = tmp_path / "wrong"
    if by == "variable":
        monkeypatch.setenv("PYCYTO_QUPATH", str(wrong))
    with pytest.raises(MissingDependencyError, match="no QuPath in this folder") as raised:
        find_qupath(wrong if by == "option" else None)
    assert raised.value.where == str(wrong)
    assert "--qupath" in str(raised.value)


def test_an_old_one_is_refused_if_named_and_passed_over_if_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = install(tmp_path, "0.4.4")
    with pytest.raises(MissingDependencyError, match=r"QuPath 0\.4\.4 is too old"):
        find_qupath(old)
    paquo_finds(monkeypatch, old)
    assert find_qupath() is None


@pytest.mark.parametrize("error", [ValueError("none"), FileNotFoundError("libjvm.so")])
def test_paquo_finding_nothing_is_no_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    paquo_finds(monkeypatch, error)
    assert find_qupath() is None
    assert ".".join(map(str, versions.OLDEST)) in locate.REMEDY
