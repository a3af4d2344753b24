"""``pycyto demo``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("demo")
@click.option(
    "--out", type=click.Path(), default="pycyto-demo", show_default=True, help="Folder to make."
)
@click.option("--overwrite", is_flag=True, help="Replace what an earlier demo has left there.")
@options.seed_option
@options.qupath_options
@click.pass_obj
def command(console: Console, /, **rest: Any) -> None:
    """Walk through the whole flow on the sample project: no QuPath and no network needed."""
    from pycyto.steps.demo import demo

    access = options.access_from(rest)
    demo(access=access, reporter=console, **rest)
