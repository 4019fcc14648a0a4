"""Simulated frames: lattice, light and noise as they were put in."""

import numpy as np
import pytest

from lfcore.calibration.lattice import fit_lattice
from lfcore.optics.psf import point_images
from lfcore.simulation.camera import (
    DARK_COUNTS,
    FULL_SCALE,
    expected_frames,
    record,
    vignetting,
    white_frame,
    white_pattern,
)
from lfcore.simulation.dataset import Scenario, camera_px_of, make_bench
from lfcore.simulation.phantoms import Phantom
from tests.instruments import instrument


@pytest.mark.parametrize(("pitch_px", "rotation_deg"), [(11.4, 0.6), (10.0, 0.0), (13.3, -3.0)])
def test_the_white_frame_shows_the_lattice_that_was_put_in(pitch_px: float, rotation_deg: float) -> None:
    scenario = Scenario(rows=12, columns=15, pitch_px=pitch_px, rotation_deg=rotation_deg)
    bench = make_bench(instrument(pixels_per_lenslet=round(pitch_px)), scenario)
    frame = white_frame(bench)
    assert frame.shape == bench.image_shape
    found = fit_lattice(frame, pitch_px).calibration.lattice
    assert found.mean_pitch_px == pytest.approx(pitch_px, abs=0.01)
    assert found.rotation_deg == pytest.approx(rotation_deg, abs=0.03)
    if rotation_deg == 0.6:
        # Turned this little, the first whole lenslet is the scenario's first; its centre is the lattice's origin.
        np.testing.assert_allclose(found.origin_px, bench.lattice.origin_px, atol=0.1)


@pytest.mark.parametrize("rotation_deg", [0.0, 0.6, -4.0])
def test_the_scenarios_lenslets_lie_whole_on_the_camera(rotation_deg: float) -> None:
    bench = make_bench(instrument(), Scenario(rows=9, columns=14, rotation_deg=rotation_deg))
    edges = np.array([[r, c] for r in (-0.5, 8.5) for c in (-0.5, 13.5)])
    corners = edges @ bench.lattice.steps.T + bench.lattice.origin_px
    assert corners.min() >= -0.5
    assert (corners.max(0) <= np.array(bench.image_shape) - 0.5).all()
    assert bench.lattice.rotation_deg == pytest.approx(rotation_deg)


def test_a_point_gives_the_camera_its_point_image() -> None:
    """On a lattice that falls on the pixels, resampling is next to nothing, and the formula is the point image."""
    scenario = Scenario(rows=11, columns=13, pitch_px=9.0, rotation_deg=0.0)
    optics = instrument(pixels_per_lenslet=9)
    bench = make_bench(optics, scenario)
    pitch = optics.object_pitch_um
    place = (8.0, 5.2 * pitch, 6.9 * pitch)
    frames = expected_frames(bench, Phantom(np.array([place]), np.array([[1.0], [3.0]])))
    np.testing.assert_allclose(frames[1], 3 * frames[0])
    origin = np.array(bench.lattice.origin_px)
    corner = np.rint(origin - 4).astype(int)
    np.testing.assert_allclose(origin - 4, corner, atol=0.35)
    image = point_images(optics, 8.0, [(0.2 * pitch, -0.1 * pitch)], 4)[0]
    seen = frames[0][corner[0] + 9 : corner[0] + 90, corner[1] + 27 : corner[1] + 108]
    assert frames[0].sum() == pytest.approx(image.sum(), rel=0.01)
    y, x = np.mgrid[:81, :81]
    for axis in (y, x):
        shift = (axis * seen).sum() / seen.sum() - (axis * image).sum() / image.sum()
        assert abs(shift) <= 0.35


def test_points_add_up_wherever_they_lie() -> None:
    bench = make_bench(instrument(pixels_per_lenslet=9), Scenario(rows=9, columns=9, pitch_px=9.3))
    pitch = bench.instrument.object_pitch_um
    places = np.array([[5.0, 3.1 * pitch, 6.4 * pitch], [-7.0, 0.0, 8 * pitch], [5.0, 4.1 * pitch, 2.4 * pitch]])
    together = expected_frames(bench, Phantom(places, np.array([[1.0, 2.0, 0.5]])))
    alone = [
        expected_frames(bench, Phantom(places[i : i + 1], np.array([[light]])))
        for i, light in enumerate((1.0, 2.0, 0.5))
    ]
    np.testing.assert_allclose(together, sum(alone), atol=1e-7)


def test_the_chief_ray_meets_the_middle_of_the_image() -> None:
    bench = make_bench(instrument(pixels_per_lenslet=9), Scenario(rows=11, columns=13, pitch_px=9.3))
    pitch = bench.instrument.object_pitch_um
    phantom = Phantom(np.array([[-6.0, 5.3 * pitch, 7.2 * pitch]]), np.array([[1.0]]))
    frame = expected_frames(bench, phantom)[0]
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
    centre = (y * frame).sum() / frame.sum(), (x * frame).sum() / frame.sum()
    np.testing.assert_allclose(centre, camera_px_of(bench, phantom)[0], atol=2.0)


def test_the_white_pattern_does_not_depend_on_depth_and_has_the_squares_symmetry() -> None:
    optics = instrument(pixels_per_lenslet=9)
    pattern = white_pattern(optics)
    assert pattern.mean() == pytest.approx(1)
    for image in (pattern[::-1], pattern[:, ::-1], pattern.T):
        np.testing.assert_allclose(pattern, image, atol=1e-4)
    pitch, count = optics.object_pitch_um, 8
    offsets = ((np.arange(count) + 0.5) / count - 0.5) * pitch
    images = point_images(optics, 9.0, [(float(dy), float(dx)) for dy in offsets for dx in offsets], 4)
    near = images.reshape(-1, 9, 9, 9, 9).sum((0, 1, 3)).astype(float)
    assert np.abs(pattern - near / near.mean()).max() < 0.05


def test_vignetting_falls_towards_the_corners() -> None:
    light = vignetting((31, 41), 0.6)
    assert light[15, 20] == 1
    np.testing.assert_allclose(light[[0, 0, -1, -1], [0, -1, 0, -1]], 0.6)


def test_counts_have_the_noise_of_photons_and_of_reading() -> None:
    for photons, read_noise in [(0.0, 5.0), (400.0, 0.0), (100.0, 10.0)]:
        counts = record(np.full((300, 300), photons), read_noise, np.random.default_rng(6)).astype(float)
        assert counts.mean() == pytest.approx(DARK_COUNTS + photons, abs=0.3)
        # Rounding to whole counts adds a twelfth.
        assert counts.var() == pytest.approx(photons + read_noise**2 + 1 / 12 * (read_noise > 0), rel=0.03)


def test_counts_end_at_full_scale_and_at_nothing() -> None:
    rng = np.random.default_rng(7)
    assert record(np.full((4, 4), 1e6), 1.0, rng).min() == FULL_SCALE
    assert record(np.full((50, 50), -5.0), 200.0, rng).min() == 0
