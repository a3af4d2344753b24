"""Where a report may be written: never into a data set, nor over a page of somebody else's."""

from __future__ import annotations

from pathlib import Path

from pycyto import files
from pycyto.errors import BadInputError, RefusedError, UsageError

_PAGE = "index.html"


def check_report_folder(folder: Path, figures: str) -> None:
    """Refuse a folder in which a report would cover something.

    Parameters
    ----------
    figures
        Name of the JSON file that this kind of report has beside its page.

    Raises
    ------
    UsageError
        It is a data set.
    RefusedError
        There is a page without the figures of such a report, so that it is not one.
    """
    if (folder / "manifest.csv").exists():
        raise UsageError(
            "A report does not go into a data set.", where=folder, remedy="Name another folder."
        )
    ours = folder / figures
    for path in (folder / _PAGE, ours):
        if path.exists() and not _is_report(ours):
            raise RefusedError(
                "There is a file here that this command has not made, and would replace.",
                where=path,
                remedy="Name another folder, or move the file away.",
            )


def _is_report(figures: Path) -> bool:
    try:
        content = files.read_json(figures) if figures.exists() else None
    except BadInputError:
        return False
    return isinstance(content, dict) and "notice" in content
