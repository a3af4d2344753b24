"""The page of a bundle that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WIDTH = 12


def page(card: Mapping[str, Any], resolution: str) -> str:
    """Return ``README.txt`` for a bundle.

    Parameters
    ----------
    card
        The content of ``bundle.json``.
    resolution
        How patches must be cut, in words.
    """
    result = card["result"]
    lines = [
        f"pycyto bundle {card['bundle_id']}",
        "",
        card["intended_use"],
        "",
        f"Network      {card['network']}, started from {card['weights_origin']['kind']}",
        f"Classes      {', '.join(card['labels'])} ({card['scheme']})",
        f"Patches      {card['patch_size']} x {card['patch_size']} pixels RGB, {resolution}",
        f"Trained      {card['record']['finished_at']}, seed {card['seed']}",
        *_learning(card["settings"], result["backbone_weights_trained"]),
        f"Best epoch   {result['best_epoch']} of {result['epochs']}",
        f"Macro-F1     {result['validation_macro_f1']:.3f} on the validation cells, by which this",
        "             epoch was chosen: for an honest figure run pycyto evaluate.",
        "",
        *_table(card["counts"], card["labels"]),
        "",
        "Use it with pycyto predict and pycyto evaluate, --model and the path of this folder.",
        "Keep the files together and unchanged: their checksums are in bundle.json. Files named",
        "network.openvino may be added by pycyto predict; they can be deleted.",
        "No image, slide, patient, laboratory, project or folder is named in here. trained_on.txt",
        "holds digests of cell keys, so that predictions on cells that the model has seen can be",
        "told apart.",
    ]
    return "\n".join(lines) + "\n"


_BALANCES = {
    "weights": "rare classes count more in the loss",
    "oversample": "patches of rare classes were drawn more often",
    "both": "rare classes were drawn more often, and counted more in the loss",
    "none": "every patch counted alike",
}


def _learning(settings: Mapping[str, Any], backbone: Mapping[str, int]) -> list[str]:
    """Return how the network learnt, one line per phase."""
    phases = settings["phases"]
    lines = [
        f"up to {phase['epochs']} epochs at {phase['learning_rate']:g}, "
        f"{backbone[phase['name']]:,} weights of the backbone: {phase['name']}"
        for phase in phases
    ]
    if any(phase["unfrozen"] == "none" for phase in phases):
        lines.append(f"while the backbone was frozen, {settings['views']} views of each patch")
    lines.append(f"batches of {settings['batch_size']}; {_BALANCES[settings['balance']]}")
    how = settings["augmentation"]
    lines.append(
        f"views rotated by up to {how['rotation']:g} degrees, zoomed by up to {how['zoom']:.0%}; "
        f"blur {how['blur']:g} px,"
    )
    lines.append(
        f"noise {how['noise']:g} and brightness {how['brightness']:g} grey levels, "
        f"contrast {how['contrast']:.0%},"
    )
    lines.append(f"saturation {how['saturation']:.0%}, hue {how['hue']:g} degrees")
    heads = ["Learning", *[""] * (len(lines) - 1)]
    return [f"{head:13}{line}" for head, line in zip(heads, lines, strict=True)]


def _table(counts: Mapping[str, Mapping[str, int]], labels: list[str]) -> list[str]:
    head = "Cells".ljust(_WIDTH) + "".join(label.rjust(_WIDTH) for label in labels)
    rows = [
        part.ljust(_WIDTH) + "".join(str(by_class.get(label, 0)).rjust(_WIDTH) for label in labels)
        for part, by_class in counts.items()
    ]
    return [head, *rows]
