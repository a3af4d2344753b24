"""Data and models that several tests of this folder look at; none of them changes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycyto.learning.batches import PatchSet
from pycyto.learning.bundle import Bundle
from pycyto.manifest import Row
from tests.learning.patch_data import write_data

LABELS = ("NILM", "HSIL")


@dataclass(frozen=True)
class Saved:
    """A trained model and the bundle that was made of it."""

    model: Any
    bundle: Bundle
    rows: list[Row]


@pytest.fixture(scope="session")
def patches(tmp_path_factory: pytest.TempPathFactory) -> PatchSet:
    """Seven NILM and three HSIL."""
    folder = tmp_path_factory.mktemp("data")
    return PatchSet(folder, write_data(folder, {"train": {"NILM": 7, "HSIL": 3}}), LABELS)


@pytest.fixture(scope="session")
def saved(patches: PatchSet, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """A bundle of the small network after one epoch."""
    from pycyto import provenance
    from pycyto.images.resolution import Resolution
    from pycyto.learning.networks import build, network_named
    from pycyto.learning.plan import default_settings
    from pycyto.learning.saving import Description, save_bundle
    from pycyto.learning.training import fit

    network = network_named("small")
    model = build("small", 2, seed=1)
    settings = default_settings(pretrained=False, epochs=1, batch_size=4, seed=1)
    training = fit(model, network, patches, patches, settings)
    counts = {"train": {"NILM": 7, "HSIL": 3}}
    description = Description(
        network="small",
        weights_origin={"kind": "none"},
        labels=LABELS,
        scheme="bethesda",
        resolution=Resolution(),
        counts=counts,
        settings=settings,
        audit={"passed": True},
        record=provenance.record("train", {}, counts=counts, seed=1),
    )
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    keys = [row.key for row in patches.rows]
    return Saved(model, save_bundle(path, model, description, training, keys), list(patches.rows))


@pytest.fixture
def copied(saved: Saved, tmp_path: Path) -> Path:
    """A copy of the bundle, to break."""
    import shutil

    return Path(shutil.copytree(saved.bundle.path, tmp_path / "bundle"))
