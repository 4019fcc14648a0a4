"""Check: what a run of a data set would compute, and where settings and data disagree."""

import math
import os
from dataclasses import dataclass

from lfcore.calibration.lattice import Calibration
from lfcore.settings import Settings
from lfcore.stages.advice import Advice, advise
from lfcore.stages.dataset import DataSet
from lfcore.stages.grid import VolumeGrid, volume_grid
from lfcore.stages.lattice import find_lattice
from lfcore.stages.plan import estimates

PITCH_TOLERANCE = 0.02
"""A measured pitch this far from the nominal one, relatively, is nothing to warn of."""

APERTURE_TOLERANCE = 1.05
"""A pupil's image this much wider than a lenslet is nothing to warn of."""


@dataclass(frozen=True)
class Finding:
    """What would be computed from a data set; ``output_bytes`` is that of all frames, uncompressed.

    ``advice`` is on how to sample the volume, None for a Fourier light field microscope.
    """

    calibration: Calibration
    grid: VolumeGrid
    output_bytes: int
    estimates: dict[str, dict[str, float]]
    warnings: list[str]
    advice: Advice | None


def check(found: DataSet) -> Finding:
    """Find the lattice and derive everything from it. Raises ``CalibrationError`` when there is none."""
    settings = found.settings
    radiometry, light_field, dark = (
        [file.path for file in found.of(role)] for role in ("radiometry", "light_field", "dark")
    )
    lattice = find_lattice(settings, radiometry, light_field, dark)
    calibration = lattice.fit.calibration
    grid = volume_grid(settings, calibration)
    itemsize = 2 if settings.output.dtype == "uint16" else 4
    costs = estimates(found)
    return Finding(
        calibration=calibration,
        grid=grid,
        output_bytes=len(found.frames()) * math.prod(grid.shape) * itemsize,
        estimates=costs,
        warnings=[
            *(f"{file.problem}; it will be set aside" for file in found.of("light_field") if file.problem),
            *filter(None, [lattice.warning]),
            *_pitch_warning(settings, calibration),
            *_aperture_warning(settings, calibration),
            *_memory_warning(max(int(cost["memory_bytes"]) for cost in costs.values())),
        ],
        advice=advise(settings, calibration),
    )


def _pitch_warning(settings: Settings, calibration: Calibration) -> list[str]:
    measured, nominal = calibration.lattice.mean_pitch_px, settings.nominal_pitch_px
    if calibration.lattice.kind == "none" or abs(measured / nominal - 1) <= PITCH_TOLERANCE:
        return []
    implied_um = measured * settings.camera.pixel_at_array_um
    keys = f"microlens_array.pitch_um {settings.microlens_array.pitch_um:g} and camera.pixel_um"
    return [
        f"the lattice's pitch is {measured:.3f} px, but {keys} say {nominal:.3f} px; the measured one is used"
        f" (a pitch of {implied_um:.4g} um); check the camera pixel and the relay's magnification"
    ]


def _aperture_warning(settings: Settings, calibration: Calibration) -> list[str]:
    """The pupil's image on the camera against a lenslet: they fit when the working f-numbers do (Levoy 2006)."""
    optics, array = settings.microscope, settings.microlens_array
    if calibration.lattice.kind == "none":
        return []
    pitch_um = calibration.lattice.mean_pitch_px * settings.camera.pixel_at_array_um
    diameter_um = 2 * array.focal_length_um * optics.numerical_aperture / optics.true_magnification
    if diameter_um <= APERTURE_TOLERANCE * pitch_um:
        return []
    return [
        f"the pupil's image is {diameter_um:.0f} um wide under a lenslet of {pitch_um:.0f} um, so neighbours overlap;"
        " check microscope.numerical_aperture, magnification and microlens_array.focal_length_um"
    ]


def _memory_warning(needed: int) -> list[str]:
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed <= present:
        return []
    return [
        f"a job needs {needed / 2**30:.1f} GiB of memory and this machine has {present / 2**30:.1f} GiB;"
        " use fewer planes or samples_per_lenslet, or a larger machine"
    ]
