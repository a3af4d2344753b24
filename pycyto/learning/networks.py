"""The networks that can be trained, and the head that they share."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any, Literal

from pycyto.errors import UsageError
from pycyto.learning.backend import keras, make_repeatable
from pycyto.learning.pooling import enlarged_middle, pooled
from pycyto.learning.preprocessing import prepare
from pycyto.learning.weights import Published, load_weights
from pycyto.manifest import PATCH_SIZE

INPUT_SHAPE = (PATCH_SIZE, PATCH_SIZE, 3)

# Width of the one dense layer between features and classes.
HEAD_UNITS = 256

# Names of layers: the part that sees, its last map, what ends it, and the part that decides.
BACKBONE = "backbone"
_LAST_MAP = "last_map"
POOL = "pool"
SCALED, CLASSES = "scaled", "classes"
_CLIPPED, _HIDDEN, _DROPOUT = "clipped", "hidden", "dropout"
HEAD_LAYERS = (SCALED, _CLIPPED, _HIDDEN, _DROPOUT, CLASSES)

# Of a linear head: standard deviations of a feature from its mean, beyond which cells of
# another laboratory may be, and the variance below which a feature says nothing.
FURTHEST = 2.0
_LEAST_VARIANCE = 1e-6

# Of a head's running mean and variance, which so are those of some thirty batches.
_SCALED_MOMENTUM = 0.95

# Filters of the small network, block by block.
_SMALL_FILTERS = (16, 32, 64, 128)

# With a few hundred patches an epoch has some ten batches: at Keras' 0.99 the
# running mean and variance would still be near their start values after it.
_SMALL_MOMENTUM = 0.9


@dataclass(frozen=True, slots=True)
class Network:
    """One row of the table.

    Attributes
    ----------
    preprocessing
        Key of `pycyto.learning.preprocessing.PREPROCESSINGS`.
    published
        Its ImageNet weights; none for the project's own network.
    last_block
        How the names of the layers begin that learn in the second phase. Every
        block named here has weights: the "top two layers" of the literature are,
        taken literally, an addition and an activation in ResNet50.
    taps
        Layers whose maps are pooled, over all of the patch and around its middle,
        at two scales; none: the last map alone is pooled, over all of the patch.
    head
        ``dense``: the one of the paper. ``linear`` and ``far``: see
        `pycyto.learning.linear_head`.
    """

    name: str
    preprocessing: str
    published: Published | None = None
    last_block: tuple[str, ...] = ()
    taps: tuple[str, ...] = ()
    head: Literal["dense", "linear", "far"] = "dense"

    @property
    def is_linear(self) -> bool:
        """Whether there is no hidden layer between features and classes."""
        return self.head != "dense"


_MOBILENETV2 = Network(
    "mobilenetv2",
    "centred",
    Published("MobileNetV2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
    ("block_16_", "Conv_1"),
)

_MOBILENETV2_MULTI = replace(
    _MOBILENETV2,
    name="mobilenetv2-multi",
    taps=("block_6_expand_relu", "block_13_expand_relu", "out_relu"),
)

NETWORKS = {
    network.name: network
    for network in (
        Network("small", "unit"),
        _MOBILENETV2,
        _MOBILENETV2_MULTI,
        replace(_MOBILENETV2_MULTI, name="mobilenetv2-linear", head="linear"),
        replace(_MOBILENETV2_MULTI, name="mobilenetv2-far", head="far"),
        Network(
            "resnet50",
            "caffe",
            Published(
                "ResNet50",
                "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
                "4d473c1dd8becc155b73f8504c6f6626",
            ),
            ("conv5_block3_",),
        ),
        Network(
            "efficientnetb0",
            "raw",
            Published(
                "EfficientNetB0", "efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"
            ),
            ("block7a_", "top_conv"),
        ),
        Network(
            "vgg16",
            "caffe",
            Published(
                "VGG16",
                "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                "6d6bbae143d832006294945121d1f1fc",
            ),
            ("block5_",),
        ),
    )
}


def network_named(name: str) -> Network:
    """Return a row of the table.

    Raises
    ------
    UsageError
        When there is no such network.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    near = difflib.get_close_matches(name.lower(), NETWORKS, 1)
    raise UsageError(
        f"There is no network {name!r}.",
        remedy=f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(NETWORKS)}.",
    )


