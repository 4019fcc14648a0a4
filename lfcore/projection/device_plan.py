"""How a reconstruction fits a device: tiles, tiles and frames at a time, precision; plain arithmetic.

What each choice takes is counted in ``device_memory``. A frame's volumes must fit the device; a volume that is larger
than that is not cut up, since its parts would no longer make one exact reconstruction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from lfcore.errors import DeviceMemoryError, SettingsError
from lfcore.opencl.device import Device
from lfcore.projection.device_memory import Case, Shape
from lfcore.projection.tiling import Tiling, tiling

MOST_TILES = 12
"""Along one axis."""

HEADROOM = 0.92
"""Share of the memory that is planned with; drivers and displays take some."""

LOCAL_RESERVE_BYTES = 1024
"""Local memory that the steps of an iteration use beside the grid."""

FUSED_PASSES, TILED_PASSES = 4, 8
"""How often an iteration reads or writes a volume's spectrum."""


@dataclass(frozen=True)
class DevicePlan:
    """A layout of ``shape``, made for ``device`` with ``memory_bytes`` of it."""

    device: Device
    memory_bytes: int
    shape: Shape
    tiles_at_a_time: int
    frames: int

    @property
    def tiling(self) -> Tiling:
        """The grids."""
        return self.shape.tiling

    @property
    def needed_bytes(self) -> int:
        """The most that is held at a time."""
        solving = self.shape.solving(self.frames, self._tiles)
        return max(sum(solving.values()), sum(self.shape.building().values()))

    @property
    def fits(self) -> bool:
        """Whether memory holds it, and one allocation its largest buffer."""
        largest = self.shape.largest_buffer(self.frames, self._tiles)
        return self.needed_bytes <= HEADROOM * self.memory_bytes and largest <= self.device.largest_allocation_bytes

    @property
    def traffic_bytes(self) -> float:
        """What one iteration moves for one frame; the choice between plans goes by it."""
        shape, tiles = self.shape, self.tiling.tiles
        passes = FUSED_PASSES if tiles == 1 else TILED_PASSES
        readings = 2 * len(self.tiling.blocks(self.tiles_at_a_time))
        return readings * shape.matrices / self.frames + passes * tiles * shape.volume_pieces + 2 * shape.volume

    @property
    def _tiles(self) -> int:
        """Tiles of a block, which may be more than asked for where blocks do not divide a frame evenly."""
        down, right = self.tiling.block(self.tiles_at_a_time)
        return down * right


def plan_device(device: Device, memory_bytes: int, case: Case, frames: int, half: bool | None = None) -> DevicePlan:
    """The plan with the least traffic a frame, for up to ``frames`` frames at a time.

    ``half`` (default: where the device has matrix units) keeps matrices in half precision. Raises ``SettingsError``
    when there is nothing to reconstruct and ``DeviceMemoryError`` when nothing fits.
    """
    if min(case.rows, case.columns, case.pixels, case.samples, len(case.radii), frames) < 1:
        raise SettingsError(
            f"{case.rows} x {case.columns} lenslets, {len(case.radii)} planes, {frames} frames at a time: "
            "nothing to reconstruct; each must be one at least"
        )
    reduced = device.has_matrix_units if half is None else half
    plans = list(_plans(device, memory_bytes, case, frames, reduced))
    if not plans:
        raise DeviceMemoryError(
            f"{device}: its {device.local_bytes} bytes of local memory hold no grid for a blur of "
            f"{case.margin} lenslets; reconstruct planes nearer to the native one, or use --device numpy"
        )
    fitting = [plan for plan in plans if plan.fits]
    if fitting:
        return min(fitting, key=lambda plan: plan.traffic_bytes)
    least = min(plan.needed_bytes for plan in plans) / HEADROOM
    raise DeviceMemoryError(
        f"{device}: {least / 2**30:.1f} GiB are needed at least, {memory_bytes / 2**30:.1f} GiB may be used, "
        f"{device.largest_allocation_bytes / 2**30:.1f} in one piece; "
        "reconstruct fewer planes or fewer samples per lenslet, or use --device numpy"
    )


def _plans(device: Device, memory_bytes: int, case: Case, frames: int, half: bool) -> Iterator[DevicePlan]:
    local = device.local_bytes - LOCAL_RESERVE_BYTES
    counts = sorted({max(1, frames // 2**halvings) for halvings in range(frames.bit_length())})
    most_y, most_x = min(MOST_TILES, case.rows), min(MOST_TILES, case.columns)
    for tiles_y, tiles_x in product(range(1, most_y + 1), range(1, most_x + 1)):
        found = tiling(case.rows, case.columns, case.margin, local, tiles_y, tiles_x)
        if found is not None:
            shape = Shape(case, found, half)
            for tiles in sorted({1, found.x.tiles, found.tiles}):
                yield from (DevicePlan(device, memory_bytes, shape, tiles, count) for count in counts)
