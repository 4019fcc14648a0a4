"""Scores, on planes and volumes whose figures follow from how they were made."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lfcore.errors import DataError
from lfcore.simulation.phantoms import render
from lfcore.simulation.scores import lattice_index, located, matched, psnr_db, ssim

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


def volumes(seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = gaussian_filter(rng.random((9, 12, 11)), 1)
    return truth + 0.05 * rng.normal(size=truth.shape), truth


def test_the_scale_is_the_best_one() -> None:
    volume, truth = volumes()
    scaled = matched(3.7 * volume, truth)
    factor = scaled[0, 0, 0] / volume[0, 0, 0]
    assert np.ptp(scaled / volume) == pytest.approx(0, abs=1e-12)
    least = np.sum((scaled - truth) ** 2)
    assert all(np.sum((part * factor * volume - truth) ** 2) > least for part in (0.99, 1.01))
    assert not matched(np.zeros_like(volume), truth).any()


def test_psnr_is_that_of_its_definition() -> None:
    truth = np.zeros((3, 4, 5))
    truth[1, 2, 3] = 8
    volume = truth.copy()
    volume[0, 0] += 2
    assert psnr_db(volume, truth) == pytest.approx(10 * np.log10(64 / (4 * 5 / 60)))
    assert psnr_db(truth, truth) == np.inf


def test_ssim_is_the_mean_of_all_windows() -> None:
    volume, truth = volumes()
    small, smaller = (0.01 * truth.max()) ** 2, (0.03 * truth.max()) ** 2
    found = []
    for corner in np.ndindex(3, 6, 5):
        a, b = (array[tuple(slice(c, c + 7) for c in corner)].ravel() for array in (volume, truth))
        (var_a, both), (_, var_b) = np.cov(a, b)
        top = (2 * a.mean() * b.mean() + small) * (2 * both + smaller)
        found.append(top / ((a.mean() ** 2 + b.mean() ** 2 + small) * (var_a + var_b + smaller)))
    assert ssim(volume, truth) == pytest.approx(np.mean(found))
    assert ssim(truth, truth) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
def test_beads_are_located_between_voxels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    voxels = np.array([[3.0, 8, 9], [8, 20, 30], [12, 33, 12]]) + rng.uniform(-0.5, 0.5, (3, 3))
    volume = render(voxels, rng.uniform(0.3, 1, (1, 3)), (16, 42, 40))[0]
    np.testing.assert_allclose(located(volume, voxels, np.full((3, 3), 2.0)), voxels, atol=0.02)


def test_a_bead_out_of_reach_is_not_found_and_takes_no_others_peak() -> None:
    voxels = np.array([[5.0, 10, 10], [5, 10, 13], [5, 30, 30]])
    volume = render(np.array([[5.0, 10, 11], [5, 30, 34]]), np.ones((1, 2)), (11, 42, 40))[0]
    found = located(volume, voxels, np.full((3, 3), 3.0))
    np.testing.assert_allclose(found[0], [5, 10, 11], atol=0.02)
    assert np.isnan(found[1:]).all()
    assert np.isfinite(located(volume, voxels, np.array([[3.0] * 3, [3.0] * 3, [3, 3, 5]]))[2]).all()


def test_nothing_is_located_in_the_dark() -> None:
    assert np.isnan(located(np.zeros((8, 9, 10)), np.full((2, 3), 4.0), np.ones((2, 3)))).all()


def test_a_bead_on_the_last_plane_is_located_there() -> None:
    volume = render(np.array([[0.0, 12, 12]]), np.ones((1, 1)), (8, 24, 24))[0]
    np.testing.assert_allclose(located(volume, np.array([[0.3, 12, 12]]), np.ones((1, 3))), [[0, 12, 12]], atol=0.02)
