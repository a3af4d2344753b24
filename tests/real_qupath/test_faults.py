"""The short form of `benchmarks/faults_qupath.py`, and proof that it can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycyto.qupath.locate import Installation
from tests.faults.in_qupath import FAULTS, IN_PROCESS, QuPathTrips


@pytest.mark.parametrize("kind", IN_PROCESS)
def test_nothing_is_lost_invented_or_claimed(
    kind: str, tmp_path: Path, installation: Installation
) -> None:
    player = QuPathTrips(installation, tmp_path)
    trips = [player.play(seed, [kind]) for seed in range(4)]
    assert [problem for trip in trips for problem in trip.problems] == []
    assert kind == "none" or any(trip.faulted for trip in trips)


@pytest.mark.parametrize("kind", FAULTS[len(IN_PROCESS) :])
def test_a_killed_process_loses_nothing(
    kind: str, tmp_path: Path, installation: Installation
) -> None:
    trip = QuPathTrips(installation, tmp_path).play(3, [kind])
    assert trip.problems == []


def test_a_write_that_takes_an_object_away_is_found(
    tmp_path: Path, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = QuPathTrips(installation, tmp_path)
    from pycyto.qupath.writing import Writer

    write = Writer.write

    def careless(self: Any, run: Any, entry_id: str, **options: Any) -> Any:
        done = write(self, run, entry_id, **options)
        image = self._java_project.image(entry_id)
        hierarchy = image.getData().getHierarchy()
        hierarchy.removeObject(next(iter(hierarchy.getAnnotationObjects())), True)
        image.getEntry().saveImageData(image.getData())
        return done

    monkeypatch.setattr(Writer, "write", careless)
    problems = player.play(1, ["none"]).problems
    assert any("lost" in problem for problem in problems)
