"""The projector of a run, on the device that was chosen or with numpy, and a smaller one when memory runs out."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from lfcore.calibration.model import Calibration
from lfcore.calibration.rectify import rectifier
from lfcore.errors import DeviceMemoryError
from lfcore.opencl.device import Device, usable_bytes
from lfcore.projection.device_memory import Case
from lfcore.projection.device_plan import plan_device
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.protocol import Projector

if TYPE_CHECKING:
    from lfcore.opencl.session import Session

LOG = logging.getLogger(__name__)
Image = npt.NDArray[np.float32]
Result = TypeVar("Result")


class Engine:
    """Rectifies and projects for one calibration, on ``device`` or, without one, with numpy."""

    def __init__(
        self,
        device: Device | None,
        kernels: Sequence[PlaneKernels],
        calibration: Calibration,
        accelerate: bool = False,
        frames: int = 1,
    ) -> None:
        self.device, self.kernels, self.calibration, self.frames = device, kernels, calibration, frames
        self.session: Session | None = None
        self._memory_bytes = 0 if device is None else usable_bytes(device)
        self._case = Case(
            calibration.rows,
            calibration.columns,
            calibration.pixels_per_lenslet,
            kernels[0].samples_per_lenslet,
            tuple(kernel.radius_lenslets for kernel in kernels),
            accelerate,
        )
        self._rectify: Callable[[npt.NDArray[Any]], Image] = rectifier(calibration)
        self.projector: Projector[Any] = self._build()

    def rectify(self, frame: npt.NDArray[Any]) -> Image:
        """(rows * N, columns * N) float32 of a camera frame (y, x), NaN where missing."""
        return self._rectify(frame)

    def attempt(self, work: Callable[[], Result]) -> Result:
        """Do ``work``; when the device's memory does not suffice after all, do it again with a smaller plan."""
        while True:
            try:
                return work()
            except DeviceMemoryError as error:
                self._shrink(error)

    def _build(self) -> Projector[Any]:
        if self.device is None:
            return NumpyProjector(self.kernels, self.calibration.rows, self.calibration.columns)
        # Only with a device, since the extra that brings OpenCL may not be installed.
        from lfcore.opencl.session import Session
        from lfcore.stages.opencl_parts import projector_for, rectifier_on

        while True:
            plan = plan_device(self.device, self._memory_bytes, self._case, self.frames)
            try:
                self.session = Session(self.device, self._memory_bytes)
                projector = projector_for(self.session, plan, self.kernels)
            except DeviceMemoryError as error:
                self._halve(error)
                continue
            LOG.info(
                "%s: %d tiles, %d frames at a time, %s precision, %.1f of %.1f GiB",
                *(self.device, plan.tiling.tiles, plan.frames, "reduced" if plan.shape.half else "single"),
                *(plan.needed_bytes / 2**30, self._memory_bytes / 2**30),
            )
            self._rectify = rectifier_on(self.session, self.calibration)
            return projector

    def _shrink(self, error: DeviceMemoryError) -> None:
        self._halve(error)
        # What the old projector holds must be gone before the new one asks.
        self.projector = _NOTHING
        if self.session is not None:
            self.session.release_free()
        self.projector = self._build()

    def _halve(self, error: DeviceMemoryError) -> None:
        LOG.warning("%s; planning with half of it", error)
        self._memory_bytes //= 2


_NOTHING: Any = None
