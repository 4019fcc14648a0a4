"""Large volumes to a device and back in parts of some planes, so that no second copy of them need lie there."""

from dataclasses import replace

import numpy as np

from lfcore.opencl.session import Lease
from lfcore.projection.device_memory import HOST_PART_BYTES, PAIR_BYTES
from lfcore.projection.opencl_fields import Corner, Field, Fields, Side
from lfcore.projection.protocol import Host


def pack_in_parts(fields: Fields, side: Side, host: Host) -> Lease:
    """Values of (frame, plane, y, x) of a side's shape on the device."""
    values = fields.take_values(side, len(host))
    plane, planes = replace(side, planes=1), host.reshape(-1, 1, *host.shape[2:])
    for first, count in _parts(plane, len(planes)):
        packed = fields.values(fields.pack(plane, planes[first : first + count]))
        fields.session.copy(packed, 0, values, first * _bytes(plane), count * _bytes(plane))
    return values


def unpack_in_parts(fields: Fields, field: Field, origin: Corner, count: Corner) -> Host:
    """(frame, plane, y, x) of ``count`` (y, x) lenslets from ``origin`` on."""
    side, plane = field.side, replace(field.side, planes=1)
    height, width = side.extent(count)
    planes = np.empty((field.frames * side.planes, 1, height, width), np.float32)
    for first, some in _parts(plane, len(planes)):
        part = Field(plane, some, fields.take_values(plane, some))
        fields.session.copy(fields.values(field), first * _bytes(plane), fields.values(part), 0, some * _bytes(plane))
        planes[first : first + some] = fields.unpack(part, origin, count)
    return planes.reshape(field.frames, side.planes, height, width)


def _bytes(plane: Side) -> int:
    return plane.size * PAIR_BYTES


def _parts(plane: Side, planes: int) -> list[tuple[int, int]]:
    """First plane and number of planes of each part; the last one overlaps, so that all take buffers of one size."""
    most = max(1, HOST_PART_BYTES // _bytes(plane))
    count = -(-planes // -(-planes // most))
    return [(min(first, planes - count), count) for first in range(0, planes, count)]
