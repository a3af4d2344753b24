"""A random view is still the cell: nothing invented at the border, nothing shifted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.images.crop import Pixels
from pycyto.learning.augmentation import (
    AS_IT_IS,
    AUGMENTATIONS,
    NOTHING,
    STANDARD,
    Augmentation,
    Named,
    Views,
    _reach,
    _rotated,
    augmented,
    look_at,
)
from pycyto.learning.orientations import oriented


def disc(radius: float) -> Pixels:
    y, x = np.mgrid[:224, :224] - 111.5
    return np.repeat(((x**2 + y**2 < radius**2) * np.uint8(255))[..., None], 3, axis=2)


@pytest.fixture
def noise() -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)


def test_the_generator_alone_decides(noise: Pixels) -> None:
    first, again, other = (augmented(noise, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (224, 224, 3)
    assert first.dtype == np.uint8


def test_no_rotation_and_no_zoom_change_nothing(noise: Pixels) -> None:
    np.testing.assert_array_equal(_rotated(noise, 0.0, 1.0), noise)


def test_a_quarter_turn_is_about_the_centre(noise: Pixels) -> None:
    turned = _rotated(noise, math.pi / 2, 1.0)
    wrong = [np.abs(turned.astype(int) - np.rot90(noise, times)).max() for times in (1, 3)]
    assert min(wrong) <= 1  # bilinear weights are a rounding error away from 0 and 1


@pytest.mark.parametrize("zoom", [0.9, 1.1])
def test_zoom_enlarges_a_disc_and_keeps_it_in_the_middle(zoom: float) -> None:
    zoomed = _rotated(disc(60), 0.2, zoom) > 127
    area = zoomed[..., 0].sum()
    assert area == pytest.approx(math.pi * 60**2 * zoom**2, rel=0.01)
    y, x = np.nonzero(zoomed[..., 0])
    assert (x.mean(), y.mean()) == pytest.approx((111.5, 111.5), abs=0.1)


@pytest.mark.parametrize("degrees", range(0, 181, 15))
@pytest.mark.parametrize("zoom", [0.9, 1.1])
def test_the_farthest_corner_lies_within_the_mirrored_border(degrees: int, zoom: float) -> None:
    angle = math.radians(degrees)
    corners = [abs(math.cos(angle)) + abs(math.sin(angle))]
    assert 112 / zoom * max(corners) - 112 < _reach(224, angle, zoom) - 1
    white = np.full((224, 224, 3), 255, np.uint8)
    assert (_rotated(white, angle, zoom) == 255).all()


def test_without_augmentation_a_view_is_the_patch(noise: Pixels) -> None:
    for seed in range(5):
        view = augmented(noise, np.random.default_rng(seed), NOTHING)
        np.testing.assert_array_equal(view, noise)


def test_free_rotation_takes_any_angle_and_standard_does_not() -> None:
    bar = np.zeros((224, 224, 3), np.uint8)
    bar[110:114, 20:204] = 255

    def angles(how: Augmentation) -> list[float]:
        return [angle_of(augmented(bar, np.random.default_rng(seed), how)) for seed in range(60)]

    free, standard = angles(AUGMENTATIONS["free"]), angles(STANDARD)
    assert any(30 < angle % 90 < 60 for angle in free)
    assert all(min(angle % 90, 90 - angle % 90) < 17 for angle in standard)
    assert np.std([angle % 90 for angle in standard if 5 < angle % 90 < 85]) > 1


def angle_of(view: Pixels) -> float:
    """Return the direction of the bright pixels in degrees, 0 to 180."""
    points = np.argwhere(view[..., 0] > 100) - 112.0
    _, _, axes = np.linalg.svd(points[np.hypot(*points.T) < 90], full_matrices=False)
    return math.degrees(math.atan2(axes[0, 0], axes[0, 1])) % 180


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"blur": 2.0}, lambda view, patch: sharpness(view) < 0.9 * sharpness(patch)),
        ({"noise": 20.0}, lambda view, patch: sharpness(view) > 1.02 * sharpness(patch)),
        ({"saturation": 0.5}, lambda view, patch: abs(spread(view) - spread(patch)) > 1),
        ({"hue": 60.0}, lambda view, patch: np.abs(mean(view) - mean(patch)).max() > 2),
        ({"brightness": 50.0}, lambda view, patch: np.abs(mean(view) - mean(patch)).min() > 2),
        ({"contrast": 0.5}, lambda view, patch: abs(view.std() - patch.std()) > 1),
    ],
)
def test_each_setting_does_what_its_name_says(
    change: dict[str, float], differs: Callable[[Pixels, Pixels], bool]
) -> None:
    generator = np.random.default_rng(4)
    patch = generator.normal((170, 120, 150), 20, (224, 224, 3)).clip(0, 255).astype(np.uint8)
    how = replace(NOTHING, **change)  # type: ignore[arg-type]
    views = [augmented(patch, np.random.default_rng(seed), how) for seed in range(5)]
    assert any(differs(view, patch) for view in views)
    assert not differs(augmented(patch, np.random.default_rng(1), NOTHING), patch)


def sharpness(view: Pixels) -> float:
    return float(np.abs(np.diff(view.astype(float), axis=1)).mean())


def spread(view: Pixels) -> float:
    return float(np.ptp(mean(view)))


def mean(view: Pixels) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = view.mean(axis=(0, 1))
    return result


def test_black_beyond_an_images_edge_stays_black_and_the_rest_does_not() -> None:
    """The crop rule leaves exact black; light, blur and noise are of what the slide shows."""
    patch = np.full((224, 224, 3), 150, np.uint8)
    patch[:, :80] = 0
    patch[:40] = 0
    still = replace(STANDARD, turns=False, flips=False, rotation=0, zoom=0)
    for seed in range(5):
        view = augmented(patch, np.random.default_rng(seed), still)
        assert not view[:, :80].any()
        assert not view[:40].any()
        assert (view[40:, 80:] > 100).all()
        assert len(np.unique(view[40:, 80:])) > 3
    black = np.zeros((224, 224, 3), np.uint8)
    assert not augmented(black, np.random.default_rng(0)).any()


@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.sampled_from(list(AUGMENTATIONS)))
@settings(max_examples=20)
def test_a_view_depends_on_patch_seed_settings_and_number_alone(
    seed: int, number: int, name: Named
) -> None:
    patch = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    digest, other = "0123456789abcdef" * 4, "f" * 64
    views = Views(AUGMENTATIONS[name], seed)
    view = views.of(patch, digest, number)
    np.testing.assert_array_equal(view, Views(AUGMENTATIONS[name], seed).of(patch, digest, number))
    if not {name} & {"none", "orientations"}:
        for another in (views.of(patch, digest, number + 1), views.of(patch, other, number)):
            assert not np.array_equal(view, another)
    names = {
        look.name
        for look in (views.look(number), views.look(number + 1), Views(NOTHING, seed + 1).look(0))
    }
    if name == "none":
        assert names == {AS_IT_IS.name}
    elif name != "orientations":
        assert len(names) == 3


def test_orientations_take_turns_and_are_what_answers_are_averaged_over() -> None:
    patch = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    for number in range(10):
        views = Views(AUGMENTATIONS["orientations"], seed=number)
        look = views.look(number)
        assert look.name == look_at(number % 8).name
        np.testing.assert_array_equal(look.of(patch, "f" * 64), oriented(patch, number % 8))
        np.testing.assert_array_equal(views.of(patch, "f" * 64, number), look.of(patch, ""))
    seen = {oriented(patch, number).tobytes() for number in range(8)}
    assert len(seen) == 8
    np.testing.assert_array_equal(oriented(patch, 0), patch)


def test_light_changes_little_and_all_eight_directions_occur() -> None:
    grey = np.full((224, 224, 3), 128, np.uint8)
    levels = [int(augmented(grey, np.random.default_rng(seed)).mean()) for seed in range(50)]
    assert 115 <= min(levels) < 122
    assert 134 < max(levels) <= 141
    corner = np.zeros((224, 224, 3), np.uint8)
    corner[:60, :30] = 255
    views = [augmented(corner, np.random.default_rng(seed)) > 90 for seed in range(60)]
    masses = {
        tuple(np.round((np.argwhere(view[..., 0]).mean(axis=0) - 112) / 25)) for view in views
    }
    assert len(masses) >= 8
