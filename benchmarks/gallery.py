"""How many keys a gallery review takes per cell, and how long a page takes.

Keys are those of a reviewer who knows the truth: the gallery's own pages and keys, without a
window. Pages are turned in QuPath's own window, on a display without a screen, and timed from
the key until all pictures are in their places; painting, which comes later, is not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pycyto import files
from pycyto.qupath.locate import Installation, find_qupath
from tests import reviewable_project
from tests.gallery_play import Gallery, Reviewer, drawn_cells
from tests.groovy_jar import groovy_command
from tests.qupath_fixtures import SCRIPTS
from tests.qupath_window import qupath_window

HERE = Path(__file__).parent
CELLS = 1000
WORDS = {
    "ready": "the next page after one that was looked at",
    "other": "the first page of the next class after one that was looked at",
    "hurried": "a page after one that was passed over",
}


def keys() -> None:
    """Print keys per cell, for cells that nobody had labelled and for those that somebody had."""
    gallery = Gallery(groovy_command())
    for labelled in (False, True):
        cells = drawn_cells(CELLS, wrong=0.15, above=0.1, labelled=labelled)
        gallery.start(cells)
        reviewer = Reviewer(gallery, cells)
        reviewer.review()
        wrong = sum(reviewer.decided[cell.cell_id] != cell.truth for cell in cells)
        print(
            f"{gallery.keys / CELLS:.2f} keys per cell (bound 1.3), {wrong} decided wrongly; "
            f"{CELLS} cells, 15 % called wrongly, 10 % with P(HSIL) above the threshold, "
            f"{'labelled by an expert before' if labelled else 'without labels'}"
        )
    gallery.close()


def pages(installation: Installation, work: Path) -> Mapping[str, Sequence[float]]:
    """Return the seconds of each page, in the sample project's 38 images."""
    project, home = work / "project", work / "home"
    reviewable_project.make(project, installation.folder, entries=None)
    home.mkdir()
    config, answer = home / "config.json", home / "answer.json"
    files.write_json(config, {"reviewer": "benchmark"})
    script = str(SCRIPTS / "gallery.groovy")
    files.write_json(
        home / "start.json", {"script": script, "config": str(config), "answer": str(answer)}
    )
    with qupath_window(installation.folder, project, HERE / "gallery_pages.groovy", home) as window:
        window.process.wait(timeout=600)
    found: Mapping[str, Sequence[float]] = files.read_json(answer)
    return found


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qupath", type=Path, help="folder of a QuPath")
    parser.add_argument("--only", choices=("keys", "pages"))
    given = parser.parse_args()
    if given.only != "pages":
        keys()
    if given.only == "keys":
        return
    installation = find_qupath(given.qupath)
    if installation is None:
        sys.exit("There is no QuPath: --qupath FOLDER.")
    with tempfile.TemporaryDirectory() as folder:
        times = pages(installation, Path(folder))
    print(f"QuPath {installation.version}, pages of 48 cells, from the key to the last picture:")
    for name, words in WORDS.items():
        told = " ".join(f"{1000 * seconds:.0f}" for seconds in times[name])
        print(f"{words}: at most {1000 * max(times[name]):.0f} ms (bound 500), each {told}")


if __name__ == "__main__":
    main()
