"""The figures of a study, from what its stages have left, and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pycyto import files, provenance
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import resampling
from pycyto.evaluation.measured import measured
from pycyto.evaluation.misleading import Misleading
from pycyto.evaluation.of_source import (
    KNOWN_GROUPS,
    NEW_GROUPS,
    OUT_OF_FOLD,
    TEST_PART,
    OfSource,
    mean_macro_f1,
    of_source,
)
from pycyto.evaluation.published import published
from pycyto.evaluation.study_page import (
    OfModel,
    OfNetwork,
    Sheet,
    StudyReport,
    Taken,
    as_html,
    as_json,
    told_in_card,
)
from pycyto.images.patches import read_patch
from pycyto.images.pictures import data_uri
from pycyto.labels import listed, scheme_named
from pycyto.learning.bundle import load_bundle
from pycyto.learning.evaluated import keep_evaluation
from pycyto.manifest import Row, read_manifest
from pycyto.records import CellKey
from pycyto.steps.cross_domain import CrossDomainResult
from pycyto.steps.evaluate import METRICS_FILE
from pycyto.steps.scored import read_scores
from pycyto.steps.study_file import TEST, NetworkSettings, Study
from pycyto.steps.study_misleading import misleading
from pycyto.steps.study_models import SCORES_FILE, Model
from pycyto.steps.study_parts import StudyParts, study_parts
from pycyto.steps.study_sources import DATA, Ready, Unseen, left_out, unseen
from pycyto.steps.study_stages import Stage

REPORT_FILE, FIGURES_FILE = "index.html", "study.json"
_PICTURE = 112


@dataclass(frozen=True, slots=True)
class Found:
    """What the stages of a study have left.

    Attributes
    ----------
    reasons
        Why a network was not measured, by name; empty where it was.
    """

    study: Study
    sources: Sequence[Ready]
    data: Stage
    models: Sequence[Model]
    evaluation: Stage
    matrices: CrossDomainResult | None
    reasons: Mapping[str, str]


def write_report(root: Path, found: Found) -> list[str]:
    """Write ``index.html`` and ``study.json`` of a study; return them in a few sentences."""
    report = _report(found)
    page = as_html(report)
    # The figures first: by them the next run knows a page as a report, also after a kill between.
    files.write_json(root / FIGURES_FILE, as_json(report))
    files.write_text(root / REPORT_FILE, page)
    _keep_in_bundles(found, report)
    return [
        *report.summary,
        *(f"Model {own.network.name}, seed {own.seed}: {own.bundle}" for own in found.models),
        f"Report: {root / REPORT_FILE}. Research use only.",
    ]


def _keep_in_bundles(found: Found, report: StudyReport) -> None:
    """Let the card of each model tell its figures on sources that were kept for the test."""
    data = {own.settings.name: own.data for own in found.sources}
    told = [model for network in report.networks for model in network.models]
    for model, figures in zip(found.models, told, strict=True):
        bundle = load_bundle(model.bundle)
        for own in figures.sources:
            if own.which == NEW_GROUPS:
                entry = {
                    "finished_at": report.provenance["finished_at"],
                    "inputs": {"manifest.csv": files.sha256_of(data[own.name] / "manifest.csv")},
                    "summary": [told_in_card(own)],
                    "limits": ["Cells of groups that it had learnt from are not among these."],
                    "figures": own.figures.to_json(),
                }
                keep_evaluation(bundle, entry)


def _report(found: Found) -> StudyReport:
    cells = _cells_of(found)
    asked = found.study.cross_domain
    models = [_of_model(model, cells, found.study.evaluation.seed) for model in found.models]
    evaluation = files.read_json(found.evaluation.folder / METRICS_FILE)
    return StudyReport(
        title=found.study.title,
        scheme=cells.scheme,
        sources=[_taken(own, cells) for own in found.sources],
        networks=[
            OfNetwork(
                own.name,
                [model for model in models if model.network == own.name],
                found.reasons[own.name],
            )
            for own in found.study.pooled
        ],
        evaluation=evaluation,
        misleading=[
            _misleading(own, found, cells, evaluation["leaking_variants"])
            for own in models[0].learnt
        ],
        matrices=found.matrices.matrices if found.matrices else [],
        by=asked.by if asked else "",
        crossing=found.matrices.network if found.matrices else "",
        papers=published(),
        atlas=_atlas(found, cells),
        provenance=_record(found),
    )


@dataclass(frozen=True, slots=True)
class _Cells:
    """All cells of a study.

    Attributes
    ----------
    rows
        Of each source, by its name in the study.
    parts
        Of the sources that are learnt from together.
    source
        Which of them each cell is of.
    unseen
        Of each source with the role test.
    """

    rows: Mapping[str, Sequence[Row]]
    parts: StudyParts
    source: Mapping[CellKey, str]
    unseen: Mapping[str, Unseen]

    @property
    def learnt(self) -> list[str]:
        """Names of the sources that are learnt from."""
        return [name for name in self.rows if name not in self.unseen]

    @property
    def scheme(self) -> str:
        """Name of the label scheme."""
        return self.parts.train[0].scheme


def _cells_of(found: Found) -> _Cells:
    rows = {own.settings.name: read_manifest(own.data) for own in found.sources}
    parts = study_parts(found.data.folder / DATA)
    labels = {row.label for row in parts.train}
    names = scheme_named(parts.train[0].scheme).names
    known = [name for name in names if name in labels]
    tested = [own.settings.name for own in found.sources if own.settings.role == TEST]
    return _Cells(
        rows=rows,
        parts=parts,
        # A cell that two sources have is of the first.
        source={
            row.key: name for name in reversed([*rows]) if name not in tested for row in rows[name]
        },
        unseen={name: unseen(rows[name], parts.learnt, known) for name in tested},
    )


def _of_model(model: Model, cells: _Cells, seed: int) -> OfModel:
    labels, scores = read_scores(model.answered.folder / SCORES_FILE)
    seeds = count(seed)

    def classified(rows: Iterable[Row]) -> Classified:
        known = [row for row in rows if row.key in scores]
        return Classified(
            np.array([labels.index(row.label) for row in known], np.int64),
            np.array([scores[row.key] for row in known], np.float32).reshape(-1, len(labels)),
            labels,
            # Other draws for each, so that means of sources are of independent ones.
            resampling([row.group for row in known], next(seeds)),
            _folds_of(known, cells.parts.fold),
        )

    fixing, tested = classified(cells.parts.fixing), classified(cells.parts.tested)
    which = TEST_PART if cells.parts.fold is None else OUT_OF_FOLD
    sources: list[OfSource] = []
    for name in cells.learnt:
        own = [row for row in cells.parts.tested if cells.source[row.key] == name]
        sources.append(of_source(name, which, classified(own), fixing))
    for name, found in cells.unseen.items():
        for which, rows in ((NEW_GROUPS, found.new), (KNOWN_GROUPS, found.known_groups)):
            if rows:
                sources.append(of_source(name, which, classified(rows), fixing))
    return OfModel(
        network=model.network.name,
        seed=model.seed,
        sources=sources,
        mean=mean_macro_f1([own for own in sources if own.name in cells.learnt]),
        named=measured(tested, fixing).named,
        costs=model.costs,
    )


def _folds_of(
    rows: Sequence[Row], fold: Mapping[CellKey, int] | None
) -> npt.NDArray[np.int64] | None:
    """Return the fold of each row; None where they are of no fold of this study."""
    if fold is None or any(row.key not in fold for row in rows):
        return None
    return np.array([fold[row.key] for row in rows], np.int64)


def _misleading(
    own: OfSource, found: Found, cells: _Cells, variants: Mapping[str, Any]
) -> Misleading:
    def of_it(rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if cells.source[row.key] == own.name]

    parts = cells.parts
    rows = {row.key: row for row in (*parts.learnt, *parts.tested)}
    return misleading(
        own, found.data.folder / DATA, of_it([*rows.values()]), of_it(parts.train),
        of_it(parts.tested), variants, found.study.evaluation.seed,
    )  # fmt: skip


def _taken(source: Ready, cells: _Cells) -> Taken:
    settings = source.settings
    rows = [row for row in cells.rows[settings.name] if row.label]
    left = cells.unseen.get(settings.name)
    return Taken(
        name=settings.name,
        kind=settings.kind,
        role=settings.role,
        cells=len(rows),
        groups=len({row.group for row in rows}),
        by_label=Counter(row.label for row in rows),
        skipped=left_out(source.data),
        same=left.same if left else 0,
        not_scored=left.other if left else {},
    )


def _atlas(found: Found, cells: _Cells) -> list[Sheet]:
    """Draw some cells of each class and source."""
    wanted, sheets = found.study.evaluation.atlas, []
    generator = np.random.default_rng(found.study.evaluation.seed)
    for source in found.sources if wanted else ():
        rows = cells.rows[source.settings.name]
        for label in scheme_named(cells.scheme).names:
            own = [row for row in rows if row.label == label]
            drawn = generator.permutation(len(own))[:wanted]
            pictures = [_picture(source.data, own[index]) for index in drawn]
            if own:
                sheets.append(Sheet(source.settings.name, label, len(own), pictures))
    return sheets


def _picture(data: Path, row: Row) -> str:
    small = Image.fromarray(read_patch(data, row)).resize(
        (_PICTURE, _PICTURE), Image.Resampling.BOX
    )
    return data_uri(np.asarray(small))


def _told(network: NetworkSettings) -> str:
    """Return how a network was trained, as far as its study file says so; paths hold names."""
    options = asdict(network)
    for key in ("name", "weights", "use"):
        del options[key]
    asked = [
        f"{key.replace('_', ' ')} {value}" for key, value in options.items() if value is not None
    ]
    return f"{network.name}: {listed(asked)}"


def _record(found: Found) -> dict[str, Any]:
    study = found.study
    arguments = {
        "networks": [_told(own) for own in study.network],
        "seeds": list(study.seeds),
        "fractions": None if study.split.folds else study.split.shares,
        "folds": study.split.folds,
        "seed of the split": study.split.seed,
        "colour": study.colour.method,
    }
    inputs = {own.settings.name: own.stage.output for own in found.sources}
    inputs |= {f"{own.network.name}, seed {own.seed}": own.trained.output for own in found.models}
    counts = {own.settings.name: len(read_manifest(own.data)) for own in found.sources}
    return provenance.record(
        "study", arguments, counts=counts, inputs=inputs, seed=study.evaluation.seed
    )
