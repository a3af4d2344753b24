"""Bundles and weights as somebody might send them who means harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pycyto import files
from pycyto.learning.bundle import CHECKED_FILES, WEIGHTS_FILE, id_of

LABELS = ["NILM", "HSIL"]
KERNEL = (256, len(LABELS))
HISTORY = "epoch,phase,loss,accuracy,val_loss,val_accuracy,val_macro_f1\n1,all,1,1,1,1,1\n"


def honest_bundle(folder: Path) -> Path:
    """Write a bundle that is loaded without complaint; its weights are a head alone."""
    folder.mkdir(parents=True)
    with h5py.File(folder / WEIGHTS_FILE, "w") as file:
        file["layers/dense/vars/0"] = np.zeros(KERNEL, np.float32)
    (folder / "history.csv").write_text(HISTORY)
    (folder / "trained_on.txt").write_text("a" * 64 + "\n")
    card = {
        "format": 1,
        "labels": LABELS,
        "scheme": "bethesda",
        "network": "small",
        "resolution": {"mpp": None, "downsample": 1.0, "trained_mpp": [0.25, 0.5]},
        "patch_size": 224,
        "counts": {"train": {"NILM": 1}},
        "a member of a later version": 1,
    }
    (folder / "bundle.json").write_text(json.dumps(card))
    sign(folder)
    return folder


def sign(folder: Path) -> None:
    """Make checksums and ID fit what is there: whoever sends a bundle can do that too."""
    sums = {name: files.sha256_of(folder / name) for name in CHECKED_FILES}
    edit(folder, lambda card: card.update(files=sums, bundle_id=id_of(sums[WEIGHTS_FILE], LABELS)))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the card of a bundle."""
    card = json.loads((folder / "bundle.json").read_text())
    change(card)
    (folder / "bundle.json").write_text(json.dumps(card))


def external_link(path: Path) -> None:
    """Weights that are those of another file of the machine."""
    other = path.with_name("other.h5")
    path.rename(other)
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.ExternalLink(str(other), "layers")


def soft_link(path: Path) -> None:
    """Weights by way of a link within the file."""
    with h5py.File(path, "a") as file:
        file.move("layers", "elsewhere")
        file["layers"] = h5py.SoftLink("/elsewhere")


def external_storage(path: Path) -> None:
    """Weights whose numbers are the bytes of another file."""
    secret = path.with_name("secret")
    secret.write_bytes(bytes(4 * KERNEL[0] * KERNEL[1]))
    with h5py.File(path, "w") as file:
        place = [(str(secret), 0, secret.stat().st_size)]
        file.create_dataset("layers/dense/vars/0", KERNEL, "f4", external=place)


def virtual_dataset(path: Path) -> None:
    """Weights that are a view of another HDF5 file."""
    other = path.with_name("other.h5")
    path.rename(other)
    layout = h5py.VirtualLayout(KERNEL, "f4")
    layout[:] = h5py.VirtualSource(str(other), "layers/dense/vars/0", KERNEL)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("layers/dense/vars/0", layout)


def shape_bomb(path: Path) -> None:
    """Some thousand bytes that stand for three gigabytes."""
    with h5py.File(path, "a") as file:
        file.create_dataset("bomb", (800_000_000,), "f4", chunks=(1_000_000,), compression="gzip")


def many_bombs(path: Path) -> None:
    """Arrays of which each is small enough."""
    with h5py.File(path, "a") as file:
        for number in range(400):
            file.create_dataset(f"bomb {number}", (1_000_000,), "f4", chunks=(1_000_000,))


def endless_groups(path: Path) -> None:
    """A group that holds itself."""
    with h5py.File(path, "a") as file:
        group = file.create_group("round")
        group["again"] = group


def no_numbers(path: Path) -> None:
    """Texts, which numpy holds as Python objects."""
    with h5py.File(path, "a") as file:
        file["layers/texts"] = ["a", "b"]


class Payload:
    """What makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def pickled_npz(path: Path, marker: Path) -> None:
    """Numpy's format, with a Python object in place of numbers."""
    with path.open("wb") as stream:
        np.savez(stream, weights=np.array([Payload(marker)], object))
