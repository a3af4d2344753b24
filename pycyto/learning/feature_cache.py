"""What a frozen backbone sees in patches, kept on disk, since it never sees anything else.

The features of each look at each patch have a key of their own: a digest of all
that decides them, which is the backbone's weights, the preprocessing, the
libraries, the look, and the patch's content and how its colours are changed. So
whatever selection of patches is asked for, in whatever order, finds what was
computed for any other; nothing in here can be out of date; and nothing is named
after an image or a patient.

Some hundreds of them lie in one file, a pack, in the order in which they were
computed. A pack is written once, whole, and never changed: two trainings at once
write packs of their own, and a killed one keeps those that it had finished. A
pack whose checksum is wrong is deleted, and computed again where it is needed.

The backbone is always given batches of one size. So features have the very same
bits whatever was computed beside them.

Features are kept as float32, as the network computes them. Half of that would be
enough to learn from, but then no longer give the result of the network itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import platformdirs

from pycyto import files
from pycyto.images.crop import Pixels
from pycyto.learning.augmentation import Look
from pycyto.learning.batches import Batch, PatchSet, ahead
from pycyto.learning.sampling import Draws

# Bytes of packs that no training under way needs; the longest unused go first.
LARGEST = 4 << 30

_SUFFIX = ".features"
_MOST_IN_PACK = 256
# Packs of fewer are read into memory, since each of the others keeps a file open.
_FEW_IN_PACK = 64
_BATCH_SIZE = 32

# A pack: how many there are, their keys, their features, and the CRC-32 of all that.
_NUMBER, _KEY, _CHECK = 4, 32, 4

Features = npt.NDArray[np.float32]
# Features of patches in their order, each (d,); most are on disk until they are looked at.
Table = Sequence[Features]


def default_folder() -> Path:
    """Return where features are kept unless told otherwise."""
    return Path(platformdirs.user_cache_dir("pycyto", appauthor=False)) / "features"


class _Wanted(NamedTuple):
    """One look at one patch."""

    patches: PatchSet
    place: int
    look: Look

    def pixels(self) -> Pixels:
        shown = self.patches.read(self.place)
        return self.look.of(shown, self.patches.rows[self.place].content_hash)


@dataclass
class FeatureCache:
    """Features of patches, computed where they are not on disk.

    Attributes
    ----------
    folder
        Made when it is needed. Any file in it may be deleted at any time.
    extractor
        Makes the Keras model from pixels to features, (n, d) float32, if something is computed.
    identity
        Whatever features depend on besides the patch and the look at it.
    found, computed
        How many features were there, and how many were not.
    """

    folder: Path
    extractor: Callable[[], Any]
    identity: str
    found: int = 0
    computed: int = 0
    _used: set[Path] = field(default_factory=set)

    def tables(
        self, wanted: Sequence[tuple[PatchSet, Look]], advance: Callable[[int], None]
    ) -> list[Table]:
        """Return the features of looks at patches.

        Raises
        ------
        BadInputError
            When a patch is missing, broken, or not the one of the manifest.
        NotWritableError
            When the folder cannot be written to.
        """
        keys = [self._keys(patches, look) for patches, look in wanted]
        all_wanted = {
            key: _Wanted(patches, place, look)
            for (patches, look), own in zip(wanted, keys, strict=True)
            for place, key in enumerate(own)
        }
        features = self._find(all_wanted)
        self.found += len(features)
        advance(sum(key in features for own in keys for key in own))
        missing = {key: look for key, look in all_wanted.items() if key not in features}
        for pack in self._compute(missing, advance):
            features.update(pack)
        return [[features[key] for key in own] for own in keys]

    def trim(self, largest: int = LARGEST) -> None:
        """Delete the longest unused packs beyond `largest` bytes, and what was left half written.

        What was used through this object stays.
        """
        files.remove_parts(self.folder)
        others = [(p.stat(), p) for p in self._packs() if p not in self._used]
        size = sum(path.stat().st_size for path in self._used)
        for status, path in sorted(others, key=lambda other: -other[0].st_mtime):
            size += status.st_size
            if size > largest:
                _drop(path)

    def _packs(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{_SUFFIX}"))

    def _keys(self, patches: PatchSet, look: Look) -> list[bytes]:
        start = hashlib.sha256(self.identity.encode())
        keys = []
        for place in range(len(patches)):
            digest = start.copy()
            digest.update(f"\n{patches.seen_by(place, look)}\n".encode())
            digest.update(patches.content_of(place).encode())
            keys.append(digest.digest())
        return keys

    def _find(self, wanted: Mapping[bytes, _Wanted]) -> dict[bytes, Features]:
        found: dict[bytes, Features] = {}
        for path in self._packs():
            new = wanted.keys() & set(_keys_in(path)) - found.keys()
            if new:
                pack = self._open(path)
                found |= {key: pack[key] for key in new & pack.keys()}
        return found

    def _open(self, path: Path) -> dict[bytes, Features]:
        """Return what a pack holds, left on disk; nothing where it is gone or broken."""
        try:
            content = np.memmap(path, np.uint8, "r")
            if zlib.crc32(content[:-_CHECK].data) != _number(content[-_CHECK:].tobytes()):
                _drop(path)
                return {}
            os.utime(path)
            keys = _keys_in(path)
            start = _NUMBER + _KEY * len(keys)
            features = np.asarray(content[start:-_CHECK]).view("<f4").reshape(len(keys), -1)
        except (OSError, ValueError):  # it was deleted meanwhile, or is no pack
            return {}
        self._used.add(path)
        if len(keys) < _FEW_IN_PACK:
            features = features.copy()
        return dict(zip(keys, features, strict=True))

    def _compute(
        self, missing: Mapping[bytes, _Wanted], advance: Callable[[int], None]
    ) -> Iterator[dict[bytes, Features]]:
        """Yield packs that are new on disk."""
        keys = list(missing)
        for start in range(0, len(keys), _MOST_IN_PACK):
            some = keys[start : start + _MOST_IN_PACK]
            features = self._seen([missing[key] for key in some], advance)
            self.computed += len(some)
            # A name of its own: another process may be computing the same.
            path = self.folder / f"{uuid.uuid4().hex}{_SUFFIX}"
            _write(path, some, features)
            yield self._open(path)

    @cached_property
    def _extractor(self) -> Any:
        return self.extractor()

    def _seen(self, wanted: Sequence[_Wanted], advance: Callable[[int], None]) -> Features:
        def batch(start: int) -> Pixels:
            return np.stack([look.pixels() for look in wanted[start : start + _BATCH_SIZE]])

        seen, extractor = [], self._extractor
        for pixels in ahead(batch, range(0, len(wanted), _BATCH_SIZE)):
            lacking = _BATCH_SIZE - len(pixels)
            full = np.concatenate([pixels, np.repeat(pixels[-1:], lacking, axis=0)])
            seen.append(np.asarray(extractor.predict_on_batch(full))[: len(pixels)])
            advance(len(pixels))
        return np.concatenate(seen)


def batches_of(
    tables: Sequence[Table], targets: npt.NDArray[np.int32], draws: Draws, batch_size: int
) -> Iterator[Batch]:
    """Yield features of patches that were drawn, each from the table of its view."""
    for start in range(0, len(draws.indices), batch_size):
        indices, views = (column[start : start + batch_size] for column in draws)
        rows = [tables[view][index] for index, view in zip(indices, views, strict=True)]
        yield Batch(np.stack(rows), targets[indices])


def _number(content: bytes) -> int:
    return int.from_bytes(content, "little")


def _write(path: Path, keys: Sequence[bytes], features: Features) -> None:
    content = len(keys).to_bytes(_NUMBER, "little") + b"".join(keys)
    content += features.astype("<f4").tobytes()
    check = zlib.crc32(content).to_bytes(_CHECK, "little")
    files.write_bytes(path, content + check, lasting=False)


def _keys_in(path: Path) -> list[bytes]:
    """Return the keys at the head of a pack; whether they are right its checksum tells."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        number = min(_number(stream.read(_NUMBER)), _MOST_IN_PACK)
        return [stream.read(_KEY) for _ in range(number)]
    return []


def _drop(path: Path) -> None:
    # Another training may hold it open, or have deleted it.
    with contextlib.suppress(OSError):
        path.unlink()
