"""The Fourier light field microscope: where its sub-images lie, and what rays say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import outer_ring_energy, point_images

FOURIER = Instrument(
    magnification=20.0,
    numerical_aperture=0.5,
    medium_index=1.33,
    spectrum=((0.51, 1.0),),
    pitch_um=400.0,
    focal_length_um=6000.0,
    sensor_distance_um=6000.0,
    aperture="square",
    pixels_per_lenslet=66,
    lattice="none",
    fourier_lens_um=40_000.0,
    camera_pixel_um=6.0,
)
"""A pupil 2000 um wide over lenslets of 400 um; the object is imaged three times as large."""


def spot(image: np.ndarray[Any, Any], optics: Instrument, centre_um: tuple[float, float]) -> np.ndarray[Any, Any]:
    """Centre of light (y, x) in um within half a pitch of ``centre_um``."""
    middle = (np.array(image.shape) - 1) / 2
    half = optics.pitch_um / 2 / optics.pixel_um
    low = np.ceil(np.array(centre_um) / optics.pixel_um + middle - half).astype(int)
    high = np.floor(np.array(centre_um) / optics.pixel_um + middle + half).astype(int) + 1
    part = image[low[0] : high[0], low[1] : high[1]].astype(np.float64)
    part = np.where(part > 0.05 * part.max(), part, 0)
    y, x = np.indices(part.shape)
    found = np.array([(y * part).sum(), (x * part).sum()]) / part.sum() + low
    return np.asarray((found - middle) * optics.pixel_um)


def test_a_cell_is_a_camera_pixel() -> None:
    assert FOURIER.cell.pixels == (1, 1)
    assert FOURIER.cell.size_um == (6.0, 6.0)
    assert FOURIER.cell.samples(1) == (1, 1)
    assert FOURIER.image_magnification == pytest.approx(3)
    assert FOURIER.object_cell_um == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize("z_um", [0.0, 20.0, -30.0])
@pytest.mark.parametrize("arrangement", ["square", "hexagonal"])
def test_every_lenslet_sees_the_point_from_its_side(z_um: float, arrangement: str) -> None:
    optics = replace(FOURIER, arrangement=arrangement, aperture=arrangement)
    offset = (4.0, -7.0)
    image = point_images(optics, z_um, [offset])[0]
    assert image.shape[0] == 2 * optics.window_radius_cells(z_um)[0] + 1
    second = (400 * np.sqrt(0.75), 200.0) if arrangement == "hexagonal" else (400.0, 400.0)
    for centre in ((0.0, 0.0), (0.0, 400.0), (0.0, -400.0), second, (-second[0], second[1])):
        # The lenslet at c takes the pupil about M c / f_F, where light left the point under this tangent.
        sine = np.hypot(*centre) * optics.magnification / 40_000 / optics.medium_index
        tangent = sine / np.sqrt(1 - sine**2)
        outwards = np.array(centre) / max(np.hypot(*centre), 1e-9)
        expected = np.array(centre) + 3 * (np.array(offset) + z_um * tangent * outwards)
        np.testing.assert_allclose(spot(image, optics, centre), expected, atol=1.5)


def test_the_pupils_light_arrives() -> None:
    images = point_images(FOURIER, -15.0, [(0.0, 0.0)])
    assert 0.97 < images[0].sum() <= 1.001
    assert outer_ring_energy(images, FOURIER) < 1e-4


def test_a_pixel_further_is_the_same_image() -> None:
    """The operator's one-pixel cell: exact as long as the pattern of the lenslets stays in the window."""
    near, far = point_images(FOURIER, 10.0, [(0.0, 0.0), (2.0, -4.0)], None, np.float64)
    moved = np.roll(near, (1, -2), (0, 1))
    assert np.linalg.norm(far - moved) < 0.01 * np.linalg.norm(moved)


@pytest.mark.parametrize("changes", [{}, {"zernike": ((3, -1, 0.5),)}, {"aperture": "round", "gaps": "clear"}])
def test_rays_behind_the_pupil_are_waves(changes: dict[str, Any]) -> None:
    optics = replace(
        FOURIER,
        spectrum=((0.2, 1.0),),
        fourier_lens_um=20_000.0,
        focal_length_um=3000.0,
        sensor_distance_um=3000.0,
        **changes,
    )
    z_um, place = 60.0, [(3.0, -9.0)]
    waves = point_images(optics, z_um, place)[0]
    rays = point_images(replace(optics, model="rays"), z_um, place)[0]

    def correlation(other: np.ndarray[Any, Any]) -> float:
        return float(np.corrcoef(gaussian_filter(waves, 1).ravel(), gaussian_filter(other, 1).ravel())[0, 1])

    assert correlation(rays) > 0.95
    for other in (rays[::-1], rays[:, ::-1], np.roll(rays, 2, 0), np.roll(rays, 2, 1)):
        assert correlation(other) < 0.9 * correlation(rays)


def test_only_a_microscope_with_a_fourier_lens_has_a_model() -> None:
    with pytest.raises(ValueError, match="fourier_lens_um"):
        point_images(replace(FOURIER, fourier_lens_um=None), 0.0, [(0.0, 0.0)], 4)
