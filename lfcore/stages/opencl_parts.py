"""The parts of an engine that need OpenCL."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from lfcore.calibration.model import Calibration
from lfcore.calibration.opencl_rectify import DeviceRectifier
from lfcore.opencl.session import Session


def rectifier_on(session: Session, calibration: Calibration) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]:
    """The calibration's rectifier on the device of ``session``: from a camera frame to the rectified one."""
    rectify, size = DeviceRectifier(session, calibration), calibration.pixels_per_lenslet
    shape = calibration.rows * size, calibration.columns * size
    return lambda frame: session.download(rectify(frame), shape, np.float32)
