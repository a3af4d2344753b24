"""The short form of `benchmarks/faults.py`: some of every fault, and proof that it can fail."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from pycyto import files, locks
from pycyto.qupath import geojson, geojson_backend
from pycyto.qupath.project import Project
from tests.faults.round_trips import FAULTS, RoundTrips, Trip

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or sys.platform == "darwin",
    reason="faults are put into forked processes, as Linux has them",
)


@pytest.fixture
def player(tmp_path: Path) -> RoundTrips:
    return RoundTrips(tmp_path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> RoundTrips:
    """Return a player for all tests of the code as it is, so that they share the references."""
    return RoundTrips(tmp_path_factory.mktemp("faults"))


def problems(trips: list[Trip]) -> list[str]:
    return [
        f"seed {trip.seed}, {trip.fault.kind} in {trip.fault.step}: {problem.sort}: {problem.text}"
        for trip in trips
        for problem in trip.problems
    ]


def sorts(trips: list[Trip]) -> set[str]:
    return {problem.sort for trip in trips for problem in trip.problems}


@pytest.mark.parametrize("kind", FAULTS)
def test_nothing_is_lost_invented_or_claimed(kind: str, sound: RoundTrips) -> None:
    trips = [sound.play(seed, [kind]) for seed in (1, 2, 9, 10, 17, 18)]

    assert problems(trips) == []
    assert any(trip.faulted for trip in trips)
    assert all(trip.bypasses == set() for trip in trips)


def test_a_trip_can_be_repeated(sound: RoundTrips) -> None:
    for seed in range(4):
        first, second = sound.play(seed), sound.play(seed)
        assert first.fault == second.fault
        assert (first.faulted, first.again) == (second.faulted, second.again)


# What follows breaks the code, to see the harness find it.


def test_writing_in_place_is_found(player: RoundTrips, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def in_place(path: Path, *, binary: bool = False, **_: Any) -> Iterator[IO[Any]]:
        path.parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {} if binary else {"encoding": "utf-8", "newline": ""}
        with path.open("wb" if binary else "w", **options) as stream:
            yield stream

    monkeypatch.setattr(files, "writing", in_place)
    trips = [player.play(seed, ["torn write"]) for seed in range(24)]
    assert sorts(trips) & {"stuck", "unreadable", "lost or changed"}


def test_a_missing_sync_is_found(player: RoundTrips, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unsynced:
        def __getattr__(self, name: str) -> Any:
            return (lambda _: None) if name == "fsync" else getattr(os, name)

    monkeypatch.setattr(files, "os", Unsynced())
    assert sorts([player.play(seed, ["power cut"]) for seed in range(24)])


def test_a_missing_lock_is_found(player: RoundTrips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "locked", lambda _: contextlib.nullcontext())
    assert sorts([player.play(seed, ["two processes"]) for seed in (101, 103, 162, 173)])


def test_reading_what_is_stale_is_found(
    player: RoundTrips, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = geojson_backend.GeoJsonBackend
    read = backend.read

    def trusting(self: Any, entry_id: str) -> Any:
        path = self._project.workspace / "cells" / f"{entry_id}.geojson"
        with monkeypatch.context() as patch:
            if path.exists():
                known = geojson.read_cells_file(path, entry_id).data_sha256
                patch.setattr(Project, "data_sha256", lambda *_: known)
            return read(self, entry_id)

    monkeypatch.setattr(backend, "read", trusting)
    assert "wrong success" in sorts([player.play(seed, ["saved between"]) for seed in range(16)])


def test_an_object_that_is_changed_is_found(
    player: RoundTrips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a step wrote into QuPath's data by itself."""
    copied = files.copy_file

    def careless(source: Path, target: Path, **options: Any) -> None:
        copied(source, target, **options)
        if "data.qpdata" in target.name:
            target.write_bytes(target.read_bytes().replace(b"annotation", b"detection"))

    monkeypatch.setattr(files, "copy_file", careless)
    assert "lost or changed" in sorts([player.play(seed, ["none"]) for seed in range(16)])
