from __future__ import annotations

from pathlib import Path

import pytest

from pycyto.errors import BadInputError
from pycyto.steps.scripts import install_scripts, list_scripts, purpose_of, scripts_folder


def test_the_three_scripts_are_there_and_say_what_they_do() -> None:
    names = {script.stem for script in list_scripts()}
    assert names >= {"export_cells", "export_patches", "import_predictions"}
    assert all(len(purpose_of(script)) > 20 for script in list_scripts())


def test_they_are_installed_with_what_they_share(tmp_path: Path) -> None:
    (place,) = install_scripts(tmp_path)
    assert place == tmp_path / "scripts" / "pycyto"
    for source in scripts_folder().rglob("*"):
        if source.is_file():
            copied = place / source.relative_to(scripts_folder())
            assert copied.read_bytes() == source.read_bytes()


def test_every_user_folder_gets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for version in ("v0.5", "v0.6"):
        (tmp_path / "QuPath" / version).mkdir(parents=True)
    assert len(install_scripts()) == 2


def test_no_user_folder_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(BadInputError, match="--user-dir"):
        install_scripts()
