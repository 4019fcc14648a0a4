"""A device at work that forgives nothing: whatever a kernel does not write is not a number."""

import numpy as np
import pyopencl

from lfcore.opencl.session import Lease, Session


class PoisonedSession(Session):
    """A ``Session`` whose buffers hold NaN (every bit set) whenever they are taken, also those that are used again."""

    def take(self, kind: str, size_bytes: int, zeroed: bool = False) -> Lease:
        lease = super().take(kind, size_bytes, zeroed)
        if not zeroed:
            pyopencl.enqueue_fill_buffer(self.queue, lease.buffer, np.full(1, 255, np.uint8), 0, lease.buffer.size)
        return lease
