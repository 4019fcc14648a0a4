"""Planes that are sums of planes, on a device (``kernels/planes.cl``; twin: ``NumpySteps.mix_planes``)."""

import numpy as np

from lfcore.errors import UnavailableError
from lfcore.opencl.session import Lease, Session
from lfcore.projection.protocol import Host

MOST_ITEMS = 64
VALUE_BYTES = 8


def mix_planes(session: Session, values: Lease, frames: int, plane_size: int, mixture: Host) -> None:
    """Mix the planes of ``frames`` volumes in place; ``plane_size`` float2 a plane, ``mixture`` (plane, plane).

    Raises ``UnavailableError`` when the device's local memory does not hold one value of every plane.
    """
    planes = len(mixture)
    most = session.device.local_bytes // (VALUE_BYTES * planes)
    if not most:
        raise UnavailableError(
            f"{session.device}: {planes} planes exceed its local memory; leave out planes, or use --device numpy"
        )
    items = min(MOST_ITEMS, 1 << (most.bit_length() - 1))
    kernel = session.kernels(("planes.cl",), {"PLANES": planes, "ITEMS": items})["mix_planes"]
    there = mixture != 0
    span = np.stack([there.argmax(1), planes - there[:, ::-1].argmax(1)], 1)
    # A row without a share has no planes at all.
    span[~there.any(1)] = 0
    tables = session.upload(mixture.astype(np.float32)), session.upload(span.astype(np.int32))
    session.launch(
        kernel, (-(-plane_size // items) * items, frames), (items, 1), values, *tables, np.uint64(plane_size)
    )
