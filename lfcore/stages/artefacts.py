"""What is done against the lattice near the native plane, before a run's solver and after it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.optics.instrument import Instrument
from lfcore.projection.axial_basis import axial_basis, axial_widths_um, combined
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.protocol import Host, Projector, Resident
from lfcore.settings import Reconstruction
from lfcore.solvers.lattice_pattern import without_lattice_pattern

NEAR_LENSLETS = 2.0
"""The lattice's pattern is taken off planes where a point's blur reaches no further than this."""


@dataclass(frozen=True)
class ArtefactRemoval:
    """``basis`` (plane, function) of the volume, if it is not that of single planes; ``patterned`` (plane,) planes.

    ``samples`` (y, x) are those of a cell.
    """

    basis: npt.NDArray[np.float32] | None
    patterned: npt.NDArray[np.bool_]
    samples: tuple[int, int]

    @classmethod
    def of(cls, settings: Reconstruction, instrument: Instrument, kernels: Sequence[PlaneKernels]) -> "ArtefactRemoval":
        """What ``settings`` ask for; an array in the pupil has no native plane, and nothing is done for it."""
        planes, samples = [kernel.z_um for kernel in kernels], kernels[0].samples
        if instrument.lattice == "none":
            return cls(None, np.zeros(len(planes), np.bool_), samples)
        depth, basis = settings.anti_aliasing, None
        if depth:
            basis = axial_basis(planes, axial_widths_um(instrument, planes, depth))
        near = [instrument.blur_radius_lenslets(z_um) <= NEAR_LENSLETS for z_um in planes]
        return cls(basis, np.array(near) & settings.lattice_suppression, samples)

    @classmethod
    def nothing(cls) -> "ArtefactRemoval":
        """The volume as the solver leaves it."""
        return cls(None, np.zeros(0, np.bool_), (1, 1))

    def kernels(self, kernels: Sequence[PlaneKernels]) -> Sequence[PlaneKernels]:
        """The kernels that the solver works with."""
        return kernels if self.basis is None else combined(kernels, self.basis)

    def volume(self, projector: Projector[Resident], coefficients: Resident) -> Resident:
        """The volume that the solver's result stands for; may use up ``coefficients``."""
        return coefficients if self.basis is None else projector.mix_planes(coefficients, self.basis)

    def without_pattern(self, volume: Host) -> Host:
        """The volume (frame, z, y, x) as it is written."""
        if not self.patterned.any():
            return volume
        return without_lattice_pattern(np.asarray(volume, np.float32), self.samples, self.patterned)
