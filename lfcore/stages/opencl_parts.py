"""The parts of an engine that need OpenCL."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lfcore.calibration.model import Calibration
from lfcore.calibration.opencl_rectify import DeviceRectifier
from lfcore.errors import SettingsError
from lfcore.opencl.session import Session
from lfcore.projection.device_plan import DevicePlan
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.opencl_matrices import PlaneImages
from lfcore.projection.opencl_projector import OpenclProjector


def projector_for(session: Session, plan: DevicePlan, kernels: Sequence[PlaneKernels]) -> OpenclProjector:
    """A projector laid out by ``plan``. Raises ``SettingsError`` when the plan was made for another device."""
    if plan.device != session.device:
        raise SettingsError(f"a plan for {plan.device} cannot be used on {session.device}; make one for this device")
    images = (PlaneImages(kernel.radius_lenslets, session.upload(kernel.images, "images")) for kernel in kernels)
    shape, case = plan.shape, plan.shape.case
    return OpenclProjector(
        session,
        plan.tiling,
        list(images),
        case.samples,
        case.pixels,
        plan.frames,
        shape.half,
        tiles_at_a_time=plan.tiles_at_a_time,
        spends=not case.accelerate,
    )


def rectifier_on(session: Session, calibration: Calibration) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]:
    """The calibration's rectifier on the device of ``session``: from a camera frame to the rectified one."""
    rectify, size = DeviceRectifier(session, calibration), calibration.pixels_per_lenslet
    shape = calibration.rows * size, calibration.columns * size
    return lambda frame: session.download(rectify(frame), shape, np.float32)
