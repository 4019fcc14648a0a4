"""Sampling: where the samples lie, and that no edge is ever hit."""

import numpy as np
import pytest

from lfcore.optics.grid import make_grid
from tests.instruments import instrument


@pytest.mark.parametrize("pixels", [4, 5, 15, 16])
@pytest.mark.parametrize("lenslets", [1, 7])
def test_samples_lie_symmetrically_and_beside_every_edge(pixels: int, lenslets: int) -> None:
    optics = instrument(pixels_per_lenslet=pixels)
    grid = make_grid(optics, 0.51, lenslets)
    positions = grid.positions_um()
    np.testing.assert_allclose(positions, -positions[::-1], atol=1e-9)
    assert grid.window == lenslets * pixels * grid.oversampling
    start = (grid.size - grid.window) // 2
    assert positions[start] == pytest.approx(-lenslets * optics.pitch_um / 2 + grid.step_um / 2)
    in_pixels = positions / grid.step_um + grid.window / 2
    np.testing.assert_allclose(in_pixels % 1, 0.5, atol=1e-6)
    assert np.abs(grid.position_in_lenslet_um()).max() < optics.pitch_um / 2


def test_the_step_takes_both_bandwidths() -> None:
    optics = instrument(pixels_per_lenslet=15)
    grid = make_grid(optics, 0.51, 3)
    pupil = optics.numerical_aperture / (optics.magnification * 0.51)
    lens = optics.pitch_um / (2 * optics.focal_length_um * 0.51)
    assert 1 / grid.step_um > 4 * (pupil + lens)


def test_a_guard_surrounds_the_window() -> None:
    optics = instrument()
    grid = make_grid(optics, 0.51, 3, guard_lenslets=2.0)
    assert (grid.size - grid.window) * grid.step_um >= 2 * 2 * optics.pitch_um
