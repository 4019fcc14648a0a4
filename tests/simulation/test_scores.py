"""Scores, on planes and volumes whose figures follow from how they were made."""

import numpy as np
import pytest

from lfcore.errors import DataError
from lfcore.simulation.scores import lattice_index

CELLS = 21, 24
SAMPLES = 5


def noise(samples: tuple[int, int] = (SAMPLES, SAMPLES), seed: int = 3) -> np.ndarray:
    shape = [cells * count for cells, count in zip(CELLS, samples, strict=True)]
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("samples", [(5, 5), (3, 3), (2, 2), (7, 4), (4, 7)])
def test_white_noise_has_the_index_of_an_exponential_distribution(samples: tuple[int, int]) -> None:
    found = [lattice_index(noise(samples, seed), samples) for seed in range(40)]
    assert np.mean(found) == pytest.approx(1 / np.log(2), rel=0.1)


@pytest.mark.parametrize(("down", "right"), [(1, 0), (0, 2), (2, 3), (4, 4)])
def test_a_wave_of_whole_periods_a_lenslet_raises_it(down: int, right: int) -> None:
    y, x = np.mgrid[: CELLS[0] * SAMPLES, : CELLS[1] * SAMPLES]
    wave = np.cos(2 * np.pi * (down * y + right * x) / SAMPLES)
    plane = noise()
    assert lattice_index(plane + wave, SAMPLES) > 20 * lattice_index(plane, SAMPLES)


@pytest.mark.parametrize("periods", [1.5, 0.5, 2.4])
def test_a_wave_of_other_periods_does_not(periods: float) -> None:
    y, x = np.mgrid[: CELLS[0] * SAMPLES, : CELLS[1] * SAMPLES]
    plane = noise()
    for place in (y, x):
        wave = np.cos(2 * np.pi * periods * place / SAMPLES)
        assert lattice_index(plane + wave, SAMPLES) < 1.5 * lattice_index(plane, SAMPLES)


def test_neither_scale_nor_offset_nor_exchanged_axes_matter() -> None:
    plane = noise((4, 7))
    expected = lattice_index(plane, (4, 7))
    assert lattice_index(5 * plane + 100, (4, 7)) == pytest.approx(expected)
    assert lattice_index(plane.T, (7, 4)) == pytest.approx(expected)


def test_an_even_plane_has_none() -> None:
    assert lattice_index(np.full((40, 40), 3.0, np.float32), 4) == 0


@pytest.mark.parametrize(("shape", "samples"), [((21, 20), 5), ((20, 20), 1), ((3, 20, 20), 5)])
def test_what_holds_no_whole_cells_is_refused(shape: tuple[int, ...], samples: int) -> None:
    with pytest.raises(DataError, match="whole cells of two or more"):
        lattice_index(np.ones(shape), samples)
