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
    rectify = DeviceRectifier(session, calibration)
    return lambda frame: session.download(rectify(frame), calibration.rectified_shape, np.float32)
