"""A state comes back as it was, to the training that left it and to no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pycyto.errors import RefusedError
from pycyto.learning.checkpoint import Checkpoint, State, place_of
from pycyto.learning.history import Epoch
from pycyto.records import SILENT

STATE = State(
    history=(Epoch(1, "head", 0.1, 0.2, 1 / 3, 0.4, 0.5), Epoch(2, "head", 0, 1, 0, 1, 1)),
    phase=1,
    since_better=3,
    model=[np.arange(6, dtype=np.float32).reshape(2, 3), np.array([5, 6], np.int64)],
    optimizer=[np.array(7, np.int64)] + [np.full(2, n, np.float32) for n in range(12)],
    best=[np.zeros((0, 4), np.float32)],
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(place_of(tmp_path / "model"), {"seed": "1", "the train cells": "ab"})


def test_a_state_comes_back_bit_by_bit(checkpoint: Checkpoint) -> None:
    assert checkpoint.load(SILENT) is None
    checkpoint.save(replace(STATE, phase=0))
    checkpoint.save(STATE)
    found = checkpoint.load(SILENT)
    assert found
    assert (found.history, found.phase, found.since_better) == (STATE.history, 1, 3)
    for name in ("model", "optimizer", "best"):
        for one, other in zip(getattr(found, name), getattr(STATE, name), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
    assert [path.name for path in checkpoint.path.parent.iterdir()] == [".model.training.npz"]
    checkpoint.remove()
    checkpoint.remove()
    assert not checkpoint.path.exists()


def test_another_training_does_not_go_on_with_it(checkpoint: Checkpoint) -> None:
    checkpoint.save(STATE)
    other = replace(checkpoint, identity={"seed": "2", "the train cells": "ab", "views": "4"})
    with pytest.raises(RefusedError, match=r"after epoch 2.* seed, views\.") as raised:
        other.load(SILENT)
    assert "--restart" in str(raised.value)
    assert checkpoint.path.exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"not a state at all" * 100])
def test_a_broken_file_begins_anew(content: bytes, checkpoint: Checkpoint) -> None:
    checkpoint.path.write_bytes(content)
    assert checkpoint.load(SILENT) is None


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.99])
def test_a_cut_off_file_begins_anew(keep: float, checkpoint: Checkpoint) -> None:
    checkpoint.save(STATE)
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: int(keep * len(content))])
    assert checkpoint.load(SILENT) is None
