"""Point images against arrays computed independently, against closed forms, and against what symmetry demands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j1

from lfcore.optics.psf import point_images
from lfcore.optics.waves import pupil_energy
from tests.instruments import NOTHING, described, instrument


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_reference(shared_reference: Path, number: int, dtype: type[np.floating[Any]]) -> None:
    entry = json.loads((shared_reference / "psf_reference.json").read_text())[number]
    expected = np.load(shared_reference / "psf_reference.npz")[entry["key"]]
    offset = (entry["dy_um"], entry["dx_um"])
    image = point_images(described(entry), entry["z_um"], [offset], entry["lenslets"] // 2, dtype)[0]
    assert image.dtype == dtype
    assert np.linalg.norm(image - expected) <= 0.01 * np.linalg.norm(expected)
    assert image.sum() == pytest.approx(entry["energy"], rel=0.005)


def test_every_entry_of_the_reference_is_tested(shared_reference: Path) -> None:
    assert len(json.loads((shared_reference / "psf_reference.json").read_text())) == 5


@pytest.mark.parametrize(("aperture", "index"), [(0.5, 1.33), (1.2, 1.35)])
def test_the_pupils_energy_is_its_integral(aperture: float, index: float) -> None:
    optics = instrument(numerical_aperture=aperture, medium_index=index)
    cut_off = index / (optics.magnification * 0.51)

    def density(frequency: float) -> float:
        # |A|^2 = 1 / cos(theta), over rings of the pupil.
        return 2 * np.pi * frequency / np.sqrt(1 - (frequency / cut_off) ** 2)

    expected, _ = quad(density, 0, aperture / (optics.magnification * 0.51))
    assert pupil_energy(optics, 0.51) == pytest.approx(expected, rel=1e-8)


def test_the_native_image_is_the_airy_pattern() -> None:
    optics = instrument(numerical_aperture=0.1, pixels_per_lenslet=25, **NOTHING)
    image = point_images(optics, 0.0, [(0.0, 0.0)], 2, np.float64, guard_lenslets=4.0)[0]
    # Nine samples a pixel's side, to integrate over it.
    sub = (np.arange(125 * 9) - (125 * 9 - 1) / 2) * optics.pixel_um / 9
    radius = np.hypot(sub[:, None], sub[None, :])
    argument = 2 * np.pi * 0.1 / 0.51 * radius / optics.magnification
    argument[argument == 0] = 1e-9
    airy = np.square(2 * j1(argument) / argument).reshape(125, 9, 125, 9).sum((1, 3))
    # The whole of [2 J1(k r) / (k r)]^2 over the plane is 4 pi / k^2.
    wave_number = 2 * np.pi * 0.1 / 0.51 / optics.magnification
    airy *= (optics.pixel_um / 9) ** 2 * wave_number**2 / (4 * np.pi)
    assert np.linalg.norm(image - airy) < 0.02 * np.linalg.norm(airy)
    assert image.sum() == pytest.approx(airy.sum(), rel=0.01)


@pytest.mark.parametrize("z_um", [0.0, 12.0, -20.0])
def test_what_passes_the_pupil_arrives(z_um: float) -> None:
    radius = instrument().window_radius_lenslets(z_um) + 3
    image = point_images(instrument(), z_um, [(0.7, -1.1)], radius, np.float64, guard_lenslets=3.0)[0]
    assert 0.99 < image.sum() <= 1.0 + 1e-3
    narrow = point_images(instrument(), z_um, [(0.7, -1.1)], radius - 3, np.float64)[0]
    assert narrow.sum() < image.sum()


def test_round_lenslets_block_what_lies_between_them() -> None:
    z_um = 60.0
    energies = [
        point_images(instrument(aperture=aperture), z_um, [(0.0, 0.0)])[0].sum() for aperture in ("square", "round")
    ]
    assert energies[1] / energies[0] == pytest.approx(np.pi / 4, abs=0.02)


def views(image: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """(pixel, lenslet) light along y."""
    return image.sum(1).reshape(-1, size).T


@pytest.mark.parametrize("z_um", [25.0, -25.0])
def test_the_disparity_has_the_opposite_sign_of_z(z_um: float) -> None:
    optics = instrument(pixels_per_lenslet=9)
    image = point_images(optics, z_um, [(0.0, 0.0)])[0].astype(np.float64)
    light = views(image, 9)
    lenslets = np.arange(light.shape[1]) - light.shape[1] // 2
    centres = (light @ lenslets / light.sum(1))[2:7]
    slope = np.polyfit(np.arange(5), centres, 1)[0]
    assert np.sign(slope) == -np.sign(z_um)
    # Rays: pixel u looks along tan = u * pixel M / (f n), and the native image lies M^2 z / n behind the array.
    expected = -z_um * optics.magnification**2 / optics.medium_index * optics.pixel_um / optics.focal_length_um
    assert slope == pytest.approx(expected / optics.pitch_um, rel=0.15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_point_one_lenslet_further_has_its_image_one_lenslet_further(dtype: type[np.floating[Any]]) -> None:
    optics, size = instrument(), 5
    pitch = optics.object_pitch_um
    near, far = point_images(optics, 10.0, [(0.4, -0.9), (0.4 + pitch, -0.9 - 2 * pitch)], 8, dtype)
    moved = far[size:, : -2 * size]
    stays = near[:-size, 2 * size :]
    assert np.linalg.norm(moved - stays) < 1e-6 * np.linalg.norm(stays)


def test_a_band_is_the_weighted_sum_of_its_lines() -> None:
    place = [(0.3, 0.8)]
    band = point_images(instrument(spectrum=((0.5, 0.25), (0.6, 0.75))), 15.0, place, 7, np.float64)
    lines = [point_images(instrument(spectrum=((um, 1.0),)), 15.0, place, 7, np.float64) for um in (0.5, 0.6)]
    np.testing.assert_allclose(band, 0.25 * lines[0] + 0.75 * lines[1], atol=1e-15)
    assert np.abs(lines[0] - lines[1]).max() > 0.01 * lines[0].max()


@pytest.mark.parametrize("size", [4, 5])
def test_images_have_the_symmetry_of_the_square(size: int) -> None:
    optics = instrument(pixels_per_lenslet=size)
    image, down, right, exchanged = point_images(
        optics, -14.0, [(1.3, 0.6), (-1.3, 0.6), (1.3, -0.6), (0.6, 1.3)], 6, np.float64
    )
    np.testing.assert_allclose(down, image[::-1], atol=1e-14)
    np.testing.assert_allclose(right, image[:, ::-1], atol=1e-14)
    np.testing.assert_allclose(exchanged, image.T, atol=1e-14)


def test_the_offset_is_down_and_right() -> None:
    optics = instrument(**NOTHING, pixels_per_lenslet=15)
    image = point_images(optics, 0.0, [(1.5, -0.5)], 1)[0]
    place = np.unravel_index(image.argmax(), image.shape)
    expected = 22 + np.array([1.5, -0.5]) * optics.magnification / optics.pixel_um
    np.testing.assert_allclose(place, expected, atol=0.51)
