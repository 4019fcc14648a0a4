"""Rays against waves of a short wavelength, against closed forms, and against more rays."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lfcore.optics.boxes import box_um
from lfcore.optics.instrument import Box, Instrument
from lfcore.optics.psf import point_images
from lfcore.optics.rays import ray_images
from lfcore.settings import Layers
from tests.instruments import NOTHING, TWENTY_TIMES, instrument

SHORT_UM = 0.05
OIL = Layers(immersion_index=1.6, coverslip_index=1.6, coverslip_design_index=1.6, focus_depth_um=150.0)

KINDS: dict[str, dict[str, Any]] = {
    "square": {},
    "hexagonal": {"lattice": "hexagonal", "aperture": "hexagonal"},
    "columns": {"lattice": "hexagonal", "aperture": "round", "orientation": "columns"},
    "clear gaps": {"aperture_um": 90.0, "gaps": "clear"},
    "off the focal plane": {"sensor_distance_um": 1500.0},
    "coma": {"zernike": ((3, -1, 0.8), (2, 2, 0.5))},
    "layers": {"layers": OIL, "zernike": ((4, 0, 0.3),)},
}


def correlation(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    return float(np.corrcoef(gaussian_filter(first, 0.7).ravel(), gaussian_filter(second, 0.7).ravel())[0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_rays_are_waves_of_a_short_wavelength(kind: str) -> None:
    optics = instrument(spectrum=((SHORT_UM, 1.0),), pixels_per_lenslet=7, **KINDS[kind])
    place = [(0.8, -2.1)]
    waves = point_images(optics, 12.0, place, 2)[0]
    rays = ray_images(optics, 12.0, place, (5, 5))[0]
    assert correlation(waves, rays) > 0.995
    assert rays.sum() == pytest.approx(waves.sum(), abs=0.03)
    # No other sign or place would do.
    for other in (rays[::-1], rays[:, ::-1], rays[::-1, ::-1], np.roll(rays, 1, 0), np.roll(rays, 1, 1)):
        assert correlation(waves, other) < 0.985
    wrong = ray_images(optics, -12.0, place, (5, 5))[0]
    assert correlation(waves, wrong) < 0.985


def test_light_in_the_native_image_is_spread_as_the_solid_angle() -> None:
    optics = instrument(pixels_per_lenslet=15, numerical_aperture=0.8, **NOTHING)
    z_um = 30.0
    image = ray_images(optics, z_um, [(0.0, 0.0)], (21, 21))[0]
    places = (np.arange(image.shape[0]) - (image.shape[0] - 1) / 2) * optics.pixel_um / optics.magnification
    radius = np.hypot(places[:, None], places)
    whole = 1 - np.sqrt(1 - (0.8 / 1.33) ** 2)
    for angle in (0.2, 0.4, 0.6):
        inside = image[radius < z_um * np.tan(angle)].sum()
        assert inside == pytest.approx((1 - np.cos(angle)) / whole, abs=0.01)
    assert image.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["square", "hexagonal", "coma"])
def test_enough_rays_are_traced(kind: str) -> None:
    optics = instrument(**{"pixels_per_lenslet": 15, **KINDS[kind]})
    for z_um in (2.0, 20.0):
        usual, many = (ray_images(optics, z_um, [(1.1, 0.3)], (9, 9), *rays)[0] for rays in ([], [2**22]))
        assert np.linalg.norm(usual - many) < 2e-3 * np.linalg.norm(many)


def test_point_images_are_of_the_model_that_is_named() -> None:
    optics = instrument(model="rays")
    image = point_images(optics, 5.0, [(0.3, 0.1)], (2, 3), np.float32)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, ray_images(optics, 5.0, [(0.3, 0.1)], (5, 7)), atol=1e-7)


def boxed(depth_um: float, samples: int, **changes: Any) -> Instrument:  # noqa: ANN401 - a field of any type
    return instrument(box=Box(depth_um, samples), **changes)


def test_a_box_of_rays_is_the_mean_of_its_points() -> None:
    optics = boxed(4.0, 3, model="rays")
    depth, height, width = box_um(optics)
    assert (depth, height, width) == pytest.approx((4.0, 125 / 60, 125 / 60))
    box = ray_images(optics, 9.0, [(0.5, -0.8)], (9, 9))[0]
    parts = (np.arange(8) + 0.5) / 8 - 0.5
    points = instrument(model="rays")
    mean = np.mean(
        [
            ray_images(
                points,
                9.0 + depth * part,
                [(0.5 + height * dy, -0.8 + width * dx) for dy in parts for dx in parts],
                (9, 9),
                2**15,
            ).mean(0)
            for part in parts
        ],
        axis=0,
    )
    assert np.linalg.norm(box - mean) < 0.01 * np.linalg.norm(mean)


def test_the_usual_array_by_rays_fills_each_lenslet_with_the_pupil() -> None:
    """Uniform light: the sum over a fine plane of points is the pupil's disc, ``f NA / M`` in radius."""
    optics = TWENTY_TIMES
    offsets = ((np.arange(9) + 0.5) / 9 - 0.5) * optics.object_pitch_um
    places = [(float(dy), float(dx)) for dy in offsets for dx in offsets]
    images = ray_images(optics, 30.0, places, (11, 11), 2**16)
    disc = images.sum(0).reshape(11, 15, 11, 15).sum((0, 2))
    radius = np.hypot(*np.meshgrid(*[(np.arange(15) - 7) * optics.pixel_um] * 2))
    edge_um = optics.focal_length_um * optics.numerical_aperture / optics.magnification
    assert disc[radius > edge_um + optics.pixel_um].max() < 0.02 * disc[7, 7]
    assert disc[radius < edge_um - optics.pixel_um].min() > 0.9 * disc[7, 7]


@pytest.mark.parametrize("kind", ["square", "hexagonal", "coma", "layers", "clear gaps"])
@pytest.mark.parametrize("box", [None, Box(2.0, 4)])
def test_images_have_the_stated_symmetry(kind: str, box: Box | None) -> None:
    """To the rays that rounding moves over an edge: the operator takes symmetry for granted, and noise would not do."""
    optics = instrument(pixels_per_lenslet=8, box=box, **KINDS[kind])
    if kind == "coma":
        optics = replace(optics, zernike=((3, -1, 0.4),))
    places = [(1.3, 0.6), (-1.3, 0.6), (1.3, -0.6), (-1.3, -0.6), (0.6, 1.3), (0.0, 0.6)]
    image, down, right, both, exchanged, on_line = ray_images(optics, -9.0, places, (5, 5))
    relatives = {
        "mirror_y": (down[::-1], on_line[::-1]),
        "mirror_x": (right[:, ::-1], on_line),
        "inversion": (both[::-1, ::-1], on_line),
        "exchange": (exchanged.T, on_line),
    }
    for name, (relative, same) in relatives.items():
        if getattr(optics.symmetry, name):
            assert np.linalg.norm(relative - image) < 1e-4 * np.linalg.norm(image)
            assert np.linalg.norm(same - on_line) < 1e-4 * np.linalg.norm(on_line)
