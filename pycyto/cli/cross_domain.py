"""``pycyto cross-domain``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli.console import Console
from pycyto.cli.train import command as train_command
from pycyto.cli.train import layers
from pycyto.errors import UsageError

# What decides a training; the rest of train's options say what from and where to.
_TRAINING = {
    "network", "weights", "epochs", "batch_size", "seed", "unfreeze", "views", "balance",
    "augmentation", "label_smoothing", "orientations", "cache", "stats", "reference",
}  # fmt: skip


@click.command("cross-domain")
@click.argument("data", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Folder of the report.")
@click.option(
    "--by",
    type=click.Choice(["source", "scanner", "site", "preparation"]),
    default="source",
    show_default=True,
    help="What a domain is.",
)
@click.option(
    "--group",
    multiple=True,
    metavar="NAME=A,B",
    help="A name for several domains together; may be given more than once.",
)
@click.option(
    "--colour",
    type=click.Choice(["none", "reinhard"]),
    multiple=True,
    default=["none"],
    show_default=True,
    help="The matrix is made once with each; may be given more than once.",
)
@click.option(
    "--folds",
    is_flag=True,
    help="Test every cell, by a training that has not learnt from its fold (pycyto split --folds).",
)
@click.option("--identifiers", is_flag=True, help="Call sites by their names.")
@click.pass_obj
def command(
    console: Console, /, data: str, group: tuple[str, ...], unfreeze: str | None, **rest: Any
) -> None:
    """Train on each domain of DATA, on all, and on all but one; test on each.

    DATA is split: cells of its test part are tested on and never learnt from. What was done
    before an interruption is kept.
    """
    from pycyto.steps.cross_domain import cross_domain

    groups = dict(map(_group, group))
    cross_domain(data, group=groups, unfreeze=layers(unfreeze), reporter=console, **rest)


command.params += [option for option in train_command.params if option.name in _TRAINING]


def _group(text: str) -> tuple[str, list[str]]:
    name, equals, members = text.partition("=")
    if not (name and equals and members):
        raise UsageError(f"--group {text} is no group.", remedy="--group public=herlev,cric")
    return name, members.split(",")
