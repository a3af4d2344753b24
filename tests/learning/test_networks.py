"""Every network sees what it was trained on, has the one head, and starts from what it should."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycyto import files
from pycyto.errors import BadInputError, MissingDependencyError, UsageError
from pycyto.learning.backend import keras
from pycyto.learning.networks import FURTHEST, NETWORKS, backbone_of, build, network_named
from pycyto.learning.preprocessing import prepare
from pycyto.learning.weights import Published, default_weights, load_weights, origin_of

PRETRAINED = [name for name in NETWORKS if name != "small"]
MODULES = {
    "resnet50": "resnet50",
    "vgg16": "vgg16",
    "mobilenetv2": "mobilenet_v2",
    "mobilenetv2-multi": "mobilenet_v2",
    "mobilenetv2-linear": "mobilenet_v2",
    "mobilenetv2-far": "mobilenet_v2",
    "efficientnetb0": "efficientnet",
}


@cache
def built(name: str) -> Any:
    return build(name, 4)


@pytest.fixture
def pixels() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", PRETRAINED)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_preprocessing_is_the_one_of_keras_applications(name: str, dtype: str, pixels: Any) -> None:
    start = keras().Input((224, 224, 3))
    model = keras().Model(start, prepare(start, NETWORKS[name].preprocessing))
    reference = getattr(keras().applications, MODULES[name]).preprocess_input
    expected = reference(pixels.astype("float32"))
    np.testing.assert_allclose(model.predict_on_batch(pixels.astype(dtype)), expected, atol=1e-5)


def test_small_sees_zero_to_one() -> None:
    start = keras().Input((1, 1, 3))
    model = keras().Model(start, prepare(start, NETWORKS["small"].preprocessing))
    seen = model.predict_on_batch(np.array([[[[0, 51, 255]]]], np.uint8))
    np.testing.assert_allclose(seen.ravel(), [0, 0.2, 1], atol=1e-6)


LINEAR = [name for name, network in NETWORKS.items() if network.is_linear]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in LINEAR])
def test_all_have_one_head(name: str) -> None:
    model = built(name)
    assert model.input_shape == (None, 224, 224, 3)
    assert model.output_shape == (None, 4)
    pool = ["GlobalAveragePooling2D"]
    if NETWORKS[name].taps:
        pool = ["Concatenate", "BatchNormalization"]
    head = [type(layer).__name__ for layer in model.layers[-3 - len(pool) :]]
    assert head == [*pool, "Dense", "Dropout", "Dense"]
    assert (model.layers[-3].units, model.layers[-2].rate) == (256, 0.5)


@pytest.mark.parametrize("name", LINEAR)
def test_but_for_the_linear_ones(name: str) -> None:
    model = built(name)
    assert (model.input_shape, model.output_shape) == ((None, 224, 224, 3), (None, 4))
    head = [type(layer).__name__ for layer in model.layers[-4:]]
    assert head == ["Concatenate", "BatchNormalization", "Activation", "Dense"]


def test_a_linear_head_is_given_nothing_far_from_the_mean() -> None:
    model = built("mobilenetv2-linear")
    given = np.array([[-9.0, -FURTHEST, -1.5, 0.0, 1.5, FURTHEST, 9.0]], np.float32)
    found = np.asarray(model.get_layer("clipped")(given))
    np.testing.assert_array_equal(found, np.clip(given, -FURTHEST, FURTHEST))


def test_rows_are_probabilities_and_uint8_equals_float(pixels: Any) -> None:
    found = built("small").predict_on_batch(pixels)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(found, built("small").predict_on_batch(pixels.astype("float32")))


def test_the_seed_decides_the_start() -> None:
    first, again, other = (build("small", 2, seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))


def test_a_misspelt_network_is_guessed() -> None:
    with pytest.raises(UsageError, match="Did you mean 'resnet50'"):
        build("ResNet-50", 4)


def test_small_has_no_published_weights() -> None:
    assert default_weights("small") == "none"
    assert {default_weights(name) for name in PRETRAINED} == {"imagenet"}
    with pytest.raises(UsageError, match="learns from nothing"):
        build("small", 4, weights="imagenet")


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Path]], None]:
    """Put something else in place of Keras' download."""
    from keras.src.utils import file_utils

    return lambda get: monkeypatch.setattr(file_utils, "get_file", get)


