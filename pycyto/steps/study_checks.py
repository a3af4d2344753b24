"""What of a study cannot be made as its file has it, told before anything is computed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from pycyto.errors import (
    BadInputError,
    MissingDependencyError,
    PycytoError,
    RefusedError,
    UsageError,
    itemised,
)
from pycyto.images.colour import NO_COLOUR
from pycyto.labels import listed
from pycyto.learning.networks import network_named
from pycyto.learning.plan import default_settings
from pycyto.learning.weights import NONE
from pycyto.steps.ingest import Layout, reader_of_source
from pycyto.steps.study_file import WHAT, Places, SourceSettings, Study
from pycyto.steps.study_models import not_measured, start_of
from pycyto.steps.study_sources import DATA, reading_options
from pycyto.steps.study_stages import RECORD
from pycyto.steps.toml_tables import refuse

# What decides how a source is read, of those that are no published layout and no folder.
_READ_BY = {"project": {"mpp", "icc"}, "dataset": set[str]()}
_ALWAYS = {"name", "kind", "path", "role"}
# The file by which the folder of a source is known.
_HOLDS = {"project": "project.qpproj", "dataset": "manifest.csv"}
# What a study leaves in its folder.
_OURS = {
    "sources", "pooled", "folds", "models", "answers", "evaluation", "cross-domain", "index.html",
    "study.json", "study.toml",
}  # fmt: skip
# Of a network, what decides how it learns.
_LEARNING = (
    "epochs", "batch_size", "views", "unfreeze", "balance", "augmentation", "label_smoothing",
)  # fmt: skip


def demand(study: Study, file: Path, places: Places, root: Path) -> None:
    """Refuse a study that would fail later on: files that are not there, options that do not fit.

    Parameters
    ----------
    file
        The study file.
    root
        Folder of the study: a source that was taken in there before may be gone.

    Raises
    ------
    BadInputError
        It names all that is wrong.
    MissingDependencyError
        None of the networks has weights to start from.
    RefusedError, UsageError
        `root` is in use for something else, or inside a source.
    """
    _check_place(study, places, root)
    missing = list(_missing(study, places, root))
    wrong = [
        *_twice(study, places),
        *_unfit_sources(study, places),
        *_unfit_networks(study, places),
        *_unfit_colour(study),
    ]
    untrained = _untrained(study, places)
    if missing or wrong:
        remedy = f"{places.told} Name another folder with --from, or mend the path."
        told = [*missing, *wrong, *untrained]
        refuse(told, file, WHAT, remedy=remedy if missing or untrained else None)
    if untrained:
        raise MissingDependencyError(
            f"No network of this study can be trained:\n{itemised(untrained)}",
            where=file,
            remedy=f"{places.told} Name the folder of the weights with --from, put published ones "
            'where Keras keeps them (docs/training.md), or write weights = "none".',
        )


def _check_place(study: Study, places: Places, root: Path) -> None:
    """Refuse a folder that is not that of a study, so that nothing of somebody's is mixed up."""
    if root.exists() and not root.is_dir():
        raise UsageError("--out is a file; a study needs a folder.", where=root)
    for own in study.source:
        if root.resolve().is_relative_to(places.find(own.path).resolve()):
            raise UsageError(
                f"--out is inside the source {own.name}.",
                where=root,
                remedy="Choose a folder beside the sources.",
            )
    found = list(root.iterdir()) if root.exists() else []
    others = [path.name for path in found if path.name not in _OURS and path.name[0] != "."]
    if others and not any(root.glob(f"sources/*/{RECORD}")):
        raise RefusedError(
            f"--out is no folder of a study, and not empty: {listed(sorted(others)[:3])}"
            f"{', …' if len(others) > 3 else ''}.",
            where=root,
            remedy="Choose a new folder.",
        )


