"""``pycyto train``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console

_NETWORKS = ("small", "mobilenetv2", "resnet50", "efficientnetb0", "vgg16")


@click.command("train")
@click.argument("data", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Folder of the model bundle.")
@click.option(
    "--network",
    type=click.Choice(_NETWORKS),
    default="small",
    show_default=True,
    help="All have the same head; 'small' learns from nothing.",
)
@click.option(
    "--weights",
    metavar="imagenet|none|PATH",
    help="What the network starts from.  [default: none for small, else imagenet]",
)
@click.option("--epochs", type=click.IntRange(1), help="Of each phase, at most.")
@click.option("--batch-size", type=click.IntRange(1), help="Patches per step.")
@options.fold_option
@options.seed_option
@click.option("--overwrite", is_flag=True, help="Replace a bundle that is there.")
@click.pass_obj
def command(console: Console, /, data: str, **rest: Any) -> None:
    """Train a classifier on the training part of DATA.

    The validation part chooses the epoch; the test part is not looked at.
    """
    from pycyto.steps.train import train

    train(data, reporter=console, **rest)
