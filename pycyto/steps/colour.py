"""What normalisation does to the colours of a data set, for a pathologist to judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pycyto import files, locks, provenance
from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.evaluation.colour_page import (
    SCHEMA,
    OfSource,
    as_html,
    statistics_json,
)
from pycyto.evaluation.colour_verdicts import (
    JUDGEMENTS,
    VERDICTS_FILE,
    ColourVerdict,
    Judgement,
    add_verdict,
    read_verdicts,
)
from pycyto.evaluation.report import NOTICE
from pycyto.images.colour import KINDS, Colour, Kind
from pycyto.images.stain import FEWEST, reference_statistics
from pycyto.labels import counted
from pycyto.manifest import Row, read_manifest
from pycyto.parts import SPLIT_FILE
from pycyto.pseudonyms import pseudonyms_of
from pycyto.records import SILENT, Reporter, path_from
from pycyto.steps.colour_look import Looked
from pycyto.steps.colours import largest_source, target_for
from pycyto.steps.profiles import icc_of
from pycyto.steps.report_folder import check_report_folder
from pycyto.steps.training_cells import training_cells

REPORT_FILE, FIGURES_FILE, SHEETS_FILE = "index.html", "colour.json", "sheets.json"

_KIND = "pycyto colour"
_MAKE_AGAIN = "Make the page again: pycyto colour DATA --out FOLDER, and look at it."


@dataclass(frozen=True, slots=True)
class ColourResult:
    """What was made, or judged.

    Attributes
    ----------
    target
        Digest of the target and of whose colours are brought there.
    figures
        Content of ``colour.json``.
    verdicts
        All that were recorded in the folder, the oldest first.
    """

    report: Path
    target: str
    figures: Mapping[str, Any]
    verdicts: Sequence[ColourVerdict]


def colour(  # noqa: PLR0913 - each is an option of the command
    data: Path | str,
    *,
    out: Path | str,
    reference: Path | str | None = None,
    stats: Kind | None = None,
    cells: int = 6,
    seed: int = 0,
    identifiers: bool = False,
    verdict: Judgement | None = None,
    by: str | None = None,
    note: str | None = None,
    reporter: Reporter = SILENT,
) -> ColourResult:
    """Show colours before and after normalisation, or record the verdict on them.

    Parameters
    ----------
    data
        Folder with ``manifest.csv``.
    out
        Folder of ``index.html``, ``colour.json``, ``sheets.json`` and ``verdicts.csv``.
    reference
        Image whose tissue is the target; by default what `train` would choose.
    stats
        Whose colours are brought there: those of each ``patch``, ``slide`` (the default) or
        ``source``.
    cells
        So many of each class and source are shown.
    seed
        Of which are shown.
    identifiers
        Name sources and people instead of pseudonyms; the page is then confidential.
    verdict
        ``acceptable`` or ``not-acceptable``: record it, on the page that is in `out`. `reference`
        and `stats`, where they are given, must then be those of the page.
    by
        Who gives the verdict.
    note
        What they say about it.

    Raises
    ------
    UsageError
        Unknown verdict, nobody who gave it, or arguments that do not fit together.
    BadInputError
        No data set, a patch or a reference that cannot be used, or no page to judge.
    RefusedError
        The verdict would be on another target or on other patches than the page shows.
    """
    data, out = path_from(data), path_from(out)
    _check(verdict, by, note, cells)
    if verdict is None:
        check_report_folder(out, FIGURES_FILE)
    rows = read_manifest(data)
    if not rows:
        raise BadInputError("There is no cell in this data set.", where=data / "manifest.csv")
    if verdict is not None:
        said = _now(verdict, by, note)
        return _judge(data, out, said, reference, stats, reporter)
    read_verdicts(out)  # before minutes of work: a damaged file is told at once
    training = _training(data, rows, reporter) if reference is None else ()
    wanted = _colour(data, training, reference, stats, reporter)
    named = _names(data, rows, reporter, identifiers=identifiers)
    looked = Looked(data, rows, wanted, cells, seed, reporter, named)
    inputs = {"manifest.csv": files.sha256_of(data / "manifest.csv")}
    if reference is not None:
        inputs["reference"] = files.sha256_of(path_from(reference))
    split = (data / SPLIT_FILE).exists()
    patches = "training patches" if split else "patches"
    of = "the reference"
    if training:
        of = f"{named(largest_source(training))}, the source that has most {patches}"
    figures = _figures(looked.sources, rows, wanted, of, inputs, identifiers, seed)
    sheets = {"of": _of(figures), "sheets": looked.sheets()}
    with locks.locked(out):
        verdicts = read_verdicts(out)
        files.write_json(out / SHEETS_FILE, sheets)
        files.write_json(out / FIGURES_FILE, figures)
        _write(data, out, verdicts, reporter)
    _say(figures, reporter)
    reporter.say(f"Report: {out / REPORT_FILE}. {NOTICE}")
    return ColourResult(out / REPORT_FILE, wanted.digest, figures, verdicts)


def _check(verdict: str | None, by: str | None, note: str | None, cells: int) -> None:
    if verdict is None and (by is not None or note is not None):
        raise UsageError(
            "--by and --note belong to a verdict.", remedy=f"Add --verdict {'|'.join(JUDGEMENTS)}."
        )
    if verdict is not None and verdict not in JUDGEMENTS:
        raise UsageError(f"--verdict is {verdict!r}; it can be {', '.join(JUDGEMENTS)}.")
    if verdict is not None and not (by or "").strip():
        raise UsageError("Whose verdict is it?", remedy="Add --by NAME.")
    if cells < 1:
        raise UsageError(f"--cells is {cells}; one at least is shown.")


def _now(verdict: Judgement, by: str | None, note: str | None) -> ColourVerdict:
    """Return a verdict that does not say yet what it is on."""
    name, text = (" ".join((said or "").split()) for said in (by, note))
    return ColourVerdict(files.now(), name, verdict, text, "", "")


def _colour(
    data: Path,
    training: Sequence[Row],
    reference: Path | str | None,
    stats: Kind | None,
    reporter: Reporter,
) -> Colour:
    """Return the target that a training would choose."""
    if stats is not None and stats not in KINDS:
        raise UsageError(f"--stats is {stats!r}; it can be {', '.join(KINDS)}.")
    target = target_for(training, data, reference, reporter, icc=icc_of(data))
    return Colour(target, stats or "slide")


def _training(data: Path, rows: Sequence[Row], reporter: Reporter) -> Sequence[Row]:
    if (data / SPLIT_FILE).exists():
        return training_cells(data, None).parts["train"]
    reporter.warn(
        "This data set is not split: the target is of all its cells. That of a training is of "
        "the training part alone, so that it is another one."
    )
    return rows


def _figures(
    sources: Sequence[OfSource],
    rows: Sequence[Row],
    wanted: Colour,
    of: str,
    inputs: Mapping[str, str],
    identifiers: bool,  # noqa: FBT001 - written down, nothing more
    seed: int,
) -> dict[str, Any]:
    """Return the content of ``colour.json``; `of` says whose the target is."""
    target = wanted.target
    counts = {own.name: own.patches for own in sources}
    return {
        "schema": SCHEMA,
        "kind": _KIND,
        "notice": NOTICE,
        "identifiers": identifiers,
        "scheme": next((row.scheme for row in rows if row.scheme), ""),
        "target": {
            "digest": wanted.digest,
            "stats": wanted.stats,
            "of": of,
            **statistics_json(target),
        },
        "data": {"digest": inputs["manifest.csv"]},
        "fewest": FEWEST,
        "sources": [own.to_json(target) for own in sources],
        "seed": seed,
        "provenance": provenance.record(
            "colour", {"stats": wanted.stats}, counts=counts, inputs=inputs, seed=seed
        ),
    }


def _names(
    data: Path, rows: Sequence[Row], reporter: Reporter, *, identifiers: bool
) -> Callable[[str], str]:
    """Return what gives a source its name in the page, and tell the user what stands for what."""
    if identifiers:
        return lambda name: name
    pseudonyms = pseudonyms_of(data, reporter)
    for name in sorted({row.source for row in rows}):
        reporter.say(f"In the page {pseudonyms.of('source', name)} stands for {name}.")
    return lambda name: pseudonyms.of("source", name)


def _judge(
    data: Path,
    out: Path,
    said: ColourVerdict,
    reference: Path | str | None,
    stats: Kind | None,
    reporter: Reporter,
) -> ColourResult:
    """Record a verdict on the page that is in a folder."""
    if not (out / FIGURES_FILE).is_file():
        raise BadInputError(
            "There is no page here to give a verdict on.", where=out, remedy=_MAKE_AGAIN
        )
    with locks.locked(out):
        figures = _figures_in(out)
        target, digest = _of(figures)
        wanted = stats or figures["target"]["stats"]
        same = wanted == figures["target"]["stats"]
        if same and reference is not None:
            found = reference_statistics(path_from(reference), icc=icc_of(data))
            same = Colour(found, wanted).digest == target
        _demand(same, "colours at another target", out)
        _demand(files.sha256_of(data / "manifest.csv") == digest, "other patches", out)
        verdicts = add_verdict(out, replace(said, target=target, data=digest))
        _write(data, out, verdicts, reporter)
    reporter.say(f"Recorded: {said.verdict}, by {said.by}. {out / VERDICTS_FILE}")
    return ColourResult(out / REPORT_FILE, target, figures, verdicts)


def _demand(same: bool, what: str, out: Path) -> None:  # noqa: FBT001
    if not same:
        raise RefusedError(
            f"The page shows {what} than the verdict would be on; nothing was recorded.",
            where=out / REPORT_FILE,
            remedy=_MAKE_AGAIN,
        )


def _figures_in(out: Path) -> dict[str, Any]:
    figures = files.read_json(out / FIGURES_FILE)
    if not _is_ours(figures):
        raise BadInputError(
            "This is not what this version of pycyto colour writes.",
            where=out / FIGURES_FILE,
            remedy=_MAKE_AGAIN,
        )
    return dict(figures)


def _is_ours(figures: Any) -> bool:
    try:
        digests = _of(figures)
        known = (figures["kind"], figures["schema"]) == (_KIND, SCHEMA)
    except (KeyError, TypeError):
        return False
    return known and all(isinstance(digest, str) for digest in digests)


def _of(figures: Mapping[str, Any]) -> list[str]:
    """Return what tells whether pictures and figures are of one page."""
    return [figures["target"]["digest"], figures["data"]["digest"]]


def _write(data: Path, out: Path, verdicts: Sequence[ColourVerdict], reporter: Reporter) -> None:
    """Write the page of what is in the folder."""
    figures, drawn = _figures_in(out), files.read_json(out / SHEETS_FILE)
    shown = [asdict(one) for one in verdicts]
    if shown and not figures.get("identifiers"):
        pseudonyms = pseudonyms_of(data, reporter)
        shown = [{**one, "by": pseudonyms.of("annotator", one["by"])} for one in shown]
    try:
        # A command that was killed between the two has left them of two pages.
        page = as_html(figures, drawn["sheets"], shown) if drawn["of"] == _of(figures) else None
    except (KeyError, TypeError, ValueError):
        page = None
    if page is None:
        raise BadInputError(
            "The figures and the pictures in this folder make no page.",
            where=out,
            remedy=_MAKE_AGAIN,
        )
    files.write_text(out / REPORT_FILE, page)


def _say(figures: Mapping[str, Any], reporter: Reporter) -> None:
    for own in figures["sources"]:
        before, after = (own[when]["distance_to_target"] for when in ("before", "after"))
        moved = "no tissue" if before is None else f"{before:.1f} from the target, then {after:.1f}"
        left = own["left_as_they_were"]
        reporter.say(
            f"{own['source']}: {own['patches']} patches of "
            f"{counted(own['slides'], 'slide')}, {moved}; {left} left as they were."
        )
