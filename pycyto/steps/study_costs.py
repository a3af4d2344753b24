"""What a model of a study costs: memory, size, speed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from pycyto.learning.bundle import Bundle
from pycyto.learning.inference import keras_model
from pycyto.manifest import Row
from pycyto.records import SILENT, Reporter
from pycyto.steps.scored import classified_rows

_LOOKS_PER_SECOND = 5
# Patches that the speed is measured on.
_TIMED = 64


def costs_of(bundle: Bundle, data: Path, rows: Sequence[Row], reporter: Reporter) -> dict[str, Any]:
    """Return size and speed of a model, with all orientations and from pixels."""
    own = rows[:_TIMED]
    classified_rows(bundle, data, rows[:1], SILENT)
    _, seconds = classified_rows(bundle, data, own, reporter)
    return {
        "parameters": int(keras_model(bundle).count_params()),
        "patches_per_second": round(len(own) / seconds, 2),
        "patches": len(own),
    }


@dataclass(slots=True)
class Peak:
    """The largest resident memory of this process that was seen, in megabytes."""

    megabytes: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look until it is done."""
        process = psutil.Process()
        while True:
            self.megabytes = max(self.megabytes, round(process.memory_info().rss / 1e6, 1))
            if self.done.wait(1 / _LOOKS_PER_SECOND):
                return


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Watch the memory of this process."""
    peak = Peak()
    watcher = threading.Thread(target=peak.watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak.done.set()
        watcher.join()
