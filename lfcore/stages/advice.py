"""Advice on where to sample a volume: what the optics resolve, a proposal, and how the settings compare with it."""

import math
from dataclasses import dataclass

from lfcore.calibration.lattice import Calibration
from lfcore.optics.instrument import Instrument
from lfcore.optics.proposal import Proposal, propose
from lfcore.optics.resolution import Resolution, diffraction_limit, near_um, resolution_curve, useful_um
from lfcore.report.curves import resolution_picture
from lfcore.settings import Settings
from lfcore.stages.grid import instrument_of

TOO_FINE = 2.0
"""Sampling finer than the optics need by more than this costs memory and time and shows nothing more."""


@dataclass(frozen=True)
class Advice:
    """``curve`` and ``proposal`` with their ``reasons``; ``remarks`` say where the settings differ, with consequences.

    ``shape`` is the volume's (z, y, x) as proposed.
    """

    instrument: Instrument
    curve: Resolution
    proposal: Proposal
    shape: tuple[int, int, int]
    reasons: list[str]
    remarks: list[str]

    def picture(self) -> bytes:
        """The curve as PNG, with the planes' range and the limit of one sample a lenslet."""
        return resolution_picture(
            self.curve.z_um,
            self.curve.band_limit,
            self.curve.lenslet_limit,
            self.curve.depth_um,
            valid_from_um=near_um(self.instrument),
            pitch_um=self.instrument.object_pitch_um,
        )


def advise(settings: Settings, calibration: Calibration) -> Advice | None:
    """Advice for a calibrated data set, some seconds of work; None where the array lies in the pupil."""
    if settings.microlens_array.lattice == "none":
        return None
    instrument = instrument_of(settings, calibration)
    curve = resolution_curve(instrument)
    proposal = propose(instrument, curve)
    down, right = instrument.cell.samples(proposal.samples_per_lenslet)
    shape = (proposal.planes, calibration.rows * down, calibration.columns * right)
    remarks = [
        *_on_range(settings.volume.planes_um, useful_um(instrument)),
        *_on_step(settings.volume.planes_um, proposal),
        *_on_samples(settings.volume.samples_per_lenslet, proposal),
    ]
    return Advice(instrument, curve, proposal, shape, _reasons(instrument, curve, proposal), remarks)


def _reasons(instrument: Instrument, curve: Resolution, proposal: Proposal) -> list[str]:
    best, native = curve.best, curve.z_um.index(0.0)
    lateral_um = 1 / curve.band_limit[best]
    return [
        f"range: each view is sharp within {useful_um(instrument):.4g} um of the native plane (Levoy 2006)",
        f"step: half of the {min(curve.depth_um):.3g} um resolved along z at best",
        f"samples: two in the {lateral_um:.3g} um resolved laterally at {abs(curve.z_um[best]):.3g} um from the native"
        f" plane are {proposal.least_samples} a lenslet; odd, so that one lies on the lenslet's axis",
        f"limits: {1 / curve.band_limit[native]:.3g} um at the native plane, so put the sample beside it;"
        f" {1 / diffraction_limit(instrument):.3g} um for the objective by itself",
    ]


def _on_range(planes_um: tuple[float, ...], useful: float) -> list[str]:
    beyond = sum(abs(z_um) > useful * (1 + 1e-6) for z_um in planes_um)
    if not beyond:
        return []
    return [f"volume.z_um: {beyond} of {len(planes_um)} planes lie outside +-{useful:.4g} um, where views are blurred"]


def _on_step(planes_um: tuple[float, ...], proposal: Proposal) -> list[str]:
    if len(planes_um) < 2:
        return []
    step_um = (planes_um[-1] - planes_um[0]) / (len(planes_um) - 1)
    if step_um > proposal.largest_step_um * (1 + 1e-6):
        coarse = f"{step_um:.3g} um is coarser than the {proposal.largest_step_um:.3g} um that the best depth needs"
        return [f"volume.z_um: a step of {coarse}; light between planes is put on the wrong ones"]
    if step_um * TOO_FINE < proposal.step_um:
        ratio = f"{proposal.step_um / step_um:.2g} times the planes"
        return [f"volume.z_um: a step of {step_um:.3g} um is finer than what is resolved; {ratio} show nothing more"]
    return []


def _on_samples(samples: int, proposal: Proposal) -> list[str]:
    if samples < proposal.least_samples:
        return [
            f"volume.samples_per_lenslet: {samples} is coarser than the {proposal.least_samples} that the best depth"
            " needs; detail is lost there"
        ]
    if samples > TOO_FINE * proposal.samples_per_lenslet:
        ratio = math.floor((samples / proposal.samples_per_lenslet) ** 2)
        return [
            f"volume.samples_per_lenslet: {samples} is finer than what is resolved; {ratio} times the voxels of"
            f" {proposal.samples_per_lenslet} show nothing more"
        ]
    return []
