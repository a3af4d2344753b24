"""Round trips through QuPath's data under faults, by the thousand.

Each seed is one round trip with one fault; see `tests/faults`. From the top of the repository::

    python -m benchmarks.faults --trips 10000
    python -m benchmarks.faults --seed 1158 --trace      # one of them, operation by operation
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.faults.round_trips import FAULTS, PER_PROJECT, RoundTrips, Trip

_SHOWN = 20


def main() -> int:
    """Play the trips that were asked for, and print what came of them."""
    options = _options()
    kinds = tuple(options.faults.split(",")) if options.faults else FAULTS
    start = time.perf_counter()
    if options.seed is not None:
        trace = _say if options.trace else None
        trips = [RoundTrips(_folder(), trace=trace).play(options.seed, kinds)]
    else:
        trips = list(_played(options.first, options.trips, options.workers, kinds))
    seconds = time.perf_counter() - start
    _tell(trips, options.faults)
    _say(f"{len(trips)} round trips in {seconds:.0f} s: {len(trips) / seconds:.1f} per second")
    return int(any(trip.problems for trip in trips))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trips", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--trace", action="store_true", help="show every operation")
    parser.add_argument("--faults", default="", help=f"only these of: {','.join(FAULTS)}")
    return parser.parse_args()


def _played(first: int, count: int, workers: int, kinds: tuple[str, ...]) -> Iterator[Trip]:
    """Deal the seeds out project by project, since those of one project share a reference."""
    seeds = range(first, first + count)
    projects = sorted({seed // PER_PROJECT for seed in seeds})
    jobs = [
        ([seed for seed in seeds if seed // PER_PROJECT == number], kinds) for number in projects
    ]
    done = 0
    # Forked, so that a worker is up at once: it has one thread, and so has this process.
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for trips in pool.imap(_of_one_project, jobs):
            yield from trips
            done += len(trips)
            if done % 1000 < len(trips):
                sys.stderr.write(f"{done} of {count}\n")


def _of_one_project(job: tuple[list[int], tuple[str, ...]]) -> list[Trip]:
    seeds, kinds = job
    with tempfile.TemporaryDirectory(dir=_in_memory()) as folder:
        player = RoundTrips(Path(folder))
        return [player.play(seed, kinds) for seed in seeds]


def _folder() -> Path:
    return Path(tempfile.mkdtemp(dir=_in_memory()))


def _in_memory() -> str | None:
    """Return a folder in memory where there is one: what is tested is not the disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - the folder is unique


def _tell(trips: list[Trip], faults: str) -> None:
    for kind in FAULTS:
        some = [trip for trip in trips if trip.fault.kind == kind]
        if some:
            _say(f"{kind:<18}{_summary(some)}")
    refusals = Counter(refusal for trip in trips for refusal in trip.refusals)
    for text, count in refusals.most_common(_SHOWN):
        _say(f"refused in the end {count:5}  {text}")
    for place in sorted({place for trip in trips for place in trip.bypasses}):
        _say(f"past pycyto.files: {place}")
    sorts = Counter(sort for trip in trips for sort in {problem.sort for problem in trip.problems})
    for sort, count in sorts.most_common():
        _say(f"{count:6} trips: {sort}")
    for trip in [trip for trip in trips if trip.problems][:_SHOWN]:
        sort, text = trip.problems[0]
        only = f" --faults '{faults}'" if faults else ""
        _say(f"{sort}: {text.strip().splitlines()[-1]}")
        _say(f"    python -m benchmarks.faults --seed {trip.seed} --trace{only}")


def _summary(trips: list[Trip]) -> str:
    ended = Counter(_how(trip) for trip in trips)
    words = ", ".join(f"{count} {how}" for how, count in ended.most_common())
    bad = sum(bool(trip.problems) for trip in trips)
    return f"{len(trips):6} trips, {bad} with a problem; the step: {words}"


def _how(trip: Trip) -> str:
    if not trip.fired and trip.fault.blow.kind != "none":
        return "not reached"
    if trip.faulted in ("done", "killed", "interrupted"):
        return trip.faulted
    return f"refused ({trip.faulted})" if trip.faulted else "not reached"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
