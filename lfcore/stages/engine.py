"""The projector of a run, on the device that was chosen or with numpy, and a smaller one when memory runs out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from lfcore.calibration.model import Calibration
from lfcore.calibration.rectify import rectifier
from lfcore.errors import DeviceMemoryError
from lfcore.opencl.device import Device, usable_bytes
from lfcore.projection.device_memory import Case
from lfcore.projection.device_plan import DevicePlan, plan_device, smaller_plan
from lfcore.projection.host import host_projector, why_not_on_a_device
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.protocol import Projector

if TYPE_CHECKING:
    from lfcore.opencl.session import Session

LOG = logging.getLogger(__name__)
Image = npt.NDArray[np.float32]
Result = TypeVar("Result")


class Engine:
    """Rectifies and projects for one calibration, on ``device`` where its kernels can, else with numpy."""

    def __init__(
        self,
        device: Device | None,
        kernels: Sequence[PlaneKernels],
        calibration: Calibration,
        accelerate: bool = False,
        frames: int = 1,
    ) -> None:
        why_not = why_not_on_a_device(kernels[0])
        if device is not None and why_not is not None:
            LOG.info("%s: not used, its kernels cannot do %s; numpy does", device, why_not)
            device = None
        self.device, self.kernels, self.calibration, self.frames = device, kernels, calibration, frames
        self.session: Session | None = None
        self._plan: DevicePlan | None = None
        self._case = Case(
            calibration.rows,
            calibration.columns,
            kernels[0].pixels,
            kernels[0].samples,
            tuple(kernel.radius_cells for kernel in kernels),
            accelerate,
            exchange=kernels[0].symmetry.exchange,
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
                said = str(error)
            # Only now is gone what the work held, to which the error's traceback leads.
            self._shrink(said)

    def _build(self) -> Projector[Any]:
        if self.device is None:
            return host_projector(self.kernels, self.calibration.rows, self.calibration.columns)
        # Only with a device, since the extra that brings OpenCL may not be installed.
        from lfcore.calibration.opencl_rectify import device_bytes
        from lfcore.opencl.session import Session
        from lfcore.projection.opencl_planned import projector_for
        from lfcore.stages.opencl_parts import rectifier_on

        if self._plan is None:
            case = replace(self._case, other_bytes=device_bytes(self.calibration))
            self._plan = plan_device(self.device, usable_bytes(self.device), case, self.frames)
        while True:
            plan = self._plan
            LOG.info(
                "%s: %d tiles, %d frames at a time, %s precision, %.1f of %.1f GiB",
                *(self.device, plan.tiling.tiles, plan.frames, "reduced" if plan.shape.half else "single"),
                *(plan.needed_bytes / 2**30, plan.memory_bytes / 2**30),
            )
            try:
                self.session = Session(self.device, plan.memory_bytes)
                projector = projector_for(self.session, plan, self.kernels)
                self._rectify = rectifier_on(self.session, self.calibration)
            except DeviceMemoryError as error:
                said = str(error)
            else:
                return projector
            self._plan_smaller(said)

    def _shrink(self, said: str) -> None:
        self._plan_smaller(said)
        # What the old projector holds must be gone before the new one asks.
        self.projector = self._rectify = _NOTHING
        if self.session is not None:
            self.session.release_free()
        self.projector = self._build()

    def _plan_smaller(self, said: str) -> None:
        assert self._plan is not None, "numpy asks no device for memory"
        self._plan = smaller_plan(self._plan, self.frames)
        LOG.warning("%s; planning with half of it or the least, %.2g GiB", said, self._plan.memory_bytes / 2**30)


_NOTHING: Any = None
