"""The least time that a device's kernels could take: bytes to move and operations to do, by its measured ceilings.

Plain arithmetic on the layout of the operator. A kernel cannot be quicker than the longer of both (Williams, Waterman
and Patterson 2009, Commun. ACM 52, 65); kernels follow each other, so their floors add up.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lfcore.projection.matrix_layout import MatrixLayout

FLOAT_BYTES = 4
PIECE_BYTES = 16


@dataclass(frozen=True)
class Ceilings:
    """What a device reaches: bytes a second of copies (read and written) and transfers, operations a second.

    ``matrix_rate`` is None without matrix units; transfers are None where the host itself computes.
    """

    copy_rate: float
    float_rate: float
    matrix_rate: float | None = None
    to_device_rate: float | None = None
    to_host_rate: float | None = None


@dataclass(frozen=True)
class Work:
    """One kernel: bytes read and written when everything is touched once, and its useful operations."""

    name: str
    moved_bytes: float
    operations: float
    on_matrix_units: bool = False

    def seconds(self, ceilings: Ceilings) -> float:
        """The longer of moving and computing."""
        matrix_rate = ceilings.matrix_rate if self.on_matrix_units else None
        return max(self.moved_bytes / ceilings.copy_rate, self.operations / (matrix_rate or ceilings.float_rate))


def floor_seconds(works: Iterable[Work], ceilings: Ceilings) -> float:
    """The sum over kernels that follow each other."""
    return sum(work.seconds(ceilings) for work in works)


@dataclass(frozen=True)
class IterationWork:
    """The kernels of a Richardson-Lucy iteration of ``frames`` frames on a device."""

    layout: MatrixLayout
    frames: int
    on_matrix_units: bool

    @property
    def columns(self) -> int:
        """Columns of the products: tiles of all frames."""
        return self.frames * self.layout.tiling.tiles

    @property
    def field_bytes(self) -> dict[bool, int]:
        """Bytes of the values of one frame's volume (False) and image (True)."""
        samples, pixels = self._channels(image=False), self._channels(image=True)
        y, x = self.layout.tiling.y, self.layout.tiling.x
        return {False: FLOAT_BYTES * samples * y.volume * x.volume, True: FLOAT_BYTES * pixels * y.image * x.image}

    def iteration(self) -> list[Work]:
        """All kernels of one iteration, in their order."""
        return [*self.forward(), self.compare(), *self.adjoint(), self.update()]

    def back_projection(self) -> list[Work]:
        """From a light field on the device to a first volume."""
        image = self._step("image to spectrum", image=True, fields=1, transforms=1, spectra=1)
        return [image, *self._products(to_image=False), self.update()]

    def forward(self) -> list[Work]:
        """From a volume to what the comparison reads."""
        return [*self._before_product(image=False), *self._products(to_image=True)]

    def adjoint(self) -> list[Work]:
        """From a correction to what the update reads."""
        return [*self._before_product(image=True), *self._products(to_image=False)]

    def compare(self) -> Work:
        """Model, measured light field and weight in, correction out: its spectrum, or with tiles its values."""
        shared = self.field_bytes[True]
        if self._fused:
            return self._step("image step", image=True, fields=1, transforms=2, spectra=2, shared_bytes=shared)
        return self._step("image step", image=True, fields=2, transforms=1, spectra=1, shared_bytes=shared)

    def update(self) -> Work:
        """Correction, old volume and inverse normaliser in, new volume out, without tiles its spectrum too."""
        shared, count = self.field_bytes[False], 2 if self._fused else 1
        return self._step("volume step", image=False, fields=2, transforms=count, spectra=count, shared_bytes=shared)

    @property
    def _fused(self) -> bool:
        return self.layout.tiling.tiles == 1

    def _before_product(self, image: bool) -> list[Work]:
        """With tiles a transform of its own; else the step before has done it."""
        name = "image to spectrum" if image else "volume to spectrum"
        return [] if self._fused else [self._step(name, image, fields=1, transforms=1, spectra=1)]

    def _products(self, to_image: bool) -> list[Work]:
        elements = self._channels(image=False) * self._channels(image=True)
        return [
            Work(
                "forward product" if to_image else "transposed product",
                self.layout.size_bytes + self._spectrum_bytes(False) + self._spectrum_bytes(True),
                2 * elements * self._grid_points * self.columns,
                self.on_matrix_units,
            )
        ]

    def _step(self, name: str, image: bool, fields: int, transforms: int, spectra: int, shared_bytes: int = 0) -> Work:
        """A kernel that moves so many fields and spectra of all frames, and one field that they share."""
        values = fields * self.frames * self.field_bytes[image] + shared_bytes
        return Work(name, values + spectra * self._spectrum_bytes(image), self._transforms(image, transforms))

    def _spectrum_bytes(self, image: bool) -> int:
        rows = 4 * len(self.layout.image_kinds if image else self.layout.volume_kinds)
        exchanges = 2 if self.layout.tiling.square else 1
        return len(self.layout.tiling.groups()) * rows * exchanges * self.columns * PIECE_BYTES

    def _transforms(self, image: bool, count: int) -> float:
        """Operations of real transforms: half of ``5 n log2 n``."""
        points = self._grid_points
        return count * self._channels(image) * self.columns * 2.5 * points * math.log2(points)

    def _channels(self, image: bool) -> int:
        shape = self.layout.pixels.shape if image else (self.layout.planes, *self.layout.samples.shape)
        return math.prod(shape)

    @property
    def _grid_points(self) -> int:
        return self.layout.tiling.plane.y.points * self.layout.tiling.plane.x.points
