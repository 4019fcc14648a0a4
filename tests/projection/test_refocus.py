"""Shift-and-add: points come to focus at their own depth and place, and what is even stays even."""

import numpy as np
import pytest

from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import point_images
from lfcore.projection.refocus import all_in_focus, refocus
from tests.instruments import instrument
from tests.projection.raytracer import traced_point

HIGH_APERTURE = {
    "magnification": 60.0,
    "numerical_aperture": 1.2,
    "medium_index": 1.35,
    "pitch_um": 100.0,
    "focal_length_um": 2500.0,
    "sensor_distance_um": 2500.0,
}
SAMPLES = 5
LENSLETS = 31

WAVES = {
    "odd": (instrument(pixels_per_lenslet=15), 40.0),
    "even": (instrument(pixels_per_lenslet=10), 40.0),
    "high aperture": (instrument(pixels_per_lenslet=11, **HIGH_APERTURE), 6.0),
}
TRACED = {
    "square": (instrument(pixels_per_lenslet=11), 60.0),
    "rows of hexagons": (instrument(pixels_per_lenslet=11, lattice="hexagonal", aperture="hexagonal"), 60.0),
    "columns of hexagons": (
        instrument(pixels_per_lenslet=12, lattice="hexagonal", aperture="hexagonal", orientation="columns"),
        60.0,
    ),
    "high aperture": (instrument(pixels_per_lenslet=11, **HIGH_APERTURE), 5.0),
}


def brightest(stack: np.ndarray, planes: tuple[float, ...]) -> tuple[float, float, float]:
    """Depth of the brightest sample, um, and the centroid of what is about as bright on its plane, samples."""
    plane, y, x = (int(index) for index in np.unravel_index(stack.argmax(), stack.shape))
    rows, columns = np.mgrid[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5]
    light = stack[plane, rows, columns]
    weight = light * (light > 0.3 * light.max())
    return planes[plane], float((weight * rows).sum() / weight.sum()), float((weight * columns).sum() / weight.sum())


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("case", WAVES)
def test_a_point_comes_to_focus_at_its_own_place(case: str, sign: int) -> None:
    """By the wave model."""
    optics, depth_um = WAVES[case]
    planes = tuple(float(z) for z in np.linspace(-1.5, 1.5, 31) * depth_um)
    z_um = planes[15 + 10 * sign]
    offset = np.random.default_rng(3).uniform(-0.5, 0.5, 2)
    place_um = offset * optics.object_pitch_um
    image = point_images(optics, z_um, [(float(place_um[0]), float(place_um[1]))], LENSLETS // 2)[0]
    found = brightest(refocus(image, np.ones_like(image), optics, planes, SAMPLES), planes)
    expected = (LENSLETS // 2 + offset + 0.5) * SAMPLES - 0.5
    assert found[0] == pytest.approx(z_um, abs=1.01 * (planes[1] - planes[0]))
    np.testing.assert_allclose(found[1:], expected, atol=0.3)


@pytest.mark.parametrize("case", TRACED)
def test_traced_rays_meet_where_they_came_from(case: str) -> None:
    """By rays, for square and hexagonal arrays."""
    optics, depth_um = TRACED[case]
    cells = 21, 23
    place = np.array([9.3, 12.15])
    place_um = place * optics.cell.size_um / optics.magnification
    planes = tuple(float(z) for z in np.linspace(-1.5, 1.5, 25) * depth_um)
    z_um = planes[20]
    image = traced_point(optics, cells, (z_um, *place_um), 400_000, seed=5)
    stack = refocus(image, np.ones_like(image), optics, planes, SAMPLES)
    found = brightest(stack, planes)
    samples = optics.cell.samples(SAMPLES)
    assert stack.shape == (25, 21 * samples[0], 23 * samples[1])
    assert found[0] == pytest.approx(z_um, abs=1.01 * (planes[1] - planes[0]))
    np.testing.assert_allclose(found[1:], (place + 0.5) * samples - 0.5, atol=0.3)


@pytest.mark.parametrize("case", TRACED)
def test_even_light_stays_even_whatever_the_sensitivity(case: str) -> None:
    optics: Instrument = TRACED[case][0]
    rng = np.random.default_rng(8)
    sensitivity = rng.uniform(0.2, 2.0, np.array([9, 10]) * optics.cell.pixels)
    sensitivity[rng.random(sensitivity.shape) < 0.1] = 0
    light_field = 7.0 * sensitivity
    light_field[rng.random(sensitivity.shape) < 0.1] = np.nan
    stack = refocus(light_field, sensitivity, optics, (-30.0, 0.0, 11.0), 4)
    np.testing.assert_allclose(stack, 7.0, rtol=1e-4)


def test_the_native_plane_is_interpolated_between_the_lenslets_light() -> None:
    optics = instrument(numerical_aperture=0.9)
    light_field = np.random.default_rng(2).random((6 * 5, 7 * 5))
    [image] = refocus(light_field, np.ones_like(light_field), optics, (0.0,), 3)
    light = light_field.reshape(6, 5, 7, 5).mean((1, 3))
    down = np.array([np.interp((np.arange(18) + 0.5) / 3 - 0.5, np.arange(6), column) for column in light.T]).T
    both = np.array([np.interp((np.arange(21) + 0.5) / 3 - 0.5, np.arange(7), row) for row in down])
    np.testing.assert_allclose(image, both, rtol=1e-5)


def test_all_in_focus_shows_each_point_sharp_and_tells_its_depth() -> None:
    optics = instrument(pixels_per_lenslet=11)
    planes = tuple(float(z) for z in range(-60, 61, 10))
    pitch_um = optics.object_pitch_um
    places = {-40.0: (6, 7), 20.0: (16, 14)}
    image = np.zeros((22 * 11, 23 * 11))
    for z_um, (row, column) in places.items():
        image += traced_point(optics, (22, 23), (z_um, row * pitch_um, column * pitch_um), 100_000, seed=1)
    stack = refocus(image, np.ones_like(image), optics, planes, SAMPLES)
    sharp, depth = all_in_focus(stack, planes, SAMPLES)
    for z_um, (row, column) in places.items():
        sample = row * SAMPLES + SAMPLES // 2, column * SAMPLES + SAMPLES // 2
        assert depth[sample] == pytest.approx(z_um, abs=8)
        assert sharp[sample] >= 0.8 * stack[(planes.index(z_um), *sample)]
    assert sharp.shape == depth.shape == (22 * SAMPLES, 23 * SAMPLES)


def test_an_empty_field_has_no_light_and_no_depth_that_is_no_number() -> None:
    optics = instrument()
    nothing = np.zeros((40, 40))
    stack = refocus(nothing, np.ones_like(nothing), optics, (-10.0, 10.0), 2)
    sharp, depth = all_in_focus(stack, (-10.0, 10.0), 2)
    assert not stack.any()
    assert not sharp.any()
    np.testing.assert_allclose(depth, 0, atol=1e-6)
