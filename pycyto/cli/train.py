"""``pycyto train``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console
from pycyto.errors import UsageError

_NETWORKS = (
    "small", "mobilenetv2", "mobilenetv2-multi", "mobilenetv2-linear", "mobilenetv2-far",
    "resnet50", "efficientnetb0", "vgg16",
)  # fmt: skip


@click.command("train")
@click.argument("data", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Folder of the model bundle.")
@click.option(
    "--network",
    type=click.Choice(_NETWORKS),
    default="small",
    show_default=True,
    help="All have the paper's head but -linear and -far; 'small' learns from nothing.",
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
@click.option(
    "--unfreeze",
    metavar="N|none|paper",
    help="What learns in the second phase: the last N layers with weights; nothing; or the last "
    "two that Keras lists, weights or not.  [default: the last block]",
)
@click.option(
    "--views",
    type=click.IntRange(1),
    help="Random views of each patch that take turns while the backbone is frozen.  [default: 4]",
)
@click.option(
    "--balance",
    type=click.Choice(["weights", "sources", "oversample", "both", "none"]),
    default="weights",
    show_default=True,
    help="What makes rare classes count: weights in the loss, for each source by itself or not, or "
    "drawing their patches more often.",
)
@click.option(
    "--augmentation",
    type=click.Choice(["standard", "free", "orientations", "none"]),
    default="standard",
    show_default=True,
    help="Of training patches: standard rotates by up to 15 degrees, free by any angle; "
    "orientations are quarter turns and mirror images, nothing else.",
)
@click.option(
    "--label-smoothing",
    type=click.FloatRange(0, 0.5),
    default=0.0,
    show_default=True,
    help="So much of the truth is shared out among all classes, so that the model is less sure.",
)
@click.option(
    "--orientations",
    type=click.Choice(["1", "2", "4", "8"]),
    default="1",
    show_default=True,
    callback=lambda _context, _option, value: int(value),
    help="The model will answer with the mean over so many orientations of a patch.",
)
@click.option(
    "--colour",
    type=click.Choice(["none", "reinhard"]),
    default="none",
    show_default=True,
    help="Bring the colours of all patches to one target, here and wherever the model is used.",
)
@click.option(
    "--stats",
    type=click.Choice(["patch", "slide", "source"]),
    default="slide",
    show_default=True,
    help="Whose colours are brought there.",
)
@click.option(
    "--reference",
    type=click.Path(),
    help="Image whose tissue is the target.  [default: the source with most training patches]",
)
@click.option(
    "--calibrate",
    type=click.Choice(["temperature", "none"]),
    default="temperature",
    show_default=True,
    help="Make the model as sure as it is right, by one number fitted on the validation cells.",
)
@click.option(
    "--validation/--no-validation",
    "validate",
    default=True,
    help="Without, the validation part is learnt from too, and the mean of the weights over the "
    "last quarter of the epochs is kept; with --fold 0 besides, all folds are learnt from.",
)
@click.option(
    "--contact-sheet", type=click.Path(), help="Write a PNG of patches and their views here."
)
@click.option(
    "--cache", type=click.Path(), help="Folder for what a frozen backbone sees, used again."
)
@click.option("--restart", is_flag=True, help="Begin anew where a training was broken off.")
@click.option("--licence", default="", help="Under which the model may be used, for its card.")
@click.option("--overwrite", is_flag=True, help="Replace a bundle that is there.")
@click.pass_obj
def command(console: Console, /, data: str, unfreeze: str | None, **rest: Any) -> None:
    """Train a classifier on the training part of DATA.

    The validation part chooses the epoch (a linear head has none); nothing is learnt from the
    test part. After Ctrl-C the same command goes on after the last finished epoch.
    """
    from pycyto.steps.train import train

    train(data, unfreeze=layers(unfreeze), reporter=console, **rest)


def layers(text: str | None) -> Any:
    """Return a number of layers, or the word for some."""
    if text in (None, "none", "paper"):
        return text
    if not text.isdecimal():
        raise UsageError(
            f"--unfreeze {text} is neither a number of layers nor none or paper.",
            remedy="--unfreeze 3",
        )
    return int(text) or "none"
