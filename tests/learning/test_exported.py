"""Only what this user's own pycyto has made of these weights is read from a bundle."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from pycyto import files
from pycyto.errors import BadInputError, NotWritableError
from pycyto.learning.bundle import EXPORT_FILES, Bundle, load_bundle
from pycyto.learning.exported import Exported, keep, kept
from tests import hostile_files

VERSIONS = {"keras": "1", "openvino": "2"}
EXPORTED = Exported(b"<net/>", bytes(range(100)))
GRAPH, NUMBERS, SEAL = EXPORT_FILES


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder; it is another one with another name."""
    return use_home(tmp_path / "home", monkeypatch)


def use_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(folder))
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(hostile_files.honest_bundle(tmp_path / "bundle"))


def test_what_was_kept_is_found_again(bundle: Bundle) -> None:
    assert kept(bundle, VERSIONS) is None
    keep(bundle, EXPORTED, VERSIONS)
    assert kept(bundle, VERSIONS) == EXPORTED
    assert kept(load_bundle(bundle.path), dict(reversed(VERSIONS.items()))) == EXPORTED


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(1 << 25))


@pytest.mark.parametrize("name", EXPORT_FILES)
@pytest.mark.parametrize("change", [cut, changed, grown, Path.unlink])
def test_a_changed_file_is_as_good_as_none(
    change: Callable[[Path], None], name: str, bundle: Bundle
) -> None:
    keep(bundle, EXPORTED, VERSIONS)
    if (name, change) == (SEAL, cut):  # its line end
        cut(bundle.path / name)
    change(bundle.path / name)
    assert kept(bundle, VERSIONS) is None
    keep(bundle, EXPORTED, VERSIONS)
    assert kept(bundle, VERSIONS) == EXPORTED


def test_a_model_of_other_weights_versions_or_networks_is_none(bundle: Bundle) -> None:
    keep(bundle, EXPORTED, VERSIONS)
    retrained = {**bundle.card, "files": {**bundle.card["files"], "network.weights.h5": "0" * 64}}
    others = (
        replace(bundle, card=retrained),
        replace(bundle, network="mobilenetv2"),
        replace(bundle, labels=(*bundle.labels, "SCC")),
    )
    assert [kept(other, VERSIONS) for other in others] == [None, None, None]
    assert kept(bundle, VERSIONS | {"openvino": "3"}) is None
    assert kept(bundle, VERSIONS) == EXPORTED


def test_the_graph_of_one_and_the_numbers_of_another_do_not_fit(bundle: Bundle) -> None:
    keep(bundle, EXPORTED, VERSIONS)
    old = (bundle.path / NUMBERS).read_bytes()
    keep(bundle, Exported(EXPORTED.graph, b"other"), VERSIONS)
    (bundle.path / NUMBERS).write_bytes(old)
    assert kept(bundle, VERSIONS) is None


def test_what_somebody_else_has_made_is_not_read(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends a bundle can make every digest, but has not this user's key."""
    use_home(tmp_path / "sender", monkeypatch)
    keep(bundle, Exported(b"<evil/>", b""), VERSIONS)
    use_home(tmp_path / "home", monkeypatch)
    assert kept(bundle, VERSIONS) is None
    (bundle.path / SEAL).write_text(hashlib.sha256(b"<evil/>").hexdigest())
    assert kept(bundle, VERSIONS) is None


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("name", EXPORT_FILES)
def test_a_link_is_not_written_through(name: str, bundle: Bundle, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    for target in ("/dev/zero", str(victim)):
        victim.write_bytes(b"mine")
        (bundle.path / name).unlink(missing_ok=True)
        (bundle.path / name).symlink_to(target)
        assert kept(bundle, VERSIONS) is None
        keep(bundle, EXPORTED, VERSIONS)
        assert victim.read_bytes() == b"mine"
        assert kept(bundle, VERSIONS) == EXPORTED


@pytest.mark.parametrize("killed_at", range(3))
def test_a_broken_off_export_is_none(
    killed_at: int, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(bundle, Exported(b"<old/>", b"old"), VERSIONS)
    replaced: list[Path] = []

    def kill(source: Path, target: Path) -> None:
        replaced.append(target)
        if len(replaced) > killed_at:
            raise KeyboardInterrupt
        source.replace(target)

    with monkeypatch.context() as patched:
        patched.setattr(files, "replace", kill)
        with pytest.raises(KeyboardInterrupt):
            keep(bundle, EXPORTED, VERSIONS)
    assert kept(bundle, VERSIONS) is None
    assert not list(bundle.path.glob(".*"))


@pytest.mark.skipif(sys.platform == "win32", reason="other rights there")
def test_the_key_is_the_users_alone(bundle: Bundle, home: Path) -> None:
    keep(bundle, EXPORTED, VERSIONS)
    (key,) = home.iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().strip() not in (bundle.path / SEAL).read_text()


def test_a_key_that_is_none_is_named(bundle: Bundle, home: Path) -> None:
    keep(bundle, EXPORTED, VERSIONS)
    (home / "exports.key").write_text("abc")
    with pytest.raises(BadInputError, match="no key"):
        keep(bundle, EXPORTED, VERSIONS)
    assert kept(bundle, VERSIONS) is None


def test_a_folder_in_the_way_is_told(bundle: Bundle) -> None:
    (bundle.path / NUMBERS).mkdir()
    with pytest.raises(NotWritableError):
        keep(bundle, EXPORTED, VERSIONS)
    assert kept(bundle, VERSIONS) is None
