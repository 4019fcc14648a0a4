"""Resampling of camera frames on an OpenCL device (``kernels/rectify.cl``); the twin of ``rectify.Rectifier``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfcore.calibration.model import Calibration
from lfcore.calibration.rectify import rectifier
from lfcore.opencl.session import Lease, Session

GROUP = (32, 8)


class DeviceRectifier:
    """Resamples frames of one camera to one lattice and leaves them on the device.

    A call returns when its kernels are queued, not when they are done.
    """

    def __init__(self, session: Session, calibration: Calibration) -> None:
        """Prepare for frames of ``calibration.image_shape``."""
        self.session, self.twin = session, rectifier(calibration)
        self.kernels = session.kernels(("rectify.cl",), {})
        nearest = np.where(self.twin.off_camera, np.int32(-1), self.twin.nearest)
        self.nearest = session.upload(nearest)
        down, right = (
            np.outer(np.arange(count), step) + start
            for count, step, start in zip(self.twin.sampled_shape, self.twin.steps.T, (self.twin.start, 0), strict=True)
        )
        self.places = [session.upload(table) for positions in (down, right) for table in _split(positions)]

    def __call__(self, frame: NDArray[np.integer[Any] | np.floating[Any]]) -> Lease:
        """Rectified frame (rows * N, columns * N) float32 of ``frame`` (y, x), NaN where missing; as the twin has it.

        Counts of 16 bits travel as they are, all else as float32. Raises ``DataError`` as the twin does.
        """
        self.twin.refuse_other_shapes(frame.shape)
        counts = frame.dtype == np.uint16
        camera = self.session.upload(frame if counts else np.asarray(frame, np.float32), "camera frame")
        height, width = frame.shape
        size = np.array([width, height], np.int32)
        filled, spline = (self.session.take("spline of a frame", 4 * frame.size) for _ in range(2))
        spoiled = self.session.take("missing pixels", frame.size)
        prepare = "from_counts" if counts else "from_values"
        self._launch(prepare, (width, height), camera, size, filled, spoiled)
        self._launch("spline_filter", (width, height), filled, size, np.int32(0), spline)
        self._launch("spline_filter", (width, height), spline, size, np.int32(1), filled)
        rows, columns = self.twin.shape
        rectified = self.session.take("rectified frame", 4 * rows * columns)
        sampling = (self.nearest, *self.places, np.int32(self.twin.samples), np.array([columns, rows], np.int32))
        self._launch("resample", (columns, rows), filled, spoiled, size, *sampling, rectified)
        return rectified

    def _launch(self, name: str, size: tuple[int, int], *arguments: object) -> None:
        items = [-(-length // group) * group for length, group in zip(size, GROUP, strict=True)]
        self.session.launch(self.kernels[name], items, GROUP, *arguments)


def _split(positions: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Positions as whole pixels and a part of one, which float32 holds well at any distance."""
    whole = np.floor(positions)
    return whole.astype(np.int32), (positions - whole).astype(np.float32)
