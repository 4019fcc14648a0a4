"""Tikhonov's least squares against numpy's dense solution."""

import numpy as np
import pytest

from lfcore.solvers.linear import FrameOperator
from lfcore.solvers.problem import Options
from lfcore.solvers.solve import solve
from tests.solvers.dense import Dense, Floats, tiny_problem


@pytest.fixture(scope="module")
def dense() -> Dense:
    return tiny_problem(seed=81)


def tikhonov(dense: Dense, strength: float) -> Floats:
    """The least of ``|A x - c|^2 + (r s)^2 |x|^2``, with the solver's own ``s``; a test below holds that to numpy's."""
    matrix, data = dense.scaled
    damping = strength * FrameOperator(dense.problem, 0).norm
    above = np.vstack([matrix, damping * np.eye(matrix.shape[1])])
    return np.asarray(np.linalg.lstsq(above, np.concatenate([data, np.zeros(matrix.shape[1])]))[0])


@pytest.mark.parametrize("strength", [0.1, 0.3])
def test_it_is_the_dense_solution_without_its_negative_values(dense: Dense, strength: float) -> None:
    expected = tikhonov(dense, strength)
    assert expected.min() < 0
    solution = solve("least_squares", dense.problem, Options(60, regularisation=strength))
    found = dense.problem.projector.unpack_volume(solution.volume).ravel()
    assert np.linalg.norm(found - np.maximum(expected, 0)) < 1e-5 * np.linalg.norm(expected)


def test_where_it_starts_does_not_matter_in_the_end(dense: Dense) -> None:
    start = np.random.default_rng(82).exponential(30, (1, *dense.problem.projector.volume_shape))
    found, again = (
        dense.problem.projector.unpack_volume(solve("least_squares", dense.problem, Options(60), given).volume)
        for given in (None, start)
    )
    assert np.linalg.norm(found - again) < 1e-4 * np.linalg.norm(found)


def test_the_operator_is_the_scaled_matrix(dense: Dense) -> None:
    generator, operator = np.random.default_rng(83), FrameOperator(dense.problem, 0)
    volume, image = generator.normal(size=operator.voxels), generator.normal(size=operator.pixels)
    root = np.sqrt(dense.weight)
    np.testing.assert_allclose(operator.forward(volume), root * (dense.matrix @ volume), atol=1e-9)
    np.testing.assert_allclose(operator.adjoint(image), dense.matrix.T @ (root * image), atol=1e-9)
    assert operator.norm == pytest.approx(np.linalg.norm(dense.scaled[0], 2), rel=0.02)
