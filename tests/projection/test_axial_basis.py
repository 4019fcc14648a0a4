"""The axial basis: its shape, and that combined kernels are the operator of combined planes."""

import numpy as np
import pytest

from lfcore.optics.instrument import Instrument
from lfcore.projection.axial_basis import axial_basis, axial_widths_um, combined
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from tests.instruments import instrument

SEED = 11
PLANES_UM = (-24.0, -12.0, -4.0, 0.0, 4.0, 12.0, 24.0)


def test_widths_by_the_law_of_the_marginal_ray() -> None:
    water: Instrument = instrument()
    reach = 125 / 20 / np.tan(np.arcsin(0.5 / 1.33))
    np.testing.assert_allclose(axial_widths_um(water, [0, reach, 4 * reach, -4 * reach], 0.5), reach / [2, 2, 4, 4])


def test_functions_hold_one_unit_of_light_each() -> None:
    basis = axial_basis(PLANES_UM, axial_widths_um(instrument(), PLANES_UM, 1.0))
    np.testing.assert_allclose(basis.sum(0), 1, rtol=1e-6)
    assert (basis >= 0).all()
    even = axial_basis(range(-9, 10), axial_widths_um(instrument(), range(-9, 10), 1.0))
    assert (even.argmax(0) == np.arange(19)).all()


@pytest.mark.parametrize("planes", [(3.0,), (-50.0, 0.0, 70.0)])
def test_functions_between_distant_planes_are_the_planes(planes: tuple[float, ...]) -> None:
    np.testing.assert_allclose(axial_basis(planes, np.full(len(planes), 5.0)), np.eye(len(planes)), atol=1e-6)


def test_combined_kernels_project_as_combined_planes_do() -> None:
    optics, generator = instrument(), np.random.default_rng(SEED)
    kernels = [plane_kernels(optics, z_um, 3) for z_um in PLANES_UM]
    basis = axial_basis(PLANES_UM, axial_widths_um(optics, PLANES_UM, 1.0))
    plain, folded = (NumpyProjector(some, 4, 5, np.float64) for some in (kernels, combined(kernels, basis)))
    coefficients = generator.random((2, *plain.volume_shape))
    volume = plain.mix_planes(plain.pack_volume(coefficients), basis)
    np.testing.assert_allclose(
        plain.unpack_volume(volume), np.einsum("jk,tkyx->tjyx", basis.astype(np.float64), coefficients), rtol=1e-9
    )
    np.testing.assert_allclose(
        folded.forward(folded.pack_volume(coefficients)), plain.forward(volume), rtol=1e-5, atol=1e-9
    )
