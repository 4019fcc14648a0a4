"""How a reconstruction fits a device: tiles, tiles and frames at a time, precision; plain arithmetic.

What a choice takes is counted in ``device_memory``; among those that fit, the one with the least predicted time is
taken. Spectra and matrices become as small as need be with more and smaller tiles. What cannot is the frame's volumes:
two, or seven where the solver accelerates, lie on the device whole, since the parts of a volume that were reconstructed
apart would no longer make one exact reconstruction. A case with larger ones is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from lfcore.errors import DeviceMemoryError, SettingsError
from lfcore.opencl.device import Device
from lfcore.opencl.fourier import shortest
from lfcore.projection.device_memory import Bytes, Case, Shape
from lfcore.projection.tiling import Axis, Tiling, tiling

HEADROOM = 0.92
"""Share of the memory that is planned with; drivers and displays take some."""

LOCAL_RESERVE_BYTES = 1024
"""Local memory that the steps of an iteration use beside the grid."""

OPERATIONS_A_BYTE = {False: 6.0, True: 60.0}
"""Operations that a device does in the time it moves a byte, without and with matrix units; of GPUs, in products."""

FUSED_PASSES, TILED_PASSES = 4, 8
"""How often an iteration reads or writes a spectrum, or as many values."""

LAUNCH_BYTES = 2e7
"""What a device could move in the time that starting a kernel takes."""


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

    @cached_property
    def sizes(self) -> Bytes:
        """Bytes by kind at the time when most is held."""
        return max(
            self.shape.solving(self.frames, self.tiles_at_a_time),
            self.shape.building(),
            key=lambda sizes: sum(sizes.values()),
        )

    @property
    def needed_bytes(self) -> int:
        """The most that is held at a time."""
        return sum(self.sizes.values())

    @property
    def room_bytes(self) -> int:
        """The memory that a device must have for this."""
        return int(self.needed_bytes / HEADROOM) + 1

    @property
    def fits(self) -> bool:
        """Whether memory holds it all, and one allocation the largest buffer."""
        largest = self.shape.largest_buffer(self.frames, self.tiles_at_a_time)
        return self.room_bytes <= self.memory_bytes and largest <= self.device.largest_allocation_bytes

    def moved_bytes(self, frames: int) -> float:
        """Bytes that could be moved in the time of one iteration of each of ``frames`` frames."""
        shape, tiles = self.shape, self.tiling.tiles
        blocks = len(self.tiling.blocks(self.tiles_at_a_time))
        columns = self.frames * self.tiles_at_a_time * blocks
        passes, launches = (FUSED_PASSES, 4) if tiles == 1 else (TILED_PASSES, 6 * blocks + 1)
        spectra = passes * columns * (shape.volume_pieces + shape.image_pieces)
        values = self.frames * ((13 if shape.case.accelerate else 3) * shape.volume + 4 * shape.image)
        matrices = 2 * blocks * shape.matrices
        elements = shape.matrices // (2 if shape.half else 4)
        operations = 2 * 2 * elements * 4 * shape.exchanges * columns
        units = shape.half and self.device.has_matrix_units
        batch = matrices + spectra + values + operations / OPERATIONS_A_BYTE[units] + launches * LAUNCH_BYTES
        return -(-frames // self.frames) * batch

    def check_device(self, device: Device) -> None:
        """Raise ``SettingsError`` when this plan was made for another device."""
        if device != self.device:
            raise SettingsError(f"a plan for {self.device} cannot be used on {device}; make one for this device")


def plan_device(device: Device, memory_bytes: int, case: Case, frames: int, half: bool | None = None) -> DevicePlan:
    """The quickest plan that fits, for up to ``frames`` frames at a time.

    ``half`` keeps matrices in half precision; by default that is so where the device has matrix units, and where the
    case fits no other way. Raises ``SettingsError`` when there is nothing to reconstruct and ``DeviceMemoryError``,
    saying what would fit, when nothing fits.
    """
    counts = case.rows, case.columns, *case.pixels, *case.samples, len(case.radii), frames
    if min(counts) < 1 or min(map(min, case.radii)) < 0:
        raise SettingsError(
            f"{case.rows} x {case.columns} lenslets, {len(case.radii)} planes, {frames} frames at a time: "
            "nothing to reconstruct; each must be one at least"
        )
    choices = ([True] if device.has_matrix_units else [False, True]) if half is None else [half]
    for choice in choices:
        plan = _quickest(device, memory_bytes, case, frames, half=choice)
        if plan is not None:
            return plan
    raise _nothing_fits(device, memory_bytes, case, half=choices[-1])


def smaller_plan(plan: DevicePlan, frames: int) -> DevicePlan:
    """The plan for half of what ``plan`` needs, or the least of all, for when ``plan`` did not fit after all.

    The precision stays unless there is no other way. Raises ``DeviceMemoryError`` when ``plan`` is the least already.
    """
    device, case = plan.device, plan.shape.case
    memory_bytes = min(plan.memory_bytes, plan.room_bytes) // 2
    for half in sorted({plan.shape.half, True}):
        quickest = _quickest(device, memory_bytes, case, frames, half=half)
        if quickest is not None:
            return quickest
        least = _smallest(device, memory_bytes, case, half=half)
        if least is not None and least.needed_bytes < plan.needed_bytes:
            return replace(least, memory_bytes=least.room_bytes)
    raise _nothing_fits(device, memory_bytes, case, half=True)


def _quickest(device: Device, memory_bytes: int, case: Case, frames: int, *, half: bool) -> DevicePlan | None:
    plans = (
        _widest(device, memory_bytes, shape, count)
        for shape in _shapes(device, case, half)
        for count in _even_batches(frames)
    )
    fitting = [plan for plan in plans if plan.fits]
    return min(fitting, key=lambda plan: (plan.moved_bytes(frames), plan.needed_bytes), default=None)


def _smallest(device: Device, memory_bytes: int, case: Case, *, half: bool) -> DevicePlan | None:
    """The plan for one frame that needs the least memory, whether or not there is so much; None without any grid."""
    plans = [DevicePlan(device, memory_bytes, shape, 1, 1) for shape in _shapes(device, case, half)]
    largest = device.largest_allocation_bytes
    return min(plans, key=lambda plan: (plan.shape.largest_buffer(1, 1) > largest, plan.needed_bytes), default=None)


def _shapes(device: Device, case: Case, half: bool) -> Iterator[Shape]:
    """The case on every pair of grids that fit local memory, with as few tiles as each of them allows."""
    local = device.local_bytes - LOCAL_RESERVE_BYTES
    above, left = case.margin
    for tiles_y in _tile_counts(case.rows, above, even=True):
        for tiles_x in _tile_counts(case.columns, left, even=False):
            found = tiling(case.rows, case.columns, case.margin, local, tiles_y, tiles_x, case.exchange)
            if found is not None:
                yield Shape(case, found, half)


def _tile_counts(lenslets: int, margin: int, *, even: bool) -> list[int]:
    fewest: dict[int, int] = {}
    for tiles in range(1, lenslets + 1):
        length = shortest(Axis(lenslets, margin, tiles, even).points)
        if length is not None:
            fewest.setdefault(length.points, tiles)
    return list(fewest.values())


def _even_batches(frames: int) -> list[int]:
    """Frames at a time that leave no batch much smaller than the others."""
    return sorted({-(-frames // batches) for batches in range(1, frames + 1)})


def _widest(device: Device, memory_bytes: int, shape: Shape, frames: int) -> DevicePlan:
    """As many tiles at a time as fit, or one."""
    without, one = (sum(shape.solving(frames, tiles).values()) for tiles in (0, 1))
    room = int(HEADROOM * memory_bytes) - without
    most = min(room // (one - without), device.largest_allocation_bytes // (frames * shape.volume_pieces))
    down, right = shape.tiling.block(max(1, min(most, shape.tiling.tiles)))
    return DevicePlan(device, memory_bytes, shape, down * right, frames)


def _nothing_fits(device: Device, memory_bytes: int, case: Case, *, half: bool) -> DeviceMemoryError:
    least = _smallest(device, memory_bytes, case, half=half)
    if least is None:
        return DeviceMemoryError(
            f"{device}: its {device.local_bytes} bytes of local memory hold no grid for a blur of {max(case.margin)} "
            "lenslets; reconstruct planes nearer to the native one, or use --device numpy"
        )

    def fits(smaller: Case) -> bool:
        plan = _smallest(device, memory_bytes, smaller, half=half)
        return plan is not None and plan.fits

    near, shorter = sorted(case.radii), min(case.samples)

    def sampled(count: int) -> Case:
        down, right = (max(1, round(count * samples / shorter)) for samples in case.samples)
        return replace(case, samples=(down, right))

    planes = next((count for count in _falling(len(near)) if fits(replace(case, radii=tuple(near[:count])))), 0)
    coarser = next((count for count in range(shorter - 1, 0, -1) if fits(sampled(count))), 0)
    smaller = [
        *([f"{planes} planes fit"] if planes else []),
        *([f"{coarser} samples per lenslet fit"] if coarser else []),
        *(["it fits without acceleration"] if case.accelerate and fits(replace(case, accelerate=False)) else []),
    ]
    return DeviceMemoryError(
        f"{device}: {least.room_bytes / 2**30:.1f} GiB are needed at least, "
        f"{memory_bytes / 2**30:.1f} GiB may be used, {device.largest_allocation_bytes / 2**30:.1f} in one piece; "
        f"{', '.join([*smaller, 'or use --device numpy'])}"
    )


def _falling(planes: int) -> list[int]:
    """Numbers of planes to try, each about a tenth less than the one before."""
    counts = []
    while planes > 1:
        planes = min(planes - 1, planes * 9 // 10)
        counts.append(planes)
    return counts
