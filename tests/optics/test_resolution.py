"""What is resolved at each depth: the published formula, the operator's own limit, and the proposal made of them."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lfcore.optics.instrument import Instrument
from lfcore.optics.proposal import propose
from lfcore.optics.psf import point_images
from lfcore.optics.resolution import (
    Resolution,
    band_limit,
    depth_resolution_um,
    lenslet_limit,
    native_limit,
    near_um,
    recovery,
    resolution_curve,
    useful_um,
    views,
)
from lfcore.settings import Layers
from tests.instruments import TWENTY_TIMES, instrument


def test_the_formula_gives_the_published_numbers() -> None:
    """125 um lenslets behind a 20x: 0.94 * 0.51 um * 20 * 50 um / 125 um is a period of 3.835 um."""
    assert 1 / lenslet_limit(TWENTY_TIMES, 50.0) == pytest.approx(3.8352)
    assert lenslet_limit(TWENTY_TIMES, -50.0) == lenslet_limit(TWENTY_TIMES, 50.0)
    assert near_um(TWENTY_TIMES) == pytest.approx(38.30, abs=0.01)
    assert lenslet_limit(TWENTY_TIMES, 0.0) == lenslet_limit(TWENTY_TIMES, 1e-3) == pytest.approx(2 * 0.5 / 0.51)


def test_views_are_spots_or_pixels_and_make_the_useful_range() -> None:
    spots = 125 / (0.47 * 0.51 * 20 / 0.5)
    assert views(TWENTY_TIMES) == pytest.approx(spots)
    assert views(replace(TWENTY_TIMES, pixels_per_lenslet=9)) == 9
    # Levoy 2006: the depth of field of N_u views, of which half lies on each side.
    assert 2 * useful_um(TWENTY_TIMES) == pytest.approx((2 + spots**2) * 0.51 * 1.33 / (2 * 0.5**2))


def test_the_operator_dips_at_the_native_plane_and_follows_the_formula_far_from_it() -> None:
    """With a pixel of 7.4 um, which under these lenslets still shows the spot of one."""
    optics = replace(TWENTY_TIMES, pixels_per_lenslet=17)
    found = {z_um: band_limit(optics, z_um) for z_um in (0.0, 40.0, 60.0, 90.0)}
    assert found[0.0] == pytest.approx(native_limit(TWENTY_TIMES), rel=0.15)
    for z_um in (40.0, 60.0, 90.0):
        assert found[z_um] == pytest.approx(lenslet_limit(TWENTY_TIMES, z_um), rel=0.2)
    assert found[40.0] > found[60.0] > found[90.0] > found[0.0]


def test_less_light_resolves_less() -> None:
    limits = [band_limit(TWENTY_TIMES, 50.0, photons) for photons in (30, 100, 1000)]
    assert all(less < more for less, more in pairwise(limits))


def test_what_is_recovered_is_a_part_and_all_of_the_lowest_frequencies() -> None:
    frequencies, recovered = recovery(instrument(pixels_per_lenslet=11), 30.0)
    assert (np.diff(frequencies) > 0).all()
    assert ((recovered > 0) & (recovered < 1)).all()
    assert recovered[0] > 0.95


def test_the_symmetry_that_is_used_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    optics = instrument(pixels_per_lenslet=9)
    folded = recovery(optics, 21.0)[1]
    none = replace(optics.symmetry, mirror_x=False)
    monkeypatch.setattr(Instrument, "symmetry", property(lambda self: none))
    np.testing.assert_allclose(recovery(optics, 21.0)[1], folded, rtol=1e-3, atol=1e-5)


def test_beads_a_resolution_element_apart_in_depth_look_different() -> None:
    """At a quarter of it their images are nearly the same, at twice of it they are not alike."""
    for z_um in (20.0, 60.0):
        period_um = depth_resolution_um(TWENTY_TIMES, band_limit(TWENTY_TIMES, z_um))
        at = [point_images(TWENTY_TIMES, z_um + part * period_um, [(1.2, 0.6)], 10)[0] for part in (0, 0.25, 1, 2)]
        alike = [float(np.vdot(at[0], other) / np.linalg.norm(at[0]) / np.linalg.norm(other)) for other in at[1:]]
        assert alike[0] > 0.85
        assert alike[1] < 0.75
        assert alike[2] < 0.5


def test_the_curve_spans_the_useful_range_on_any_lattice() -> None:
    for lattice in ("square", "hexagonal"):
        optics = instrument(lattice=lattice, aperture=lattice, pixels_per_lenslet=5)
        curve = resolution_curve(optics)
        assert curve.z_um[0] == -curve.z_um[-1] == pytest.approx(-useful_um(optics))
        assert 0.0 in curve.z_um
        assert min(curve.band_limit) > 0
        assert curve.depth_um[curve.best] == min(curve.depth_um)


def test_a_band_of_wavelengths_counts_by_its_mean() -> None:
    band = instrument(spectrum=((0.49, 0.5), (0.53, 0.5)))
    np.testing.assert_allclose(resolution_curve(band).band_limit, resolution_curve(instrument()).band_limit)


def test_images_too_large_to_compute_leave_the_formula_or_the_native_limit() -> None:
    """An oil objective deep in water blurs a point over hundreds of lenslets."""
    oil = Layers(immersion_index=1.518, focus_depth_um=20)
    deep = instrument(magnification=60.0, numerical_aperture=1.4, layers=oil)
    curve = resolution_curve(deep)
    assert curve.band_limit[curve.z_um.index(0.0)] == native_limit(deep)
    assert all(math.isfinite(period_um) and period_um > 0 for period_um in curve.depth_um)


@pytest.mark.parametrize("best_per_um", [0.07, 0.24, 0.31, 0.33, 0.9])
def test_the_proposal_samples_the_best_depth_twice_a_period(best_per_um: float) -> None:
    depth = tuple(depth_resolution_um(TWENTY_TIMES, limit) for limit in (0.06, best_per_um, 0.06))
    curve = Resolution((-40.0, 0.0, 40.0), (0.06, best_per_um, 0.06), (0.3, 2.0, 0.3), depth)
    proposal = propose(TWENTY_TIMES, curve)
    assert proposal.samples_per_lenslet % 2 == 1
    assert proposal.samples_per_lenslet / TWENTY_TIMES.object_pitch_um >= 2 * best_per_um
    assert proposal.samples_per_lenslet - 2 < 2 * best_per_um * TWENTY_TIMES.object_pitch_um + 1
    assert proposal.largest_step_um / 2 < proposal.step_um <= proposal.largest_step_um
    assert useful_um(TWENTY_TIMES) - proposal.step_um < proposal.reach_um <= useful_um(TWENTY_TIMES)
    assert proposal.planes == 2 * math.floor(useful_um(TWENTY_TIMES) / proposal.step_um) + 1
