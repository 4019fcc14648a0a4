"""Resampling of camera frames on an OpenCL device (``kernels/rectify.cl``); the twin of ``rectify.Rectifier``."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfcore.calibration.model import Calibration
from lfcore.calibration.rectify import rectifier
from lfcore.opencl.session import Lease, Session

GROUP = (32, 8)
SAMPLES = "places of samples"

FLOAT_BYTES = 4
SAMPLE_BYTES = 12
"""Of each sample, the nearest pixel and the way from there."""

PIXEL_BYTES = 13
"""Of each camera pixel, its value, the filter's input and output, and whether it is missing."""

ROUNDING_BYTES = 2**10
"""Buffers are whole numbers of 16 bytes."""


class DeviceRectifier:
    """Resamples frames of one camera to one lattice and leaves them on the device.

    A call returns when its kernels are queued, not when they are done.
    """

    def __init__(self, session: Session, calibration: Calibration) -> None:
        """Prepare for frames of ``calibration.image_shape``."""
        self.session, self.twin = session, rectifier(calibration)
        self.kernels = session.kernels(("rectify.cl",), {})
        self.nearest = session.upload(np.where(self.twin.off_camera, np.int32(-1), self.twin.nearest), SAMPLES)
        pixels = np.stack(np.divmod(self.twin.nearest, self.twin.camera_shape[1]), axis=-1)
        self.offsets = session.upload((self.twin.places() - pixels).astype(np.float32), SAMPLES)

    def __call__(self, frame: NDArray[np.integer[Any] | np.floating[Any]]) -> Lease:
        """Rectified frame (rows * N, columns * N) float32 of ``frame`` (y, x), NaN where missing; as the twin has it.

        Counts of 16 bits travel as they are, all else as float32. Raises ``DataError`` as the twin does.
        """
        self.twin.refuse_other_shapes(frame.shape)
        counts = frame.dtype == np.uint16
        camera = self.session.upload(frame if counts else np.asarray(frame, np.float32), "camera frame")
        height, width = frame.shape
        size = np.array([width, height], np.int32)
        filled, spline = (self.session.take("spline of a frame", FLOAT_BYTES * frame.size) for _ in range(2))
        spoiled = self.session.take("missing pixels", frame.size)
        prepare = "from_counts" if counts else "from_values"
        self._launch(prepare, (width, height), camera, size, filled, spoiled)
        self._launch("spline_filter", (width, height), filled, size, np.int32(0), spline)
        self._launch("spline_filter", (width, height), spline, size, np.int32(1), filled)
        rows, columns = self.twin.shape
        rectified = self.session.take("rectified frame", FLOAT_BYTES * rows * columns)
        sampling = (self.nearest, self.offsets, np.int32(self.twin.samples), np.array([columns, rows], np.int32))
        self._launch("resample", (columns, rows), filled, spoiled, size, *sampling, rectified)
        return rectified

    def _launch(self, name: str, size: tuple[int, int], *arguments: object) -> None:
        items = [-(-length // group) * group for length, group in zip(size, GROUP, strict=True)]
        self.session.launch(self.kernels[name], items, GROUP, *arguments)


def device_bytes(calibration: Calibration) -> int:
    """The most memory that a ``DeviceRectifier`` of this calibration takes on a device while one frame is rectified."""
    twin = rectifier(calibration)
    kept = SAMPLE_BYTES * math.prod(twin.sampled_shape)
    return kept + PIXEL_BYTES * math.prod(twin.camera_shape) + FLOAT_BYTES * math.prod(twin.shape) + ROUNDING_BYTES
