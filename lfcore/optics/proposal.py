"""Where to sample a volume, from what the microscope resolves: range and step of planes, samples a lenslet."""

import math
from dataclasses import dataclass

from lfcore.optics.instrument import Instrument
from lfcore.optics.resolution import Resolution, useful_um

ROUND = (8.0, 6.0, 5.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.2, 1.0)


@dataclass(frozen=True)
class Proposal:
    """Planes from ``-reach_um`` to ``reach_um``, ``step_um`` apart, and ``samples_per_lenslet``, which is odd.

    Both samplings have two samples a period, where the microscope resolves best: along x and y ``least_samples`` a
    lenslet are enough for that, along z steps of ``largest_step_um``.
    """

    reach_um: float
    step_um: float
    samples_per_lenslet: int
    least_samples: int
    largest_step_um: float

    @property
    def planes(self) -> int:
        """Number of planes."""
        return 2 * round(self.reach_um / self.step_um) + 1


def propose(instrument: Instrument, curve: Resolution) -> Proposal:
    """The proposal for ``curve``; its step is a round number, its range whole steps within the useful one.

    An odd number of samples has one on the axis of each lenslet, as volumes of other programs have.
    """
    least = math.ceil(2 * curve.band_limit[curve.best] * instrument.object_pitch_um)
    largest_um = min(curve.depth_um) / 2
    step_um = _rounded_down(largest_um)
    steps = max(1, math.floor(useful_um(instrument) / step_um))
    return Proposal(round(steps * step_um, 6), step_um, least + 1 - least % 2, least, largest_um)


def _rounded_down(length_um: float) -> float:
    """The next round number below: one of ``ROUND`` times a power of ten."""
    power = 10.0 ** math.floor(math.log10(length_um))
    return float(f"{power * next(mantissa for mantissa in ROUND if mantissa <= length_um / power * (1 + 1e-9)):.3g}")
