"""``pycyto scripts``."""

from __future__ import annotations

import click

from pycyto.cli.console import Console


@click.group("scripts")
def command() -> None:
    """Show the Groovy scripts, or install them into QuPath."""


@command.command("list")
@click.pass_obj
def list_(console: Console) -> None:
    """Name the scripts and what each does."""
    from pycyto.steps.scripts import list_scripts, purpose_of

    for script in list_scripts():
        console.show(f"{script.name:<28}  {purpose_of(script)}")


@command.command("path")
@click.pass_obj
def path(console: Console) -> None:
    """Print the folder of the scripts."""
    from pycyto.steps.scripts import scripts_folder

    console.show(str(scripts_folder()))


@command.command("install")
@click.option("--user-dir", type=click.Path(), help="QuPath's user folder.  [default: ~/QuPath/v*]")
@click.pass_obj
def install(console: Console, user_dir: str | None) -> None:
    """Copy the scripts to where QuPath shows them: Automate, User scripts."""
    from pycyto.steps.scripts import install_scripts

    install_scripts(user_dir, reporter=console)
