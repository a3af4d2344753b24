"""A generated project on disk, and the steps of a round trip on it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np

from pycyto import Access, export, predict, undo
from pycyto.images.crop import Pixels
from pycyto.labels import BETHESDA
from pycyto.qupath.runs import Run, all_runs
from tests import stub_model
from tests.faults.generated import Generated, Objects, chance, edited, picture
from tests.faults.stand_in import StandIn

STEPS: Final = ("export", "predict", "load", "undo", "export again")
_COUNTS: Final = ("new", "kept", "relabelled", "removed")
GEOJSON: Final = Access(backend="geojson")


class World:
    """One project, its data set, and the stand-in for QuPath.

    Parameters
    ----------
    place
        A folder of its own; everything but the journal lies below ``place/seen``.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self.seen = place / "seen"
        self.folder = self.seen / "Prüfung 1"
        self.qupath = StandIn(self.folder, place / "journal")
        self.run = ""
        self.made: Generated

    def create(self, made: Generated) -> None:
        """Begin anew."""
        shutil.rmtree(self.seen, ignore_errors=True)
        self.made, self.run = made, ""
        _Clock.shift = timedelta()
        self.qupath.create(made)

    @property
    def uri(self) -> str:
        """Of the project's folder."""
        return self.folder.as_uri() + "/"

    @property
    def out(self) -> Path:
        """The data set."""
        return self.folder / "pycyto" / "patches" if self._inside else self.seen / "patches"

    @property
    def _inside(self) -> bool:
        return self.made.options.inside

    def step(self, name: str) -> dict[str, Any]:
        """Do a step and return what it says it did."""
        match name:
            case "export" | "export again":
                return self.export(self.out)
            case "export elsewhere":
                return self.export(self.seen / "elsewhere")
            case "predict":
                return self._predict()
            case "load":
                return dict(self.qupath.load(self.run))
            case "undo":
                result = undo(self.folder, self.run, yes=True, access=GEOJSON)
                return {"run": result.run.name, "restored": result.restored}
        raise ValueError(name)

    def export(self, out: Path) -> dict[str, Any]:
        """Export into a folder."""
        wanted = self.made.options
        result = export(
            self.folder,
            out=out,
            objects=wanted.objects,
            unclassified=wanted.unclassified,
            images=wanted.images,
            access=GEOJSON,
        )
        counts = {name: getattr(result, name) for name in _COUNTS}
        said = {"used": result.tally.used, "by_label": {**result.by_label}}
        return {"out": str(out), **said, **counts}

    def _predict(self) -> dict[str, Any]:
        wanted = self.made.options
        result = predict(
            self.folder,
            model="m",
            objects=wanted.objects,
            images=wanted.images,
            access=GEOJSON,
        )
        return {"run": result.run.name, "used": result.tally.used, "by_label": {**result.by_label}}

    def stored_runs(self) -> list[Run]:
        """Return the runs on disk."""
        return all_runs(self.folder / "pycyto")

    def take_newest_run(self) -> None:
        """Let the following steps be about the newest run, as a user would who names none."""
        found = [run for run in self.stored_runs() if run.state != "undone"]
        self.run = found[-1].name if found else ""

    def edit(self, rng: np.random.Generator, *, refresh: bool) -> None:
        """Work on in QuPath: change objects, save, and run export_cells.groovy or forget to."""
        for entry_id in sorted(self.made.objects):
            if chance(rng, 0.6):
                stale = not refresh and chance(rng, 0.3)
                objects = edited(rng, self._open_in_qupath(entry_id, stale=stale))
                self.qupath.save(entry_id, objects, by="expert")
                if refresh:
                    self.qupath.refresh(entry_id)

    def _open_in_qupath(self, entry_id: str, *, stale: bool) -> Objects:
        """Return what QuPath shows: if it has been open for long, what the expert saved last."""
        saves = [s for s in self.qupath.saves() if s.entry_id == entry_id and s.by == "expert"]
        return saves[-1].objects if stale else self.qupath.on_disk(entry_id)

    def replace_picture(self, rng: np.random.Generator) -> None:
        """Put another image of the same size in the place of one, as a second scan does."""
        from PIL import Image

        for path in sorted(self.folder.glob("images/*.png"))[:1]:
            with Image.open(path) as image:
                width, height = image.size
            path.write_bytes(picture(rng, width, height))

    def shift_clock(self, seconds: float) -> None:
        """Set the clock, and date every file as if it came from that time."""
        _Clock.shift = timedelta(seconds=seconds)
        then = time.time() + seconds
        for path in self.seen.rglob("*"):
            if path.is_file():
                os.utime(path, (then, then))


class _Clock(datetime):
    """A clock that somebody may set."""

    shift = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _Clock:
        moment = datetime.now(tz) + cls.shift
        return cls.fromtimestamp(moment.timestamp(), tz)


@contextlib.contextmanager
def stubbed(place: Path) -> Iterator[None]:
    """Put a model in place that needs no TensorFlow, and a clock that can be set.

    The user's own settings and QuPath stay out of it.
    """
    with (
        stub_model.in_place(_by_all_pixels),
        mock.patch("pycyto.settings.user_file", return_value=place / "no settings.toml"),
        mock.patch("pycyto.qupath.locate.find_qupath", return_value=None),
        mock.patch("pycyto.qupath.running.running", return_value=[]),
        mock.patch("pycyto.files.datetime", _Clock),
        mock.patch("pycyto.steps.export._WRITERS", 1),
    ):
        yield


def _by_all_pixels(patch: Pixels) -> stub_model.Probabilities:
    """Call the class by the pixels, so that another patch is another word."""
    digest = hashlib.sha256(patch.tobytes()).digest()
    weights = np.frombuffer(digest, np.uint8)[: len(BETHESDA.names)] + 1.0
    return np.asarray(weights / weights.sum())
