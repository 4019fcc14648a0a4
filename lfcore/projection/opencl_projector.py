"""The projector on an OpenCL device (``docs/decisions/0002-opencl-engine.md``; twin: ``numpy_projector``).

Fields are lazy: ``forward`` and ``adjoint`` return spectra, and the step that follows (``compare``, ``update``) runs
the inverse transform, itself and the next forward transform as one kernel.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.opencl.session import Lease, Session
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.numpy_steps import UNSEEN
from lfcore.projection.opencl_fields import WORK, Field, Fields, Side
from lfcore.projection.opencl_matrices import PlaneImages, device_matrices
from lfcore.projection.opencl_planes import mix_planes
from lfcore.projection.opencl_products import Operator, PortableProducts, Products, UnitProducts
from lfcore.projection.opencl_tiles import TileStream
from lfcore.projection.opencl_transfers import pack_in_parts, unpack_in_parts
from lfcore.projection.protocol import Host
from lfcore.projection.quads import quad_order
from lfcore.projection.tiling import Tiling

SUM_GROUPS = 64
UNSEEN_BY_HALF = 1e-3
"""Rounded matrices let a little light reach voxels that no pixel sees; below this share of the most they are noise."""


class OpenclProjector:
    """``Projector[Field]`` for a field of lenslets laid out by ``tiling``, up to ``frames`` frames at a time."""

    def __init__(
        self,
        session: Session,
        tiling: Tiling,
        planes: Sequence[PlaneImages],
        samples: tuple[int, int],
        pixels: tuple[int, int],
        frames: int = 1,
        half: bool = False,
        products: type[Products] | None = None,
        tiles_at_a_time: int | None = None,
        spends: bool = False,
    ) -> None:
        """Build the matrices of cells of ``samples`` and ``pixels`` (y, x).

        ``half`` keeps them in half precision, for products on matrix units where there are any.
        Of several tiles, ``tiles_at_a_time`` (default: all) have spectra at a time. With ``spends`` an update of
        several tiles uses up the volume it is given, as a solver that does not accelerate allows; what came from the
        host is sent anew when it is needed again.
        Raises ``DeviceMemoryError`` when the device has not the memory.
        """
        tiles_at_a_time = tiling.tiles if tiles_at_a_time is None else tiles_at_a_time
        if not planes or min(frames, tiles_at_a_time) < 1:
            raise SettingsError(
                f"{len(planes)} planes, {frames} frames, {tiles_at_a_time} tiles at a time: "
                "a projector needs at least one of each"
            )
        self.layout = MatrixLayout(tiling, quad_order(samples), quad_order(pixels), len(planes), half)
        self.session, self.frames, self.fused, self.spends = session, frames, tiling.tiles == 1, spends
        self.fields = Fields(session, self.layout)
        self.volume, self.image = self.fields.volume, self.fields.image
        matrices = device_matrices(session, self.layout, planes)
        kinds = session.upload(self.layout.volume_kinds), session.upload(self.layout.image_kinds)
        units = half and session.device.has_matrix_units
        make = products or (UnitProducts if units else PortableProducts)
        down, right = tiling.block(tiles_at_a_time)
        self.products = make(session, Operator(self.layout, matrices, *kinds), frames * down * right)
        self.tiles = TileStream(self.fields, self.products, tiles_at_a_time)
        self._divisor: Field | None = None
        session.release_free()

    @property
    def margin_cells(self) -> tuple[int, int]:
        """Cells (y, x) by which the volume reaches past the camera: the largest blur."""
        return self.layout.tiling.y.margin, self.layout.tiling.x.margin

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """(z, y, x) of one frame's volume, margin included."""
        return self.volume.planes, *self.volume.extent(self.volume.count)

    def image_room(self, frames: int) -> Host:
        """See ``Projector.image_room``: pinned memory."""
        return self.session.pinned.array((frames, *self.image.extent(self.image.count)))

    def pack_image(self, image: Host) -> Field:
        """(frame, y, x) to the device; raises ``SettingsError`` on another shape or more frames than planned."""
        self._check(self.image, image[:, None])
        return self.fields.pack(self.image, image[:, None])

    def pack_volume(self, volume: Host) -> Field:
        """(frame, z, y, x) to the device; raises ``SettingsError`` on another shape or more frames than planned."""
        self._check(self.volume, volume)
        if self.fused:
            return self.fields.pack(self.volume, volume)
        pack = partial(pack_in_parts, self.fields, self.volume, volume)
        return Field(self.volume, len(volume), pack(), compute=pack if self.spends else None)

    def unpack_image(self, image: Field) -> Host:
        """Back as (frame, y, x)."""
        return self.fields.unpack(image, self.image.origin, self.image.count)[:, 0]

    def unpack_volume(self, volume: Field) -> Host:
        """Back as (frame, z, y, x), margin included."""
        unpack = self.fields.unpack if self.fused else partial(unpack_in_parts, self.fields)
        return unpack(volume, self.volume.origin, self.volume.count)

    def fetch_inside(self, volume: Field) -> Callable[[], Host]:
        """See ``Projector.fetch_inside``; the way to the host goes beside the computation."""
        y, x = self.layout.tiling.y, self.layout.tiling.x
        origin, count = np.array([y.lead, x.lead], np.int32), np.array([y.lenslets, x.lenslets], np.int32)
        if self.fused:
            return self.fields.fetch(volume, origin, count)
        inside = unpack_in_parts(self.fields, volume, origin, count)
        return lambda: inside

    def forward(self, volume: Field) -> Field:
        """``H x``."""
        if self.fused:
            return Field(self.image, volume.frames, None, self._product(volume, self.image))
        return Field(self.image, volume.frames, self._streamed(volume, self.image))

    def adjoint(self, image: Field) -> Field:
        """``H^T y``."""
        if self.fused:
            compute = partial(self._computed, image)
            return Field(self.volume, image.frames, None, self._product(image, self.volume), image, compute)
        # An update takes one tile after the other, and never all of it lies on the device.
        return Field(self.volume, image.frames, None, None, image, partial(self._streamed, image, self.volume))

    def weigh(self, image: Field, weight: Field) -> Field:
        """``W y``; either may be one for all frames."""
        result = self._new(image if image.frames > weight.frames else weight)
        self._run("weigh", result, *self._strided(image), *self._strided(weight), self._values(result))
        return result

    def compare(self, measured: Field, expected: Field, weight: Field, background: Host) -> tuple[Field, Host]:
        """See ``Projector.compare``; one ``weight`` may serve all frames."""
        dark = self.session.upload(background.astype(np.float32))
        if expected.product is None:
            result = self._new(expected)
            arguments = self._values(expected), self._values(measured), *self._strided(weight)
            sums = self._sums("compare", expected, *arguments, dark, self._values(result))
            return result, sums.sum(1, dtype=np.float64)
        frames, side = expected.frames, self.image
        result = Field(side, frames)
        result.spectrum = self.fields.take_spectrum(side, frames)
        parts = self.session.take("sums", frames * side.channels * 4)
        inputs = expected.product, self._values(measured), self._values(weight), np.int32(weight.frames == 1)
        outputs = parts, result.spectrum.pieces, result.spectrum.peaks
        self.fields.step("image_step", side, frames, side.writes, *inputs, dark, *outputs)
        squares = self.session.download(parts, (frames, side.channels), np.float32)
        return result, squares.sum(1, dtype=np.float64)

    def update(self, volume: Field, correction: Field, normaliser: Field) -> Field:
        """See ``Projector.update``; ``volume`` and ``normaliser`` may each be one for all frames."""
        inverse = self._inverse(normaliser)
        if not self.fused and correction.source is not None and correction.values is None:
            return self._update_tiles(volume, correction.source, normaliser, inverse)
        result = self._new(correction)
        if correction.product is None:
            old, divisor = self._strided(volume), (inverse, self._stride(normaliser))
            self._run("multiply_update", result, *old, self._values(correction), *divisor, self._values(result))
            return result
        result.spectrum = self.fields.take_spectrum(self.volume, result.frames)
        shared = np.array([volume.frames == 1, normaliser.frames == 1], np.int32)
        inputs = correction.product, self._values(volume), inverse, shared
        outputs = result.values, result.spectrum.pieces, result.spectrum.peaks
        self.fields.step("volume_step", self.volume, result.frames, self.volume.writes, *inputs, *outputs)
        # Whoever still holds the correction need not hold its spectrum.
        correction.product = None
        return result

    def extrapolate(self, current: Field, previous: Field, step: Host) -> Field:
        """See ``Projector.extrapolate``."""
        result = self._new(current)
        steps = self.session.upload(step.astype(np.float32))
        self._run("extrapolate", result, self._values(current), self._values(previous), steps, self._values(result))
        # What is projected next is the result.
        current.spectrum = previous.spectrum = None
        return result

    def temper(self, stepped: Field, before: Field, strength: float, smallest: Host) -> Field:
        """See ``Projector.temper``."""
        result = self._new(stepped)
        values = self._values(stepped), self._values(before), self._values(result)
        self.fields.temper(self.volume, result.frames, *values, strength, smallest)
        # What is projected next is the result.
        stepped.spectrum = None
        return result

    def difference(self, first: Field, second: Field) -> Field:
        """``first - second``."""
        result = self._new(first)
        self._run("difference", result, self._values(first), self._values(second), self._values(result))
        return result

    def inner(self, first: Field, second: Field) -> Host:
        """(frame,) inner products, in double precision over parts that are summed in single."""
        parts = self._sums("inner", first, self._values(first), self._values(second))
        return np.asarray(parts.sum(1, dtype=np.float64))

    def mix_planes(self, volume: Field, mixture: Host) -> Field:
        """See ``Projector.mix_planes``; in place."""
        values = self._values(volume)
        mix_planes(self.session, values, volume.frames, volume.side.size // len(mixture), mixture)
        return Field(volume.side, volume.frames, values)

    def _check(self, side: Side, host: Host) -> None:
        side.check(host)
        if len(host) > self.frames:
            raise SettingsError(f"{len(host)} frames at a time: this projector is planned for {self.frames}")

    def _product(self, source: Field, target: Side) -> Lease:
        """Gives up the spectrum of ``source``, unless nothing else is left of it."""
        spectrum = self.fields.spectrum(source)
        product = self.fields.take_product(target, source.frames)
        self.products(target is self.image, source.frames, spectrum.pieces, spectrum.peaks, product)
        if source.values is not None:
            source.spectrum = None
        return product

    def _computed(self, image: Field) -> Lease:
        return self.fields.values_of_product(self.volume, image.frames, self._product(image, self.volume))

    def _streamed(self, source: Field, target: Side) -> Lease:
        values = self.fields.take_values(target, source.frames)
        self.tiles.run(source, target, "spectrum_field", values)
        return values

    def _update_tiles(self, volume: Field, image: Field, normaliser: Field, inverse: Lease) -> Field:
        old, shared = self._values(volume), np.array([volume.frames == 1, normaliser.frames == 1], np.int32)
        result = Field(self.volume, image.frames)
        in_place = self.spends and volume.frames == image.frames
        result.values = old if in_place else self.fields.take_values(self.volume, image.frames)
        if self.spends:
            volume.values = None
        self.tiles.run(image, self.volume, "tile_step", old, inverse, shared, result.values)
        return result

    def _new(self, like: Field) -> Field:
        return Field(like.side, like.frames, self.fields.take_values(like.side, like.frames))

    def _values(self, field: Field) -> Lease:
        return self.fields.values(field)

    def _stride(self, field: Field) -> np.uint64:
        return np.uint64(0 if field.frames == 1 else field.side.size)

    def _strided(self, field: Field) -> tuple[Lease, np.uint64]:
        return self._values(field), self._stride(field)

    def _inverse(self, normaliser: Field) -> Lease:
        """1 / normaliser, zero where too small to divide by; kept with the normaliser, with several tiles the last."""
        if normaliser.inverse is None:
            if self._divisor is not None and not self.fused:
                self._divisor.inverse = None
            self._divisor = normaliser
            largest = self._sums("largest", normaliser, self._values(normaliser)).max(1)
            least = self.session.upload(largest * np.float32(UNSEEN_BY_HALF if self.layout.half else UNSEEN))
            values = self._values(normaliser)
            if normaliser.compute is None:
                normaliser.inverse = self.fields.take_values(normaliser.side, normaliser.frames)
            else:
                # In place: the values could be computed again.
                normaliser.inverse, normaliser.values = values, None
            self._run("invert", normaliser, values, least, normaliser.inverse)
        return normaliser.inverse

    def _run(self, name: str, over: Field, *arguments: object) -> None:
        items = -(-over.side.size // WORK) * WORK, over.frames
        self.session.launch(self.fields.elementwise[name], items, (WORK, 1), *arguments, np.uint64(over.side.size))

    def _sums(self, name: str, over: Field, *arguments: object) -> npt.NDArray[np.float32]:
        """(frame, part) sums of a kernel that reduces."""
        sums, size = self.session.take("sums", over.frames * SUM_GROUPS * 4), np.uint64(over.side.size)
        items = SUM_GROUPS * WORK, over.frames
        self.session.launch(self.fields.elementwise[name], items, (WORK, 1), *arguments, sums, size)
        return self.session.download(sums, (over.frames, SUM_GROUPS), np.float32)
