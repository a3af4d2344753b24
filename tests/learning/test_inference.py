"""A bundle gives the probabilities that its model gave, in order, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels
from pycyto.learning.bundle import WEIGHTS_FILE
from pycyto.learning.features import extractor_of
from pycyto.learning.inference import (
    Engine,
    Probabilities,
    classify,
    over_orientations,
    seeing_engine,
)
from pycyto.learning.nearest import Features
from tests.learning.conftest import Saved
from tests.learning.patch_data import texture


@pytest.fixture(scope="module")
def pixels() -> list[Pixels]:
    return [texture(label, number) for label in ("NILM", "HSIL") for number in range(100, 103)]


def test_a_bundle_predicts_as_its_model_did(saved: Saved, pixels: list[Pixels]) -> None:
    found = classify(saved.bundle, pixels)
    assert found.shape == (6, 2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, saved.model.predict_on_batch(np.stack(pixels)))


def test_what_the_head_decides_on_is_shown_in_order(saved: Saved, pixels: list[Pixels]) -> None:
    seen: list[Features] = []
    engine = seeing_engine(saved.bundle, seen.append)
    found = classify(saved.bundle, pixels, engine=engine, batch_size=4)

    np.testing.assert_allclose(found, classify(saved.bundle, pixels, batch_size=4), atol=1e-6)
    assert [len(features) for features in seen] == [4, 2]
    expected = extractor_of(saved.model).predict_on_batch(np.stack(pixels))
    np.testing.assert_allclose(np.concatenate(seen), expected, atol=1e-5)


def test_over_orientations_features_are_shown_once_a_patch(
    saved: Saved, pixels: list[Pixels]
) -> None:
    bundle = replace(saved.bundle, orientations=2)
    seen: list[Features] = []
    classify(bundle, pixels, engine=seeing_engine(bundle, seen.append), batch_size=4)
    assert [len(features) for features in seen] == [4, 2]
    plain = np.stack(pixels)
    ways = [plain, plain[:, ::-1, ::-1].transpose(0, 2, 1, 3)]
    expected = np.mean([extractor_of(saved.model).predict_on_batch(way) for way in ways], axis=0)
    np.testing.assert_allclose(np.concatenate(seen), expected, atol=1e-5)


def test_the_batch_size_does_not_matter(saved: Saved, pixels: list[Pixels]) -> None:
    advances: list[int] = []
    found = classify(saved.bundle, pixels, batch_size=4, advance=advances.append)
    np.testing.assert_allclose(found, classify(saved.bundle, pixels), atol=1e-6)
    assert advances == [4, 2]


@pytest.mark.parametrize("number", [1, 2, 4, 8])
def test_probabilities_are_the_mean_over_orientations(
    number: int, saved: Saved, pixels: list[Pixels]
) -> None:
    seen: list[Pixels] = []

    def run(batch: Pixels) -> Probabilities:
        seen.append(batch)
        return np.full((len(batch), 2), len(seen), np.float32)

    bundle = replace(saved.bundle, orientations=number)
    found = classify(bundle, pixels, engine=Engine("a stub", run))
    np.testing.assert_array_equal(found, (number + 1) / 2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(seen[0], np.stack(pixels))
    assert len({batch.tobytes() for batch in seen}) == len(seen) == number
    assert {np.sort(batch.ravel()).tobytes() for batch in seen} == {
        np.sort(seen[0].ravel()).tobytes()
    }


def test_over_eight_orientations_how_a_patch_lies_does_not_matter(
    saved: Saved, pixels: list[Pixels]
) -> None:
    bundle = replace(saved.bundle, orientations=8)
    turned = [np.ascontiguousarray(np.rot90(patch)[::-1]) for patch in pixels]
    found = classify(bundle, pixels)
    np.testing.assert_allclose(classify(bundle, turned), found, atol=1e-6)
    assert not np.array_equal(found, classify(saved.bundle, pixels))


def test_the_temperature_comes_after_the_mean_over_orientations(
    saved: Saved, pixels: list[Pixels]
) -> None:
    answers = iter([[0.9, 0.1], [0.5, 0.5]])

    def run(batch: Pixels) -> Probabilities:
        return np.tile(np.array(next(answers), np.float32), (len(batch), 1))

    bundle = replace(saved.bundle, orientations=2, temperature=2.0)
    found = classify(bundle, pixels, engine=Engine("a stub", run))
    roots = np.sqrt([0.7, 0.3])
    np.testing.assert_allclose(found, np.tile(roots / roots.sum(), (len(pixels), 1)), atol=1e-6)
    assert found.dtype == np.float32


def test_one_orientation_is_the_model_itself() -> None:
    def run(batch: Pixels) -> Probabilities:
        return np.zeros((len(batch), 2), np.float32)

    assert over_orientations(run, 1) is run


def test_patches_are_taken_a_batch_or_two_ahead(saved: Saved, pixels: list[Pixels]) -> None:
    taken: list[int] = []
    seen: list[int] = []

    def stream() -> Iterator[Pixels]:
        for number in range(20):
            taken.append(number)
            yield pixels[number % len(pixels)]

    classify(saved.bundle, stream(), batch_size=2, advance=lambda _: seen.append(len(taken)))
    assert seen == [min(2 * batch + 2, 20) for batch in range(1, 11)]


def test_one_batch_is_read_while_another_is_computed(saved: Saved, pixels: list[Pixels]) -> None:
    """Each waits for the other: read one after the other, they would never end."""
    reading, computing = Event(), Event()

    def stream() -> Iterator[Pixels]:
        yield pixels[0]
        assert computing.wait(60)
        reading.set()
        yield pixels[1]

    def run(batch: Pixels) -> Probabilities:
        computing.set()
        assert reading.wait(60)
        return np.full((len(batch), 2), 0.5, np.float32)

    found = classify(saved.bundle, stream(), engine=Engine("a stub", run), batch_size=1)
    assert found.shape == (2, 2)


def test_what_goes_wrong_while_computing_is_told(saved: Saved, pixels: list[Pixels]) -> None:
    def run(_: Pixels) -> Probabilities:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        classify(saved.bundle, pixels, engine=Engine("a stub", run), batch_size=2)


def test_no_patch_gives_no_row(saved: Saved) -> None:
    assert classify(saved.bundle, []).shape == (0, 2)


@pytest.mark.parametrize(
    "patch",
    [
        np.zeros((100, 224, 3), np.uint8),
        np.zeros((224, 224), np.uint8),
        np.zeros((224, 224, 3), np.float32),
    ],
)
def test_another_shape_or_type_is_refused(saved: Saved, patch: Pixels) -> None:
    with pytest.raises(BadInputError, match="uint8; this one is"):
        classify(saved.bundle, [patch])


def test_weights_of_another_network_are_refused(
    saved: Saved, pixels: list[Pixels], tmp_path: Path
) -> None:
    files.copy_file(saved.bundle.path / WEIGHTS_FILE, tmp_path / WEIGHTS_FILE)
    other = replace(saved.bundle, path=tmp_path, network="mobilenetv2")
    with pytest.raises(BadInputError, match="not those of the network mobilenetv2"):
        classify(other, pixels)