def build(name: str, n_classes: int, *, weights: str = "none", seed: int = 0) -> Any:
    """Return a Keras model: patches in, one probability per class out.

    Input is (batch, 224, 224, 3), uint8 or float32, RGB from 0 to 255; output is
    (batch, `n_classes`) float32 whose rows add up to 1. The head is that of
    Coskun, Akuner and Kaplanoglu (2026): global average pooling, a dense layer of
    256 with ReLU, dropout of one half, softmax. Where several maps are pooled each
    feature is first brought to mean 0 and variance 1 over the training patches. A
    linear head has the softmax alone, and clips what it is given.

    Parameters
    ----------
    weights
        ``none``, ``imagenet``, or the path of a Keras weights file without top.
    seed
        Of the start values. Python's, NumPy's and TensorFlow's global generators
        are seeded with it.

    Raises
    ------
    UsageError
        Unknown network, or ImageNet weights asked for ``small``.
    BadInputError
        The weights file is not one for this network.
    MissingDependencyError
        The ImageNet weights are neither on this machine nor to be had.
    """
    network = network_named(name)
    make_repeatable(seed)
    backbone = _application(network.published) if network.published else _small()
    load_weights(backbone, network.name, network.published, weights)
    layers = keras().layers
    pixels = keras().Input(INPUT_SHAPE, dtype="float32", name="pixels")
    x = _features(backbone, network, prepare(pixels, network.preprocessing))
    x = _linear(x) if network.is_linear else _dense(x, scaled=bool(network.taps))
    x = layers.Dense(n_classes, activation="softmax", name=CLASSES)(x)
    return keras().Model(pixels, x, name=name)


def _dense(x: Any, *, scaled: bool) -> Any:
    """Return what the last layer of the paper's head is given."""
    layers = keras().layers
    if scaled:
        # Maps of different layers have different ranges.
        x = layers.BatchNormalization(
            momentum=_SCALED_MOMENTUM, center=False, scale=False, name=SCALED
        )(x)
    x = layers.Dense(HEAD_UNITS, activation="relu", name=_HIDDEN)(x)
    return layers.Dropout(0.5, name=_DROPOUT)(x)


def _linear(x: Any) -> Any:
    """Return features scaled and clipped, so that none alone decides in another laboratory."""
    layers = keras().layers
    x = layers.BatchNormalization(epsilon=_LEAST_VARIANCE, center=False, scale=False, name=SCALED)(
        x
    )
    return layers.Activation(_clipped, name=_CLIPPED)(x)


def _clipped(x: Any) -> Any:
    return keras().ops.clip(x, -FURTHEST, FURTHEST)


def _features(backbone: Any, network: Network, prepared: Any) -> Any:
    """Return what the head is given of a patch, (n, d)."""
    if not network.taps:
        return keras().layers.GlobalAveragePooling2D(name=POOL)(backbone(prepared))
    outputs = [backbone.get_layer(name).output for name in network.taps]
    tapped = keras().Model(backbone.input, outputs, name=BACKBONE)
    *early, last = tapped(prepared)
    last = keras().layers.Identity(name=_LAST_MAP)(last)
    return pooled([*early, last, *tapped(enlarged_middle(prepared))], POOL)


def last_map_of(model: Any) -> Any:
    """Return the last map of the whole patch in a built model, symbolic, (n, h, w, c)."""
    names = {layer.name for layer in model.layers}
    return model.get_layer(_LAST_MAP).output if _LAST_MAP in names else model.get_layer(POOL).input


def backbone_of(model: Any) -> Any:
    """Return the part of a built model that sees the pixels, without the head."""
    return model.get_layer(BACKBONE)


def _application(published: Published) -> Any:
    # Always without weights: with weights="imagenet" Keras builds another graph for
    # EfficientNet, and a bundle could not be rebuilt from the network's name.
    make = getattr(keras().applications, published.application)
    return make(include_top=False, weights=None, input_shape=INPUT_SHAPE, name=BACKBONE)


def _small() -> Any:
    """Four convolutions on the halved patch, 112 to 7 pixels: minutes on two cores.

    A nucleus is some thirty pixels wide, so half the resolution keeps its
    texture and costs a quarter of the time.
    """
    layers = keras().layers
    start = keras().Input(INPUT_SHAPE)
    x = layers.AveragePooling2D(2)(start)
    for number, filters in enumerate(_SMALL_FILTERS):
        stride = 2 if number == 0 else 1
        x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=_SMALL_MOMENTUM)(x)
        x = layers.ReLU()(x)
        if filters != _SMALL_FILTERS[-1]:
            x = layers.MaxPooling2D()(x)
    return keras().Model(start, x, name=BACKBONE)