@pytest.mark.parametrize("name", PRETRAINED)
def test_imagenet_weights_that_cannot_be_had_are_named(
    name: str, downloads: Callable[[Callable[..., Path]], None]
) -> None:
    asked, sums = [], []

    def fail(fname: str, *args: object, file_hash: str = "", **kwargs: object) -> Path:
        asked.append(fname)
        sums.append(file_hash)
        # Keras raises no other class for a failed download.
        raise Exception("URL fetch failure")  # noqa: TRY002

    downloads(fail)
    with pytest.raises(MissingDependencyError) as raised:
        build(name, 4, weights="imagenet")
    published = network_named(name).published
    assert published
    # The sums by which Keras checks what it has downloaded.
    assert (asked, sums) == ([published.file], [published.md5])
    assert (published.md5 or "no checksum") in str(raised.value)
    assert str(raised.value.where).endswith(f"models/{asked[0]}")
    assert "--weights FILE" in str(raised.value)


def test_efficientnet_sees_what_keras_gives_its_imagenet_weights(
    tmp_path: Path, pixels: Any, downloads: Callable[[Callable[..., Path]], None]
) -> None:
    """Keras builds another graph for weights="imagenet"; a bundle must not depend on that."""
    options = {"include_top": False, "input_shape": (224, 224, 3)}
    published = keras().applications.EfficientNetB0(weights=None, **options)
    normalisation = published.layers[2]
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    normalisation.set_weights([np.array(mean), np.array(deviation), np.array(0)])
    path = tmp_path / "published.weights.h5"
    published.save_weights(path)

    downloads(lambda *args, **kwargs: path)
    expected = after_first_convolution(
        keras().applications.EfficientNetB0(weights="imagenet", **options), pixels
    )
    for weights in ("imagenet", str(path)):
        backbone = backbone_of(build("efficientnetb0", 4, weights=weights))
        found = after_first_convolution(backbone, pixels)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not np.allclose(after_first_convolution(published, pixels), expected, atol=1e-2)


def test_a_file_of_imagenet_weights_that_is_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    published = network_named("vgg16").published
    assert published
    published.place.parent.mkdir()
    published.place.write_bytes(b"a download that broke off")
    with pytest.raises(BadInputError, match=f"that one's is {published.md5}") as raised:
        build("vgg16", 4, weights="imagenet")
    assert raised.value.where == str(published.place)
    own = hashlib.md5(published.place.read_bytes()).hexdigest()
    replace(published, md5=own).check()
    origin = origin_of("imagenet", published)
    assert origin == {
        "kind": "imagenet",
        "file": published.file,
        "sha256": files.sha256_of(published.place),
    }


def after_first_convolution(network: Any, pixels: Any) -> Any:
    stem = keras().Model(network.input, network.get_layer("stem_conv").output)
    return stem.predict_on_batch(pixels)


def test_a_file_of_weights_is_used_and_known_by_its_digest(tmp_path: Path) -> None:
    other = backbone_of(build("mobilenetv2", 4, seed=5))
    path = tmp_path / "some.weights.h5"
    other.save_weights(path)
    loaded = backbone_of(build("mobilenetv2", 4, weights=str(path), seed=6))
    assert all(map(np.array_equal, other.get_weights(), loaded.get_weights()))
    assert origin_of(str(path)).keys() == {"kind", "sha256"}


def test_a_wrong_file_of_weights_is_named(tmp_path: Path) -> None:
    small, text, model = (tmp_path / name for name in ("s.weights.h5", "t.h5", "m.keras"))
    backbone = backbone_of(built("mobilenetv2"))
    backbone_of(built("small")).save_weights(small)
    text.write_text("no weights")
    model.write_bytes(b"PK")
    for path, words in (
        (small, "does not hold weights of mobilenetv2"),
        (text, "does not hold weights of mobilenetv2"),
        (model, "must be a Keras .h5 file"),
        (tmp_path / "absent.h5", "no such weights file"),
    ):
        with pytest.raises(BadInputError, match=words) as raised:
            load_weights(backbone, "mobilenetv2", Published("MobileNetV2", ""), str(path))
        assert raised.value.where == str(path)
