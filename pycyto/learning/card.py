"""The model card: the page of a bundle that people read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pycyto.images.colour import colour_from
from pycyto.labels import counted
from pycyto.learning.plan import LINEAR

_WIDTH = 12
_LINE = 90


def page(
    card: Mapping[str, Any], resolution: str, evaluations: Sequence[Mapping[str, Any]] = ()
) -> str:
    """Return ``README.txt`` for a bundle.

    Parameters
    ----------
    card
        The content of ``bundle.json``.
    resolution
        How patches must be cut, in words.
    evaluations
        See `pycyto.learning.evaluated.keep_evaluation`.
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
        *_profiles(icc=card.get("icc", False)),
        *_penalty(result.get("penalty")),
        *_colour(card.get("colour")),
        *_answers(card.get("orientations", 1)),
        *_calibrated(card.get("temperature", 1.0), result),
        *_best(result),
        f"Licence      {card.get('licence') or 'not stated: ask whoever made it'}",
        f"Made with    {_versions(card['record']['versions'])}",
        "",
        *_table(card["counts"], card["labels"]),
        "",
        *_audit(card.get("audit", {}).get("findings", ())),
        *_evaluated(evaluations),
        "Use it with pycyto predict and pycyto evaluate, --model and the path of this folder.",
        "Keep the files together and unchanged: their checksums are in bundle.json. Files named",
        "network.openvino may be added by pycyto predict, evaluation.json and figures in this file",
        "by pycyto evaluate.",
        "No image, slide, patient, laboratory, project or folder is named in here. trained_on.txt",
        "holds digests of cell keys, so that predictions on cells that the model has seen can be",
        "told apart.",
    ]
    return "\n".join(lines) + "\n"


def _answers(orientations: int) -> list[str]:
    if orientations == 1:
        return []
    return [f"Answers      the mean over {orientations} orientations of each patch"]


def _profiles(*, icc: bool) -> list[str]:
    if not icc:
        return []
    return ["Profiles     colours of images with an ICC profile are brought to sRGB by it first"]


def _colour(value: Mapping[str, Any] | None) -> list[str]:
    colour = colour_from(value)
    if colour is None:
        return []
    return [
        f"Colours      of each {colour.stats} brought to one target by Reinhard's method, in",
        f"             training and in use; bundle.json has the target ({colour.digest})",
    ]


def _is_validated(result: Mapping[str, Any]) -> bool:
    return result["validation_macro_f1"] is not None


def _is_linear(result: Mapping[str, Any]) -> bool:
    return result.get("penalty") is not None


def _calibrated(temperature: float, result: Mapping[str, Any]) -> list[str]:
    if temperature == 1:
        return []
    if not _is_validated(result):
        return [
            f"Calibrated   at a temperature of {temperature:.2f}, fitted on what models that had",
            "             learnt in the same way said of cells that they had not seen",
        ]
    fitted = f"Calibrated   at a temperature of {temperature:.2f}, fitted on the validation cells"
    if _is_linear(result):
        return [fitted]
    return [
        f"{fitted}, by",
        "             which the epoch was chosen too",
    ]


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {versions.get(name, '?')}" for name in ("pycyto", "keras", "python"))


def _audit(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "What an audit of the training data said:"
    yield from _listed([finding["what"] for finding in findings] or ["Nothing against its split."])
    yield ""


def _evaluated(evaluations: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not evaluations:
        yield "It has not been evaluated: for figures on cells that it has not seen run"
        yield "pycyto evaluate."
        yield ""
    for found in reversed(evaluations):
        yield f"Evaluated {found['finished_at']}:"
        yield from _listed(found["summary"])
        yield "Known failures and limits:"
        yield from _listed(found["limits"])
        yield ""


def _listed(sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        yield from textwrap.wrap(
            sentence, _LINE, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False
        )


_BALANCES = {
    "weights": "rare classes count more in the loss",
    "sources": "all sources, and in each all its classes, count alike in the loss",
    "oversample": "patches of rare classes were drawn more often",
    "both": "rare classes were drawn more often, and counted more in the loss",
    "none": "every patch counted alike",
}


def _learning(settings: Mapping[str, Any], backbone: Mapping[str, int]) -> list[str]:
    """Return how the network learnt, one line per phase."""
    phases = settings["phases"]
    lines = [
        f"{_pace(phase)}, {backbone[phase['name']]:,} weights of the backbone: {phase['name']}"
        for phase in phases
    ]
    balance = _BALANCES[settings["balance"]]
    if any(phase["name"] == LINEAR for phase in phases):
        return _headed([*lines, f"each patch as it is; {balance}"])
    if any(phase["unfrozen"] == "none" for phase in phases):
        views = counted(settings["views"], "view")
        lines.append(f"while the backbone was frozen, {views} of each patch")
    lines.append(f"batches of {settings['batch_size']}; {balance}")
    if settings.get("label_smoothing"):
        lines.append(
            f"{_per_cent(settings['label_smoothing'])} of the truth shared out among all classes"
        )
    how = settings["augmentation"]
    if how.get("in_order"):
        return _headed([*lines, "views are quarter turns and mirror images, nothing else"])
    if not any(how.values()):
        return _headed([*lines, "each patch as it is"])
    lines.append(
        f"views rotated by up to {how['rotation']:g} degrees, zoomed by up to "
        f"{_per_cent(how['zoom'])}; blur {how['blur']:g} px,"
    )
    lines.append(
        f"noise {how['noise']:g} and brightness {how['brightness']:g} grey levels, "
        f"contrast {_per_cent(how['contrast'])},"
    )
    lines.append(f"saturation {_per_cent(how['saturation'])}, hue {how['hue']:g} degrees")
    return _headed(lines)


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _headed(lines: Sequence[str]) -> list[str]:
    heads = ["Learning", *[""] * (len(lines) - 1)]
    return [f"{head:13}{line}" for head, line in zip(heads, lines, strict=True)]


def _best(result: Mapping[str, Any]) -> list[str]:
    if not _is_validated(result):
        return [] if _is_linear(result) else _averaged(result["epochs"])
    figure = f"Macro-F1     {result['validation_macro_f1']:.3f} on the validation cells"
    if _is_linear(result):
        return [f"{figure}, from which it has not learnt"]
    return [
        f"Best epoch   {result['best_epoch']} of {result['epochs']}",
        f"{figure}, by which this",
        "             epoch was chosen, so that it flatters",
    ]


def _averaged(epochs: int) -> list[str]:
    return [
        f"Epochs       {epochs}; no cells were kept aside to choose one by, so that the weights",
        "             are the mean over the last quarter of them",
    ]


def _penalty(penalty: float | None) -> list[str]:
    return [] if penalty is None else [f"Penalty      {penalty:g}, chosen by training cells alone"]


def _pace(phase: Mapping[str, Any]) -> str:
    if phase["name"] == LINEAR:
        return "fitted at once"
    return f"up to {phase['epochs']} epochs at {phase['learning_rate']:g}"


def _table(counts: Mapping[str, Mapping[str, int]], labels: list[str]) -> list[str]:
    head = "Cells".ljust(_WIDTH) + "".join(label.rjust(_WIDTH) for label in labels)
    rows = [
        part.ljust(_WIDTH) + "".join(str(by_class.get(label, 0)).rjust(_WIDTH) for label in labels)
        for part, by_class in counts.items()
    ]
    return [head, *rows]
