"""Richardson-Lucy with total variation: what its iterations end in, and what that is good for."""

import numpy as np
import pytest

from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.variation import divergence, gradient, lengths
from lfcore.simulation.compare import correlation
from lfcore.solvers import rl_tv
from lfcore.solvers.problem import Options, Problem, Weighting
from lfcore.solvers.solve import solve
from tests.instruments import instrument
from tests.solvers.dense import BACKGROUND, tiny_problem


def test_without_strength_it_is_richardson_lucy() -> None:
    problem = tiny_problem(seed=101).problem
    found, expected = (
        problem.projector.unpack_volume(solve(method, problem, Options(7, True, strength)).volume)
        for method, strength in (("rl_tv", 0.0), ("richardson_lucy", None))
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("accelerate", [False, True])
def test_where_it_ends_likelihood_and_variation_are_in_balance(
    monkeypatch: pytest.MonkeyPatch, accelerate: bool
) -> None:
    """``H^T(W b/(W H x + g)) / H^T W = 1 - lambda div(grad x/|grad x|)`` wherever there is light, with the matrix.

    Soft edges, since steps swing about the balance where sharp ones meet flat parts.
    """
    monkeypatch.setattr(rl_tv, "EDGE_SHARE", 1.0)
    dense, strength = tiny_problem(seed=102), 0.1
    projector, matrix, weight = dense.problem.projector, dense.matrix, dense.weight
    solution = solve("rl_tv", dense.problem, Options(1500, accelerate, strength))
    volume = projector.unpack_volume(solution.volume)
    mean = weight * (matrix @ volume.ravel()) + BACKGROUND
    normaliser = matrix.T @ weight
    seen = (normaliser > 0.1 * normaliser.max()).reshape(volume.shape)
    ratio = (matrix.T @ (weight * dense.counts / mean) / np.where(normaliser > 0, normaliser, 1)).reshape(volume.shape)
    start = projector.unpack_volume(solve("rl_tv", dense.problem, Options(0)).volume)
    smallest = rl_tv.EDGE_SHARE * np.sqrt(np.square(start).mean())
    slope = gradient(volume)
    balance = 1 - strength * divergence(slope / lengths(slope, smallest))
    bright = seen & (volume > 0.01 * volume[seen].max())
    assert bright.sum() >= 8
    np.testing.assert_allclose(ratio[bright], balance[bright], atol=0.02)


@pytest.mark.parametrize("accelerate", [False, True])
def test_it_keeps_noise_out_of_even_objects(accelerate: bool) -> None:
    """Blocks of light in few photons: nearer to the truth than plain Richardson-Lucy after as many iterations."""
    projector = NumpyProjector(
        [plane_kernels(instrument(pixels_per_lenslet=5), z_um, 3) for z_um in (-20.0, -10.0, 10.0, 20.0)], 7, 7
    )
    margin = 3 * projector.margin_cells[0]
    truth = np.zeros((1, *projector.volume_shape))
    inside = truth[0, :, margin:-margin, margin:-margin]
    inside[0:2, 3:9, 3:10], inside[2:4, 10:18, 11:17] = 1.0, 0.6
    light = np.maximum(projector.unpack_image(projector.forward(projector.pack_volume(truth))), 0)
    counts = np.random.default_rng(103).poisson(light * 20 / light.max() + BACKGROUND).astype(np.float32)
    problem = Problem(projector, counts, Weighting.of(projector, np.ones_like(counts)), np.array([BACKGROUND]))
    likeness = {
        method: correlation(
            projector.fetch_inside(solve(method, problem, Options(40, accelerate)).volume)()[0].astype(float), inside
        )
        for method in ("richardson_lucy", "rl_tv")
    }
    assert likeness["rl_tv"] > likeness["richardson_lucy"] + 0.02
