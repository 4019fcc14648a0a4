"""Paths and amplitudes against the papers' formulas, written down anew, and against quadrature."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j0

from lfcore.optics.psf import point_images
from lfcore.optics.pupil import Pupil, zernike
from lfcore.settings import Layers
from tests.instruments import NOTHING, instrument

WATER = Layers(
    immersion_index=1.515,
    coverslip_index=1.52,
    coverslip_design_index=1.5255,
    coverslip_um=180.0,
    immersion_design_index=1.51,
    immersion_design_um=150.0,
    focus_depth_um=30.0,
)
ORDERS = [(n, m) for n in range(1, 7) for m in range(-n, n + 1, 2)]


def gibson_lanni_um(sine: float, aperture: float, z_um: float) -> float:
    """Optical path difference of the paper (its equations 2 and 3), of a particle ``z_um`` above the focused depth."""
    layers, sample_index = WATER, 1.33
    assert layers.immersion_design_um is not None
    assert layers.immersion_design_index is not None

    def reach(index: float, thickness: float) -> float:
        return index * thickness * np.sqrt(1 - (aperture * sine / index) ** 2)

    immersion_um = layers.immersion_index * (
        layers.coverslip_design_um / layers.coverslip_design_index
        + layers.immersion_design_um / layers.immersion_design_index
        - layers.coverslip_um / layers.coverslip_index
        - layers.focus_depth_um / sample_index
    )
    return (
        reach(sample_index, layers.focus_depth_um - z_um)
        + reach(layers.coverslip_index, layers.coverslip_um)
        + reach(layers.immersion_index, immersion_um)
        - reach(layers.coverslip_design_index, layers.coverslip_design_um)
        - reach(layers.immersion_design_index, layers.immersion_design_um)
    )


@pytest.mark.parametrize("z_um", [0.0, 4.0, -6.0])
def test_the_native_image_through_layers_is_gibson_and_lannis_integral(z_um: float) -> None:
    aperture, wavelength = 0.9, 0.51
    optics = instrument(numerical_aperture=aperture, layers=WATER, pixels_per_lenslet=61, **NOTHING)
    image = point_images(optics, z_um, [(0.0, 0.0)], 1, np.float64, guard_lenslets=4.0)[0]

    def amplitude(radius_um: float) -> complex:
        def part(of: int) -> float:
            def integrand(rho: float) -> float:
                apodisation = (1 - (aperture * rho / 1.33) ** 2) ** -0.25
                phase = (
                    2 * np.pi / wavelength * (gibson_lanni_um(rho, aperture, z_um) - gibson_lanni_um(0, aperture, 0))
                )
                wave = j0(2 * np.pi * aperture * rho * radius_um / (20 * wavelength)) * rho * apodisation
                return float(wave * (np.cos(phase), np.sin(phase))[of])

            return float(quad(integrand, 0, 1, limit=400)[0])

        return complex(part(0), part(1))

    radii = np.linspace(0, 82, 250)
    intensity = np.array([abs(amplitude(radius)) ** 2 for radius in radii])
    # Energy through the pupil is one: 2 pi int |A|^2 rho drho, here with the scale of frequencies.
    energy = quad(lambda rho: rho * (1 - (aperture * rho / 1.33) ** 2) ** -0.5, 0, 1)[0]
    intensity *= 2 * np.pi * (aperture / (20 * wavelength)) ** 2 / energy
    # Five samples a pixel's side, to integrate over it.
    places = (np.arange(51 * 5) - (51 * 5 - 1) / 2) * optics.pixel_um / 5
    expected = np.interp(np.hypot(places[:, None], places), radii, intensity).reshape(51, 5, 51, 5).mean((1, 3))
    middle = (image.shape[0] - 51) // 2
    inside = image[middle : middle + 51, middle : middle + 51] / optics.pixel_um**2
    assert np.linalg.norm(inside - expected) < 0.01 * np.linalg.norm(expected)


def test_layers_of_one_index_are_none() -> None:
    same = Layers(immersion_index=1.33, coverslip_index=1.33, coverslip_design_index=1.33, focus_depth_um=77.0)
    sines = np.linspace(0, 0.9, 40)
    plain, layered = (Pupil(0.9, 1.33, layers).path_um(-8.0, sines, 0.1 * sines) for layers in (None, same))
    np.testing.assert_allclose(layered, plain, atol=1e-9)


@pytest.mark.parametrize("sine", [0.1, 0.5, 1.0, 1.2])
def test_rays_through_a_mismatch_focus_where_snells_law_says(sine: float) -> None:
    """AFP / NFP = tan(theta_1) / tan(theta_2) for a nominal focus at depth NFP (Hell 1993, J. Microsc. 169, 391)."""
    nominal_um, oil, sample = 50.0, 1.515, 1.33
    layers = Layers(
        immersion_index=oil,
        coverslip_index=oil,
        coverslip_design_index=oil,
        focus_depth_um=nominal_um * sample / oil,
    )
    tangents = [sine / np.sqrt(index**2 - sine**2) for index in (oil, sample)]
    actual_um = nominal_um * tangents[0] / tangents[1]
    down, _ = Pupil(1.25, sample, layers).gradient_um(layers.focus_depth_um - actual_um, np.array(sine), np.array(0.0))
    assert abs(down) < 1e-9
    away, _ = Pupil(1.25, sample, layers).gradient_um(
        layers.focus_depth_um - actual_um + 1, np.array(sine), np.array(0.0)
    )
    assert away == pytest.approx(tangents[1])


@pytest.mark.parametrize("aberration", [(), ((3, -1, 0.2), (4, 0, 0.1))])
def test_the_gradient_is_the_paths(aberration: tuple[tuple[int, int, float], ...]) -> None:
    rng = np.random.default_rng(5)
    down, right = rng.uniform(-0.6, 0.6, (2, 50))
    pupil = Pupil(0.9, 1.33, WATER, aberration)
    step = 1e-4
    expected = [
        (pupil.path_um(3.0, down + dy, right + dx) - pupil.path_um(3.0, down - dy, right - dx)) / (2 * step)
        for dy, dx in ((step, 0.0), (0.0, step))
    ]
    np.testing.assert_allclose(pupil.gradient_um(3.0, down, right), expected, atol=1e-5)


@pytest.mark.parametrize(("aperture", "index"), [(0.5, 1.33), (1.2, 1.35), (1.45, 1.33)])
def test_samples_of_the_pupil_hold_its_energy(aperture: float, index: float) -> None:
    pupil = Pupil(aperture, index)
    expected, _ = quad(lambda angle: 2 * np.pi * index**2 * np.sin(angle), 0, np.arcsin(min(aperture / index, 1)))
    assert pupil.energy == pytest.approx(expected)
    step = 2 * aperture / 61
    places = step * np.arange(-40, 41)
    radius = np.hypot(places[:, None], places)
    amplitude = pupil.amplitude(radius, step)
    # What a soft edge takes away is light far from the image; an edge at the critical angle is infinitely bright.
    tolerance = 0.1 if aperture > index else 0.02
    assert (amplitude**2).sum() * step**2 == pytest.approx(expected, rel=tolerance)
    assert amplitude[radius > pupil.edge + step].max() == 0
    assert pupil.amplitude(np.array([0.0]), step)[0] == pytest.approx(1, abs=1e-3)


def test_light_beyond_the_critical_angle_is_missing() -> None:
    assert Pupil(1.45, 1.33).edge == 1.33
    oil = Layers(immersion_index=1.515)
    optics = instrument(numerical_aperture=1.45, magnification=60.0, medium_index=1.33, layers=oil)
    image = point_images(optics, 0.0, [(0.0, 0.0)], 4, np.float64, guard_lenslets=3.0)[0]
    assert 0.93 < image.sum() < 1.01


def test_zernike_polynomials_are_orthonormal_over_the_disc() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(12)
    radius, angle = np.sqrt((nodes + 1) / 2)[:, None], 2 * np.pi * np.arange(32) / 32
    values = np.array([zernike(n, m, radius * np.sin(angle), radius * np.cos(angle)) for n, m in ORDERS])
    products = np.einsum("iab,jab,a->ij", values, values, weights / 2) / 32
    np.testing.assert_allclose(products, np.eye(len(ORDERS)), atol=1e-12)


def test_zernike_polynomials_are_nolls() -> None:
    y, x = np.random.default_rng(3).uniform(-0.7, 0.7, (2, 20))
    squared = x**2 + y**2
    nolls = {
        (1, 1): 2 * x,
        (1, -1): 2 * y,
        (2, 0): np.sqrt(3) * (2 * squared - 1),
        (2, 2): np.sqrt(6) * (x**2 - y**2),
        (2, -2): np.sqrt(6) * 2 * x * y,
        (3, 1): np.sqrt(8) * (3 * squared - 2) * x,
        (3, -3): np.sqrt(8) * (3 * x**2 * y - y**3),
        (4, 0): np.sqrt(5) * (6 * squared**2 - 6 * squared + 1),
    }
    for (n, m), expected in nolls.items():
        np.testing.assert_allclose(zernike(n, m, y, x), expected, atol=1e-12)


def test_tilt_moves_images() -> None:
    path_um, optics = 0.4, instrument()
    # W = path 2 y / NA, and rays cross the object plane off by minus its gradient.
    moved = (-2 * path_um / optics.numerical_aperture, 0.3)
    tilted = point_images(instrument(zernike=((1, -1, path_um),)), 7.0, [(0.0, 0.3)], 5, np.float64)
    np.testing.assert_allclose(tilted, point_images(optics, 7.0, [moved], 5, np.float64), atol=1e-12)


def test_zernike_defocus_is_depth_at_a_small_aperture() -> None:
    aperture, z_um, index = 0.1, 60.0, 1.33
    path_um = z_um * aperture**2 / (4 * np.sqrt(3) * index)
    plain = instrument(numerical_aperture=aperture, focal_length_um=12000.0, sensor_distance_um=12000.0)
    defocused = instrument(
        numerical_aperture=aperture, focal_length_um=12000.0, sensor_distance_um=12000.0, zernike=((2, 0, path_um),)
    )
    place = [(0.4, -1.0)]
    deep = point_images(plain, z_um, place, 4, np.float64)
    assert np.linalg.norm(point_images(defocused, 0.0, place, 4, np.float64) - deep) < 0.01 * np.linalg.norm(deep)
    assert np.linalg.norm(point_images(plain, 0.0, place, 4, np.float64) - deep) > 0.1 * np.linalg.norm(deep)


@pytest.mark.parametrize(("n", "m"), [*((n, m) for n, m in ORDERS if n < 5), (5, 5), (5, -3), (6, -6), (6, 4)])
def test_the_symmetry_that_is_stated_is_the_images(n: int, m: int) -> None:
    optics = instrument(zernike=((n, m, 0.15),), numerical_aperture=0.4)
    image, down, right, both, exchanged = point_images(
        optics, 9.0, [(1.3, 0.6), (-1.3, 0.6), (1.3, -0.6), (-1.3, -0.6), (0.6, 1.3)], 5, np.float64
    )
    relatives = {
        "mirror_y": down[::-1],
        "mirror_x": right[:, ::-1],
        "inversion": both[::-1, ::-1],
        "exchange": exchanged.T,
    }
    for name, relative in relatives.items():
        distance = np.linalg.norm(relative - image) / np.linalg.norm(image)
        if getattr(optics.symmetry, name):
            assert distance < 1e-10, name
        else:
            assert distance > 0.01, name


def test_the_blur_of_layers_holds_the_light() -> None:
    optics = instrument(numerical_aperture=0.9, layers=WATER, zernike=((4, 0, 0.3),))
    for z_um in (0.0, 5.0, -8.0):
        image = point_images(optics, z_um, [(0.0, 0.0)], None, np.float64, guard_lenslets=3.0)[0]
        assert image.sum() > 0.97
