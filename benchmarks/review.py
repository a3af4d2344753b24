"""How long the next cell of a review takes, in a slide of 100,000 objects against one of 1,000.

Both sides are the panel in QuPath's own window, on a display without a screen. A key is timed from
its event until the decision is on the disk, its class set, the next cell selected, and all that
the panel says of it is set; painting, which QuPath does later, is not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import bulk
from pycyto import files
from pycyto.qupath.headless import run_script
from pycyto.qupath.locate import Installation, find_qupath
from tests.qupath_window import qupath_window

HERE = Path(__file__).parent
WARM_UP = 40  # keys, while Java compiles what it runs often
KEYS = 200

Times = Mapping[str, Sequence[float]]


def keys(installation: Installation, work: Path, objects: int) -> Times:
    """Return the seconds of each key in a slide of so many objects: half are the expert's."""
    project = work / "project"
    bulk.part("prepare", installation, project, objects // 2)
    run_script(installation.folder, bulk.SCRIPTS / "import_predictions.groovy", project)
    home = work / "home"
    home.mkdir()
    config, answer = home / "config.json", home / "answer.json"
    files.write_json(config, {"reviewer": "benchmark", "save_after": 10**6})
    files.write_json(
        home / "start.json",
        {
            "script": str(bulk.SCRIPTS / "review.groovy"),
            "config": str(config),
            "keys": WARM_UP + KEYS,
            "answer": str(answer),
        },
    )
    script = HERE / "review_keys.groovy"
    with qupath_window(installation.folder, project, script, home) as window:
        window.process.wait(timeout=1800)
    found = files.read_json(answer)
    return {name: found[name][WARM_UP:] for name in ("decide", "move")} | {
        "close": [found["close"]]
    }


def main() -> None:
    """Print the 95th percentiles and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qupath", type=Path, help="folder of a QuPath")
    parser.add_argument("--objects", type=int, nargs=2, default=[1_000, 100_000])
    given = parser.parse_args()
    installation = find_qupath(given.qupath)
    if installation is None:
        sys.exit("There is no QuPath: --qupath FOLDER.")
    print(f"QuPath {installation.version}, {KEYS} keys of each kind")
    found = []
    for objects in given.objects:
        with tempfile.TemporaryDirectory() as folder:
            found.append(keys(installation, Path(folder), objects))
        slow = {name: float(np.percentile(found[-1][name], 95)) for name in ("decide", "move")}
        print(
            f"{objects:>7} objects: the next cell after a decision {1000 * slow['decide']:.1f} ms, "
            f"by an arrow {1000 * slow['move']:.1f} ms (95th percentile); "
            f"saving at the end {found[-1]['close'][0]:.1f} s"
        )
    for name in ("decide", "move"):
        few, many = (np.percentile(times[name], 95) for times in found)
        print(f"{name}: {many / few:.2f} times as long (bound 2), {1000 * many:.1f} ms (bound 100)")


if __name__ == "__main__":
    main()
