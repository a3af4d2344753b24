"""``pycyto runs``."""

from __future__ import annotations

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("runs")
@options.project_argument
@click.pass_obj
def command(console: Console, /, project: str) -> None:
    """List what was predicted in PROJECT, when, with which model, and where it is now."""
    from pycyto.steps.runs import runs

    found = runs(project)
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
                ", ".join(f"{count} {label}" for label, count in run.counts["by_class"].items()),
            )
            for run in found
        ],
    )