def _missing(study: Study, places: Places, root: Path) -> Iterator[str]:
    for own in study.source:
        taken_in = (root / "sources" / own.name / DATA).exists()
        path = places.find(own.path)
        if not path.exists():
            if not taken_in:
                hint = places.near(own.path)
                yield f"[[source]] {own.name}: path = {own.path!r} is not there.{hint}"
        elif not path.is_dir():
            yield f"[[source]] {own.name}: {path} is a file; the folder that holds it is wanted."
        elif (needed := _HOLDS.get(own.kind)) and not (path / needed).exists():
            yield f"[[source]] {own.name}: there is no {needed} in {path}."
        if own.table and not places.find(own.table).exists():
            yield f"[[source]] {own.name}: table = {own.table!r} is not there."
    reference = study.colour.reference
    if reference is not None and not places.find(reference).is_file():
        yield f"[colour]: reference = {reference!r} is not there."


def _twice(study: Study, places: Places) -> Iterator[str]:
    """Tell of sources that are one: their cells would be learnt from twice, or be no test."""
    named: dict[Path, list[str]] = defaultdict(list)
    for own in study.source:
        named[places.find(own.path).resolve()].append(own.name)
    for path, names in named.items():
        if len(names) > 1:
            yield f"The sources {listed(names)} are one folder ({path}). Leave all but one out."


def _unfit_sources(study: Study, places: Places) -> Iterator[str]:
    for own in study.source:
        for key in _of_no_use(own):
            yield f"[[source]] {own.name}: {key} means nothing to a {own.kind}. Leave it out."
        match own.kind:
            case "project" | "dataset":
                continue
            case layout:
                yield from _unread(own, layout, places)


def _unread(source: SourceSettings, layout: Layout, places: Places) -> Iterator[str]:
    """Tell why a published set or a folder cannot be read with its options."""
    if source.table and not places.find(source.table).exists():
        return  # told among what is missing
    try:
        reader_of_source(layout, places.find(source.path), **reading_options(source, places))
    except (BadInputError, UsageError) as error:
        yield f"[[source]] {source.name}: {_in_a_line(error)}"


def _of_no_use(source: SourceSettings) -> list[str]:
    """Return keys that were given and decide nothing."""
    read_by = _READ_BY.get(source.kind)
    if read_by is None:
        return []
    return [
        own.name
        for own in fields(source)
        if own.name not in _ALWAYS | read_by and getattr(source, own.name) != own.default
    ]


def _unfit_networks(study: Study, places: Places) -> Iterator[str]:
    for own in study.network:
        options: dict[str, Any] = {key: getattr(own, key) for key in _LEARNING}
        linear, pretrained = network_named(own.name).is_linear, start_of(own, places) != NONE
        if own.weights not in (None, NONE) and network_named(own.name).published is None:
            yield f"[[network]] {own.name}: this network starts from nothing. Leave weights out."
            continue
        start = Path(start_of(own, places))
        if start.is_file() and start.suffix != ".h5":
            yield f"[[network]] {own.name}: {start.name} is no Keras file of weights (.h5)."
        try:
            default_settings(pretrained=pretrained, linear=linear, **options)
        except UsageError as error:
            yield f"[[network]] {own.name}: {_in_a_line(error)}"


def _unfit_colour(study: Study) -> Iterator[str]:
    matrix = study.cross_domain.colour if study.cross_domain else ()
    if study.colour.reference and {study.colour.method, *matrix} == {NO_COLOUR}:
        yield (
            "[colour]: a reference is of no use where colours stay as they are. "
            'Write method = "reinhard", or leave the reference out.'
        )


def _untrained(study: Study, places: Places) -> list[str]:
    """Tell why no network can be trained; nothing where one can."""
    reasons = {own.name: not_measured(own, places) for own in study.pooled}
    if not all(reasons.values()):
        return []
    return [f"[[network]] {name}: {reason}." for name, reason in reasons.items()]


def _in_a_line(error: PycytoError) -> str:
    """Return an error about an option of a command as a sentence or two about keys of a file."""
    parts = (error.what, f"({error.where})" if error.where else "", error.remedy)
    text = " ".join(part for part in parts if part)
    return re.sub(r"--([a-z-]+)", lambda found: found[1].replace("-", "_"), text)
