"""OpenVINO says what Keras says, of this bundle's weights and of no others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from pycyto.errors import MissingDependencyError, NotWritableError, RefusedError
from pycyto.learning import engines, openvino_engine
from pycyto.learning.bundle import EXPORT_FILES, Bundle, load_bundle
from pycyto.learning.engines import choose_engine
from pycyto.learning.inference import Probabilities, classify, keras_engine
from pycyto.learning.networks import NETWORKS, build
from pycyto.learning.openvino_engine import TOLERANCE, difference, seeded_patches
from pycyto.records import Silent

PATCHES = seeded_patches(6, seed=7)


class Heard(Silent):
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test leaves a key with whoever runs it."""
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(tmp_path / "home"))


@pytest.fixture
def bundle(copied: Path) -> Bundle:
    return load_bundle(copied)


# --- with OpenVINO ---------------------------------------------------------------------------


@pytest.fixture
def openvino() -> None:
    pytest.importorskip("openvino", reason='pip install "pycyto[openvino]"')


@pytest.mark.usefixtures("openvino")
def test_it_is_made_once_and_says_what_keras_says(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    first = choose_engine(bundle, "openvino", heard)
    assert [line.partition(";")[0] for line in heard.said] == [
        "OpenVINO's model is made from the weights",
        f"Computed by {first.name}.",
    ]
    probabilities = classify(bundle, PATCHES, engine=first, batch_size=4)
    assert probabilities.dtype == np.float32
    assert difference(probabilities, classify(bundle, PATCHES)) <= TOLERANCE
    # With the kept one neither the weights nor Keras are looked at again.
    monkeypatch.setattr(openvino_engine, "keras_model", None)
    second = choose_engine(load_bundle(bundle.path), "auto", heard)
    np.testing.assert_array_equal(
        classify(bundle, PATCHES, engine=second, batch_size=4), probabilities
    )
    assert len(heard.said) == 3
    assert second.name == first.name
    assert first.name.startswith("OpenVINO 20")


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("network", sorted(set(NETWORKS) - {"vgg16", "small"}))
def test_every_kind_of_network_is_taken_over(network: str) -> None:
    """VGG16 has layers of the same kinds as ResNet50 and half a gigabyte of numbers."""
    model = build(network, 3, seed=5)
    run = openvino_engine.compiled(openvino_engine.exported_from(model))
    found = run(PATCHES[:2])
    assert found.shape == (2, 3)
    assert difference(found, np.asarray(model.predict_on_batch(PATCHES[:2]))) <= TOLERANCE


@pytest.mark.usefixtures("openvino")
def test_it_computes_in_float32_on_every_processor(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer ones would take bfloat16, which this one may not even have."""
    from pycyto.learning.inference import keras_model

    exported = openvino_engine.exported_from(keras_model(bundle))
    assert b'element_type="f16"' not in exported.graph
    given: list[dict[str, str]] = []
    core = openvino_engine.library().Core
    compile_model = core.compile_model

    def watched(self: object, model: object, device: str, hints: dict[str, str]) -> object:
        given.append(hints)
        return compile_model(self, model, device, hints)

    monkeypatch.setattr(core, "compile_model", watched)
    openvino_engine.compiled(exported, threads=1)
    assert given[0]["INFERENCE_PRECISION_HINT"] == "f32"


@pytest.mark.usefixtures("openvino")
def test_the_export_names_no_folder(bundle: Bundle, copied: Path, tmp_path: Path) -> None:
    choose_engine(bundle, "openvino", Heard())
    for name in EXPORT_FILES:
        content = (copied / name).read_bytes()
        assert str(tmp_path).encode() not in content
        assert b"/tmp" not in content
        assert str(Path.home()).encode() not in content


@pytest.mark.usefixtures("openvino")
def test_a_model_that_disagrees_is_refused_and_not_kept(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = openvino_engine.exported_from(build("small", 2, seed=99))
    monkeypatch.setattr(openvino_engine, "exported_from", lambda _: other)
    with pytest.raises(RefusedError, match="other classes than Keras"):
        choose_engine(bundle, "openvino", Heard())
    assert not (bundle.path / EXPORT_FILES[0]).exists()
    heard = Heard()
    engine = choose_engine(bundle, "auto", heard)
    assert heard.said[-2].startswith("OpenVINO is not used: ")
    np.testing.assert_array_equal(engine.run(PATCHES), keras_engine(bundle).run(PATCHES))


@pytest.mark.usefixtures("openvino")
def test_a_bundle_that_cannot_be_written_is_used_all_the_same(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NotWritableError("This place cannot be written to.", where=bundle.path)

    monkeypatch.setattr(openvino_engine, "keep", refuse)
    heard = Heard()
    engine = choose_engine(bundle, "openvino", heard)
    assert difference(engine.run(PATCHES), keras_engine(bundle).run(PATCHES)) <= TOLERANCE
    assert "cannot be kept" in heard.said[1]


@pytest.mark.usefixtures("openvino")
def test_what_cannot_be_taken_over_is_said_in_words() -> None:
    with pytest.raises(MissingDependencyError, match="cannot take this network over"):
        openvino_engine.exported_from(object())


@pytest.mark.usefixtures("openvino")
def test_nothing_is_reported_to_its_makers(tmp_path: Path) -> None:
    """The package that does it is not even imported, though it is there."""
    fake = tmp_path / "openvino_telemetry"
    fake.mkdir()
    (fake / "__init__.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w').close()")
    plain = "import openvino"
    ours = "from pycyto.learning.openvino_engine import library; library().convert_model"
    made = []
    for code in (plain, ours):
        (tmp_path / "marker").unlink(missing_ok=True)
        path = os.pathsep.join([str(tmp_path), *sys.path])
        subprocess.run(
            [sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": path}
        )
        made.append((tmp_path / "marker").exists())
    assert made == [True, False]


# --- without it ------------------------------------------------------------------------------


@pytest.fixture
def _absent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    openvino_engine.library.cache_clear()
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    yield
    openvino_engine.library.cache_clear()


@pytest.mark.usefixtures("_absent")
def test_without_openvino_keras_computes_and_nothing_alarms(bundle: Bundle) -> None:
    heard = Heard()
    engine = choose_engine(bundle, "auto", heard)
    assert heard.said == [f"Computed by {engine.name}."]
    assert engine.name.startswith("Keras 3.")
    np.testing.assert_array_equal(engine.run(PATCHES), keras_engine(bundle).run(PATCHES))
    assert not (bundle.path / EXPORT_FILES[0]).exists()


@pytest.mark.usefixtures("_absent")
def test_asked_for_and_missing_it_says_how_to_install_it(bundle: Bundle) -> None:
    with pytest.raises(MissingDependencyError) as raised:
        choose_engine(bundle, "openvino", Heard())
    assert 'pip install "pycyto[openvino]"' in str(raised.value)


@pytest.mark.parametrize(
    ("gpu", "installed", "expected"),
    [(True, True, "Keras"), (False, True, "OpenVINO"), (False, False, "Keras")],
)
def test_auto_takes_what_is_quickest(
    gpu: bool, installed: bool, expected: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pycyto.learning.inference import Engine

    made = Engine("OpenVINO", lambda batch: np.zeros((len(batch), 2), np.float32))
    monkeypatch.setattr(engines, "has_gpu", lambda: gpu)
    monkeypatch.setattr(engines, "find_spec", lambda _: object() if installed else None)
    monkeypatch.setattr(engines, "openvino_engine", lambda *_: made)
    assert choose_engine(bundle, "auto", Heard()).name.startswith(expected)
    assert choose_engine(bundle, "keras", Heard()).name.startswith("Keras")


def rows(*probabilities: tuple[float, float]) -> Probabilities:
    return np.array(probabilities, np.float32)


def test_difference_is_infinite_where_classes_differ() -> None:
    assert difference(rows((0.5, 0.5)), rows((0.25, 0.75))) == float("inf")
    assert difference(rows((0.75, 0.25)), rows((0.5, 0.5))) == 0.25
    broken = difference(rows((np.nan, 1)), rows((0.5, 0.5)))
    assert not broken <= TOLERANCE


def test_seeded_patches_are_those_of_the_seed() -> None:
    assert PATCHES.dtype == np.uint8
    np.testing.assert_array_equal(PATCHES, seeded_patches(6, seed=7))
    assert (seeded_patches(6) != PATCHES).any()
