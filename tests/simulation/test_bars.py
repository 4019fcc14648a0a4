"""Bars through the simulation and a reconstruction: what is resolved, against the published limit."""

import numpy as np
import pytest

from benchmarks.resolution import BROXTON, PER_UM, Target, contrasts, limit
from lfcore.optics.resolution import lenslet_limit, native_limit

SMALL = Target(lenslets=(3, 9), positions=12, rows=2, samples=7, iterations=25)


def test_bars_are_lost_where_the_published_limit_says() -> None:
    some = PER_UM[6::2]
    contrast = contrasts(BROXTON, 50.0, some, SMALL)
    assert contrast[0] > 0.8
    assert limit(some, contrast) == pytest.approx(lenslet_limit(BROXTON, 50.0), rel=0.2)


def test_bars_in_the_native_plane_are_lost_beyond_one_sample_a_lenslet() -> None:
    some = PER_UM[:9]
    contrast = contrasts(BROXTON, 0.0, some, SMALL)
    assert contrast[0] > 0.6
    assert limit(some, contrast) == pytest.approx(native_limit(BROXTON), rel=0.2)


def test_the_limit_lies_between_the_bars_on_both_sides_of_the_threshold() -> None:
    assert limit((0.1, 0.2, 0.4), np.array([0.9, 0.15, 0.05])) == pytest.approx(0.2 * 2**0.5)
    assert limit((0.1, 0.2), np.array([0.05, 0.0])) == 0.1
    assert limit((0.1, 0.2), np.array([0.9, 0.5])) == 0.2
