"""ADMM against scipy's minimiser of the same functional, and its prox against a search."""

import numpy as np
import pytest
from scipy.optimize import minimize

from lfcore.projection.variation import divergence, gradient
from lfcore.solvers.admm_tv import shrunk
from lfcore.solvers.linear import FrameOperator
from lfcore.solvers.problem import Options
from lfcore.solvers.solve import solve
from tests.solvers.dense import Dense, Floats, tiny_problem


@pytest.fixture(scope="module")
def dense() -> Dense:
    return tiny_problem(seed=91)


class Functional:
    """``1/2 |A x/s - c/(s m)|^2 + r sum phi(|grad x|)`` of a flat volume, and its slope.

    ``width`` rounds the corner of ``phi``.
    """

    def __init__(self, dense: Dense, strength: float, width: float) -> None:
        matrix, data = dense.scaled
        # What both share is the scale; that the norm is right is tested with the operator.
        norm = FrameOperator(dense.problem, 0).norm
        self.shape = 1, *dense.problem.projector.volume_shape
        self.brightness = np.linalg.norm(data) / norm / np.sqrt(matrix.shape[1])
        self.matrix, self.data = matrix / norm, data / (norm * self.brightness)
        self.strength, self.width = strength, width

    def value(self, volume: Floats) -> float:
        length = np.sqrt(np.square(gradient(volume.reshape(self.shape))).sum(0))
        phi = np.where(length < self.width, length**2 / (2 * self.width), length - self.width / 2)
        return float(np.square(self.matrix @ volume - self.data).sum() / 2 + self.strength * phi.sum())

    def slope(self, volume: Floats) -> Floats:
        steps = gradient(volume.reshape(self.shape))
        length = np.sqrt(np.square(steps).sum(0))
        inner = divergence(steps / np.maximum(length, self.width)).ravel()
        return np.asarray(self.matrix.T @ (self.matrix @ volume - self.data) - self.strength * inner)

    def least(self) -> Floats:
        """By quasi-Newton steps within bounds."""
        count = self.matrix.shape[1]
        bounds, options = [(0, None)] * count, {"maxiter": 3_000, "maxfun": 6_000, "ftol": 1e-15, "gtol": 1e-10}
        found = minimize(self.value, np.ones(count), jac=self.slope, method="L-BFGS-B", bounds=bounds, options=options)
        return np.asarray(found.x)


@pytest.mark.parametrize(("strength", "huber"), [(0.02, 0.5), (0.05, 0.3)])
def test_with_hubers_corner_it_is_the_least_there_is(dense: Dense, strength: float, huber: float) -> None:
    functional = Functional(dense, strength, huber)
    expected = functional.least()
    solution = solve("admm_tv", dense.problem, Options(300, regularisation=strength, huber=huber))
    found = dense.problem.projector.unpack_volume(solution.volume).ravel() / functional.brightness
    assert functional.value(found) < functional.value(expected) * (1 + 1e-5)
    assert np.linalg.norm(found - expected) < 0.01 * np.linalg.norm(expected)


def test_without_it_nothing_is_lower(dense: Dense) -> None:
    """The corner is rounded for scipy alone, by so little that the values compare."""
    exact, rounded = Functional(dense, 0.02, 1e-12), Functional(dense, 0.02, 3e-2)
    expected = rounded.least()
    solution = solve("admm_tv", dense.problem, Options(250, regularisation=0.02))
    found = dense.problem.projector.unpack_volume(solution.volume).ravel() / exact.brightness
    assert exact.value(found) < exact.value(expected) * 1.001


def test_more_regularisation_gives_less_variation(dense: Dense) -> None:
    totals = []
    for strength in (0.002, 0.02, 0.2):
        solution = solve("admm_tv", dense.problem, Options(100, regularisation=strength))
        volume = dense.problem.projector.unpack_volume(solution.volume)
        totals.append(np.sqrt(np.square(gradient(volume)).sum(0)).sum())
    assert totals[0] > totals[1] > totals[2]


@pytest.mark.parametrize("huber", [0.0, 0.4])
def test_shrinking_is_the_least_of_its_functional(huber: float) -> None:
    """Along the vector's own direction, by a search over lengths."""
    generator, threshold = np.random.default_rng(92), 0.3
    vectors = generator.normal(size=(3, 1, 2, 3, 4)) * generator.choice([0.1, 1.0], (1, 1, 2, 3, 4))
    lengths = np.linalg.norm(vectors, axis=0)
    tried = np.linspace(0, 4, 40_001)
    phi = np.where(tried < huber, tried**2 / (2 * huber or 1), tried - huber / 2)
    found = np.linalg.norm(shrunk(vectors, threshold, huber), axis=0)
    for place in np.ndindex(lengths.shape):
        values = threshold * phi + (tried - lengths[place]) ** 2 / 2
        assert found[place] == pytest.approx(tried[values.argmin()], abs=2e-4)
