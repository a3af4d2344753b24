"""The table of a run that says which adjudicated cells look most like each predicted one.

The form of the file is in docs/formats.md: the Groovy scripts read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pycyto import files
from pycyto.records import CellKey

SIMILAR_COLUMNS = (
    "object_id", "point_index", "rank", "label", "label_origin", "similarity", "same_slide", "file",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimilarCell:
    """One adjudicated cell beside a predicted one.

    Attributes
    ----------
    cell
        The predicted one: the expert's object, or the detection that is classified.
    rank
        1 for the most similar.
    similarity
        Cosine of the angle between the two cells' features.
    same_slide
        Whether both are from one slide.
    content_hash
        Of the adjudicated cell's patch.
    """

    cell: CellKey
    rank: int
    label: str
    label_origin: str
    similarity: float
    same_slide: bool
    content_hash: str


def similar_folder(run: Path) -> Path:
    """Return where a run keeps its similar cells."""
    return run / "similar"


def patch_file(content_hash: str) -> str:
    """Return where a patch is below `similar_folder`: named after its pixels and nothing else."""
    return f"patches/{content_hash}.png"


def write_similar(run: Path, entry_id: str, items: Iterable[SimilarCell]) -> None:
    """Write the table of one image."""
    with files.writing(similar_folder(run) / f"{entry_id}.csv") as stream:
        stream.write(files.csv_row(SIMILAR_COLUMNS))
        stream.writelines(files.csv_row(_row(item)) for item in items)


def _row(item: SimilarCell) -> tuple[object, ...]:
    return (
        item.cell.object_id, item.cell.point_index, item.rank, item.label, item.label_origin,
        item.similarity, int(item.same_slide), patch_file(item.content_hash),
    )  # fmt: skip
