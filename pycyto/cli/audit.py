"""``pycyto audit``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("audit")
@click.argument("data", type=click.Path())
@options.fold_option
@click.pass_obj
def command(console: Console, /, data: str, **rest: Any) -> None:
    """Look for what would make figures on DATA flatter than they are.

    Patients, images, cells or pictures in more than one part; pictures that are
    nearly the same; classes that are missing; totals that do not add up; labels
    made with a model's help; patches that cannot be read.
    """
    from pycyto.steps.audit import audit

    audit(data, reporter=console, **rest)
