"""Stages that are done once: each knows what it was made from, and is made anew when that changed.

``stage.json`` in the folder of a stage holds the digest of its settings and of its inputs, and,
when all is done, its output: a text that changes when what it made changes. Inputs are outputs of
other stages, so that a change goes as far as it matters, and no further.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from pycyto import files, provenance
from pycyto.errors import BadInputError, RefusedError
from pycyto.records import Reporter
from pycyto.steps.study_log import Inside, duration

RECORD = "stage.json"
# Stands for the output of a stage that is still to be made, in a rehearsal.
TO_DO = "to do"
GONE = "gone"

# Given its folder and a reporter, makes a stage, and returns its output.
Make = Callable[[Path, Reporter], str]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that was made, or is to be made.

    Attributes
    ----------
    output
        See the module.
    """

    name: str
    folder: Path
    output: str


@dataclass(slots=True)
class Stages:
    """The stages of one study.

    Attributes
    ----------
    reporter
        Is told of each stage when it begins and when it is done.
    dry_run
        Nothing is made; `redone` lists what would be.
    redone, kept
        Names of the stages that were made, and of those that were there.
    """

    root: Path
    reporter: Reporter
    dry_run: bool = False
    redone: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def run(
        self,
        name: str,
        settings: object,
        inputs: Mapping[str, str],
        make: Make,
        *,
        title: str = "",
        place: Path | None = None,
        goes_on: bool = False,
        keeps: bool = False,
    ) -> Stage:
        """Return a stage, made now unless it is there.

        Parameters
        ----------
        name
            Its folder below the study's.
        settings
            All that decides what is made, besides the inputs: dataclasses and plain values.
        inputs
            Outputs of other stages, and digests of files, by name. `GONE` stands for files that
            are no longer there: a finished stage with the same settings is then kept.
        make
            Given the folder and a reporter, makes what is in it, and returns the output.
        title
            What the user is told instead of the name.
        place
            Where the user has what it is made from, to be told as well.
        goes_on
            Whether `make` goes on itself with what an interrupted one has left.
        keeps
            Whether what is there stays until what is made anew is whole.

        Raises
        ------
        BadInputError
            The inputs are gone, and there is no finished stage to keep.
        RefusedError
            There is something in the folder that is no stage.
        """
        folder, title = self.root / name, title or name
        named = f"{title} ({place})" if place else title
        wanted = {
            "settings": _digest(settings),
            "inputs": {key: _short(value) for key, value in inputs.items()},
            "versions": provenance.version_of("pycyto"),
        }
        found = _record_in(folder)
        if _is_made(found, wanted):
            self.kept.append(name)
            self.reporter.say(f"{named}: done before, kept.")
            return Stage(name, folder, str(found["output"]))
        self.redone.append(name)
        if self.dry_run:
            self.reporter.say(f"{named}: {'to be made anew' if found else 'to be made'}.")
            return Stage(name, folder, TO_DO)
        gone = [key for key, value in inputs.items() if value == GONE]
        if gone:
            raise BadInputError(
                f"What the stage {name} is made from is gone: {', '.join(gone)}.",
                where=folder,
                remedy="Bring it back, or take it out of the study file.",
            )
        if not found and folder.exists() and any(folder.iterdir()):
            raise RefusedError(
                "There is something here that no study has made, and that this one would replace.",
                where=folder,
                remedy="Move it away, or choose another folder for the study.",
            )
        again = goes_on and _same(found, wanted)
        self.reporter.say(f"{named}: {'goes on' if again else 'begins'}.")
        record = {"stage": name, **wanted}
        if keeps:
            with files.making_folder(folder, replacing=True) as made:
                done = self._make(made, record, make)
        else:
            if not again:
                _empty(folder, record)
            done = self._make(folder, record, make)
        self.reporter.say(f"{title}: done in {duration(done['seconds'])}.")
        return Stage(name, folder, done["output"])

    def left_over(self) -> list[str]:
        """Return the names of finished stages in the folder that were not asked for this time."""
        found = [
            path.parent.relative_to(self.root).as_posix()
            for kind in ("sources", "folds/*", "models", "answers")
            for path in self.root.glob(f"{kind}/*/{RECORD}")
        ]
        return sorted(set(found) - {*self.redone, *self.kept})

    def _make(self, folder: Path, record: Mapping[str, Any], make: Make) -> dict[str, Any]:
        """Make what is in a stage's folder; return the record that is there then."""
        files.write_json(folder / RECORD, {**record, "output": None})
        started = time.monotonic()
        output = make(folder, Inside(self.reporter))
        seconds = round(time.monotonic() - started, 1)
        done = {**record, "output": output, "seconds": seconds, "finished_at": files.now()}
        files.write_json(folder / RECORD, done)
        return done


def _empty(folder: Path, record: Mapping[str, Any]) -> None:
    """Delete what an earlier stage left; killed on the way the folder still tells whose it is."""
    files.write_json(folder / RECORD, {**record, "output": None})
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            files.remove_folder(path)
        elif path.name != RECORD:
            files.remove(path)


def digest_of_folder(folder: Path, skip: Callable[[Path], bool] = lambda _: False) -> str:
    """Return a digest of the names, sizes and times of all files below a folder; `GONE` if gone."""
    if not folder.exists():
        return GONE
    paths = [folder] if folder.is_file() else files.files_below(folder)
    lines = []
    for path in paths:
        relative = path.relative_to(folder)
        if path.is_file() and not skip(relative):
            status = path.stat()
            lines.append(f"{relative.as_posix()} {status.st_size} {status.st_mtime_ns}")
    return _digest(lines)


def _is_made(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    if found.get("output") is None or found.get("settings") != wanted["settings"]:
        return False
    known = found.get("inputs", {})
    return (
        found.get("versions") == wanted["versions"]
        and all(value in (GONE, known.get(key)) for key, value in wanted["inputs"].items())
        and known.keys() == wanted["inputs"].keys()
    )


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(found.get(key) == value for key, value in wanted.items())


def _record_in(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    found = files.read_json(path) if path.exists() else {}
    if not isinstance(found, dict):
        raise BadInputError("This is no record of a stage.", where=path, remedy="Delete it.")
    return found


def _short(value: str) -> str:
    return value if value in (GONE, TO_DO) or len(value) <= 64 else _digest(value)


def _digest(value: object) -> str:
    text = json.dumps(value, default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
