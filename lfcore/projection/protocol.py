"""What a solver may ask of a projector, whatever device it runs on.

Arrays are *resident*: they lie where and as the projector wants them, and only ``pack_…`` and ``unpack_…`` know their
layout. The elementwise steps of a solver are methods, so that a device can fuse them with its transforms.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Host = npt.NDArray[np.floating]
Resident = TypeVar("Resident")


class Projector(Protocol[Resident]):
    """The operator ``H`` between volumes and rectified light fields, several frames at a time.

    Host images are (frame, y, x), ``rows * N`` by ``columns * N`` pixels. Host volumes are (frame, z, y, x) and reach
    past the image by ``margin_cells`` on every side: ``(rows + 2 margin) * S`` by ``(columns + 2 margin) * S`` samples;
    ``N``, ``S`` and the margin along y and x each.
    """

    @property
    def margin_cells(self) -> tuple[int, int]:
        """Cells (y, x) by which the volume reaches past the camera."""
        ...

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """(z, y, x) of one frame's volume, margin included."""
        ...

    def image_room(self, frames: int) -> Host:
        """(frame, y, x) float32 array with undefined contents, from which ``pack_image`` is quickest."""
        ...

    def pack_image(self, image: Host) -> Resident:
        """Take (frame, y, x) to the device."""
        ...

    def pack_volume(self, volume: Host) -> Resident:
        """Take (frame, z, y, x) to the device."""
        ...

    def unpack_image(self, image: Resident) -> Host:
        """Bring a light field back as (frame, y, x)."""
        ...

    def unpack_volume(self, volume: Resident) -> Host:
        """Bring a volume back as (frame, z, y, x), margin included."""
        ...

    def fetch_inside(self, volume: Resident) -> Callable[[], Host]:
        """Start bringing a volume back as (frame, z, y, x) without the margin; call the result to wait for it."""
        ...

    def forward(self, volume: Resident) -> Resident:
        """``H x``: the light field of a volume."""
        ...

    def adjoint(self, image: Resident) -> Resident:
        """``H^T y``: the exact transpose of ``forward``."""
        ...

    def weigh(self, image: Resident, weight: Resident) -> Resident:
        """``W y``, pixel by pixel; either may be one for all frames."""
        ...

    def compare(
        self, measured: Resident, expected: Resident, weight: Resident, background: Host
    ) -> tuple[Resident, Host]:
        """The correction ``W b / (W H x + g)``, and (frame,) the sum of ``(b - W H x)^2`` over pixels with ``W > 0``.

        ``expected`` is ``H x``, ``background`` (frame,); one ``weight`` may serve all frames. No input is negative.
        Where model and background are both zero the correction is zero.
        """
        ...

    def update(self, volume: Resident, correction: Resident, normaliser: Resident) -> Resident:
        """``x * correction / normaliser``; zero where the camera does not see the voxel.

        ``volume`` is not negative; it and ``normaliser`` may each be one for all frames.
        """
        ...

    def extrapolate(self, current: Resident, previous: Resident, step: Host) -> Resident:
        """``max(x + step (x - x_previous), 0)`` with one ``step`` a frame (Biggs and Andrews 1997, eq. 7)."""
        ...

    def temper(self, stepped: Resident, before: Resident, strength: float, smallest: Host) -> Resident:
        """``stepped / (1 - strength div(grad x / |grad x|))`` with ``x = before`` (Dey 2006), not negative.

        ``smallest`` (frame,) is the length below which a gradient counts as none; `lfcore.projection.variation` says
        what differences are meant.
        """
        ...

    def difference(self, first: Resident, second: Resident) -> Resident:
        """``first - second`` of two volumes."""
        ...

    def inner(self, first: Resident, second: Resident) -> Host:
        """(frame,) inner products of two volumes, in double precision."""
        ...

    def mix_planes(self, volume: Resident, mixture: Host) -> Resident:
        """Planes that are sums of planes, by ``mixture`` (plane of the result, plane); may use up ``volume``."""
        ...
