"""``pycyto runs``."""

from __future__ import annotations

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("runs")
@options.project_argument
@click.option("--prune", is_flag=True, help="Delete the snapshots of older runs.")
@click.option(
    "--snapshots",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="With --prune: so many runs, the newest, keep theirs.",
)
@click.pass_obj
def command(console: Console, /, project: str, *, prune: bool, snapshots: int) -> None:
    """List what was predicted in PROJECT, when, with which model, and where it is now.

    A run keeps QuPath's data as it was before the write, so that undo restores
    it byte for byte. Without that snapshot undo takes back object by object.
    """
    from pycyto.steps.runs import runs

    found = runs(project, snapshots=snapshots if prune else None, reporter=console)
    if not found:
        console.show("No runs yet: pycyto predict makes one.")
        return
    console.table(
        ("run", "state", "objects", "network", "model", "cells by predicted class"),
        [
            (
                run.name,
                run.state,
                run.objects,
                run.model["network"],
                run.model["bundle_id"],
                _listed(run.counts.get("by_class")),
            )
            for run in found
        ],
    )


def _listed(by_class: object) -> str:
    """Return how many cells are of each class; the counts may come from elsewhere."""
    if not isinstance(by_class, dict):
        return ""
    return ", ".join(f"{count} {label}" for label, count in by_class.items())
