"""What a comparison of readers found, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pycyto.evaluation.intervals import MIN_GROUPS, Estimate
from pycyto.evaluation.words import between, in_brackets, number, percent, percent_between
from pycyto.labels import counted

if TYPE_CHECKING:
    from pycyto.evaluation.readers import AgainstConsensus, Agreement
    from pycyto.evaluation.reading_report import ReadingReport


def summary(report: ReadingReport) -> list[str]:
    """Return the report in a few sentences, what is most dangerous first."""
    people = [own for own in report.against if not own.reader.is_model]
    models = [own for own in report.against if own.reader.is_model and not own.reader.trained_on]
    measured = [text for own in (*people, *models) for text in _measured(own, report)]
    agreeing = [*_between(report), *map(_within, report.within)]
    told = [*measured, *agreeing] if report.is_proficiency else [*agreeing, *measured]
    return [text for text in (*told, *_labels(report)) if text]


def cautions(report: ReadingReport) -> list[str]:
    """Return what these figures cannot say, and what is missing."""
    return [*_flattery(report), *_missing(report), *_few(report)]


def _between(report: ReadingReport) -> Iterator[str]:
    pairs = report.between_people
    least, most = report.labels[0], report.labels[-1]
    opposite = sum(pair.cross[0][-1] + pair.cross[-1][0] for pair in pairs)
    if opposite:
        times = counted(opposite, "time") if len(pairs) > 1 else counted(opposite, "cell")
        yield f"One reader said {least} where another said {most}: {times}."
    if report.mean is not None:
        yield (
            f"Over the {report.mean.pairs} pairs of readers the mean raw agreement is "
            f"{_percent(report.mean.agreement)}, the mean quadratic-weighted kappa "
            f"{_with_interval(report.mean.kappa)}."
        )
    elif pairs:
        yield _pair(pairs[0])


def _pair(pair: Agreement) -> str:
    if not pair.cells:
        return f"There is no cell that both {pair.first} and {pair.second} have called yet."
    return (
        f"{pair.first} and {pair.second} called {counted(pair.cells, 'cell')} both, "
        f"{pair.agreement.count} of them {in_brackets(pair.agreement)} the same. Their "
        f"quadratic-weighted kappa is {_with_interval(pair.kappa)}."
    )


def _within(pair: Agreement) -> str:
    if not pair.cells:
        return ""
    return (
        f"Of {counted(pair.cells, 'cell')} that {pair.first} was shown a second time, "
        f"{pair.agreement.count} {in_brackets(pair.agreement)} were called the same again."
    )


def _measured(own: AgainstConsensus, report: ReadingReport) -> Iterator[str]:
    name, figures = own.reader.name, own.figures
    if figures is None:
        return
    least, most = report.labels[0], report.labels[-1]
    miss, hits = figures.worst_miss, figures.classes[-1].recall
    if hits.of:
        yield (
            f"Of {counted(hits.of, 'cell')} with the label {most}, {name} called {hits.count} "
            f"{in_brackets(hits)} {most} and {miss.count} {least}."
        )
    if report.is_proficiency:
        yield (
            f"Over {counted(figures.n, 'cell')} the quadratic-weighted kappa of {name} and the "
            f"labels is {_with_interval(figures.kappa)}."
        )


def _labels(report: ReadingReport) -> Iterator[str]:
    if report.is_proficiency:
        return
    found = report.consensus
    yield (
        f"{found.labelled} of {counted(found.cells, 'cell')} have a label: {found.agreed} on which "
        f"all readers agreed, {found.consensus} by consensus, {found.adjudicated} by adjudication."
    )
    if found.open:
        yield f"{_cells_are(found.open)} open: the readers have not come to a label yet."
    if found.unread:
        yield f"{_cells_are(found.unread)} not read by everybody yet."


def _flattery(report: ReadingReport) -> Iterator[str]:
    if report.against and not report.is_proficiency:
        yield (
            "The labels were made of these readers' own calls, so a comparison with them flatters "
            "the readers, though not the model."
        )
    for own in report.against:
        if own.reader.trained_on:
            yield (
                "What the model says of cells that it was trained on proves nothing: "
                "they stand apart, and in no comparison with a reader."
            )


def _missing(report: ReadingReport) -> Iterator[str]:
    behind = [f"{own.reader} {own.left} of {own.to_read}" for own in report.progress if own.left]
    if behind:
        yield f"Not read yet: {', '.join(behind)}. The figures are of what was read."
    for own in report.against:
        if own.not_called and not own.reader.is_model:
            yield (
                f"{counted(own.not_called, 'cell')} with the label {report.labels[-1]} skipped, "
                f"flagged or not read by {own.reader.name}: no sensitivity counts these."
            )
    if report.model is not None and report.model.missing:
        yield (
            f"{_cells_are(report.model.missing)} without a prediction in the run "
            f"{report.model.run}: the model's figures leave them out."
        )
    if report.gone:
        yield (
            f"{_cells_are(len(report.gone))} no longer in the project: their reads count "
            "here, but no label of theirs can be exported."
        )
    for reason, count in report.unpictured.items():
        yield f"{_cells_are(count)} shown without a picture: {reason}."


def _few(report: ReadingReport) -> Iterator[str]:
    groups = sum(report.groups.values())
    if groups < MIN_GROUPS:
        yield (
            f"The cells are of {groups} patients, slides or images only: below {MIN_GROUPS} no "
            "interval is shown, and chance alone can move these figures a lot."
        )


def _with_interval(found: Estimate) -> str:
    known = f" (95 % interval {between(found)})" if found.interval else ""
    return f"{number(found)}{known}"


def _percent(found: Estimate) -> str:
    known = f" (95 % interval {percent_between(found)})" if found.interval else ""
    return f"{percent(found)}{known}"


def _cells_are(count: int) -> str:
    return f"{counted(count, 'cell')} {'is' if count == 1 else 'are'}"
