"""The OpenVINO model that is kept in a bundle, and the seal by which one's own is known.

::

    network.openvino.xml   the network, as OpenVINO writes it
    network.openvino.bin   its numbers, float32
    network.openvino.seal  64 hexadecimal digits

The files are a cache of what pycyto makes of the weights. OpenVINO's reader
is a large library in C++, and a model that somebody else has put there could say
other things than the weights that were evaluated. So only what this user's own
pycyto has made on this machine is read: the seal is a keyed digest (HMAC-SHA-256)
over both files, the weights' checksum, the network and the versions that
took part, and its key never leaves the user's own folder. Whatever does not fit,
for whatever reason, is as good as not there, and is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.learning.bundle import EXPORT_FILES, WEIGHTS_FILE, Bundle

_GRAPH_FILE, _NUMBERS_FILE, _SEAL_FILE = EXPORT_FILES
_KEY_FILE = "exports.key"
_KEY_BYTES = 32
# Bytes. The graph of the largest network has a quarter of a megabyte.
_LARGEST_GRAPH, _LARGEST_SEAL = 1 << 24, 1 << 10
# The numbers are those of the weights, some of them multiplied out, and shapes.
_LARGEST_GROWTH, _SHAPES = 2, 1 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """A model as OpenVINO reads it: its network (XML) and its numbers."""

    graph: bytes
    numbers: bytes


def keep(bundle: Bundle, exported: Exported, versions: Mapping[str, str]) -> None:
    """Put an exported model into its bundle, the seal last.

    Parameters
    ----------
    versions
        Of the libraries that made it.

    Raises
    ------
    NotWritableError
        The bundle, or the user's own folder, cannot be written to.
    BadInputError
        The user's key cannot be read.
    """
    seal = _seal(_key(), bundle, exported, versions)
    files.remove_parts(bundle.path, below=False)
    files.remove(bundle.path / _SEAL_FILE)
    files.write_bytes(bundle.path / _GRAPH_FILE, exported.graph)
    files.write_bytes(bundle.path / _NUMBERS_FILE, exported.numbers)
    files.write_text(bundle.path / _SEAL_FILE, f"{seal}\n")


def kept(bundle: Bundle, versions: Mapping[str, str]) -> Exported | None:
    """Return the exported model in a bundle, if this user has made it of these weights.

    What is returned are the very bytes that the seal was compared with.
    """
    most = _LARGEST_GROWTH * (bundle.path / WEIGHTS_FILE).stat().st_size + _SHAPES
    with contextlib.suppress(BadInputError):
        seal = _read(bundle.path / _SEAL_FILE, _LARGEST_SEAL)
        exported = Exported(
            _read(bundle.path / _GRAPH_FILE, _LARGEST_GRAPH),
            _read(bundle.path / _NUMBERS_FILE, most),
        )
        expected = _seal(_key(), bundle, exported, versions)
        if hmac.compare_digest(seal.strip(), expected.encode()):
            return exported
    return None


def _seal(key: bytes, bundle: Bundle, exported: Exported, versions: Mapping[str, str]) -> str:
    parts = (
        bundle.card["files"][WEIGHTS_FILE],
        bundle.network,
        len(bundle.labels),
        sorted(versions.items()),
        hashlib.sha256(exported.graph).hexdigest(),
        hashlib.sha256(exported.numbers).hexdigest(),
    )
    return hmac.new(key, json.dumps(parts).encode(), "sha256").hexdigest()


def _read(path: Path, largest: int) -> bytes:
    files.check_size(path, largest)
    with files.readable(path):
        return path.read_bytes()


def _key() -> bytes:
    """Return the user's key, which is made when there is none."""
    folder = Path(platformdirs.user_data_dir("pycyto", appauthor=False))
    path = folder / _KEY_FILE
    if not path.exists():
        files.write_private_once(path, secrets.token_bytes(_KEY_BYTES).hex() + "\n")
    try:
        key = bytes.fromhex(_read(path, _LARGEST_SEAL).decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise BadInputError(
            "This file holds no key for exported models.",
            where=path,
            remedy="Delete it: then a new key is made, and exported models are made anew.",
        )
    return key
