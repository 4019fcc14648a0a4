"""The projector of a microscope whose array stands in the pupil: a cell is one pixel, and a plane has one image.

    b[l] = sum_z sum_m h[z][m] x[z, l - m]

is a convolution of thousands of pixels a side, so here the transform is an FFT and the product elementwise. The grid
holds the volume, margin included; what wraps round falls outside the image (Guo 2019, Opt. Express 27, 25573).
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2

from lfcore.errors import SettingsError
from lfcore.projection.cell import Array
from lfcore.projection.kernels import PlaneKernels, largest_radius
from lfcore.projection.numpy_steps import NumpySteps
from lfcore.projection.protocol import Host

Complex = npt.NDArray[np.complexfloating]


class ShiftInvariantProjector(NumpySteps):
    """``Projector[Array]`` for ``rows`` x ``columns`` pixels, in float32 or float64; a voxel is as wide as a pixel.

    Resident volumes are (frame, z, y, x), resident images (frame, 1, y, x).
    """

    def __init__(
        self, kernels: Sequence[PlaneKernels], rows: int, columns: int, dtype: npt.DTypeLike = np.float32
    ) -> None:
        if not kernels or rows < 1 or columns < 1:
            raise SettingsError(
                f"{len(kernels)} planes over {rows} x {columns} pixels: a projector needs at least one of each"
            )
        if any(kernel.samples != (1, 1) or kernel.pixels != (1, 1) for kernel in kernels):
            raise SettingsError("kernels with cells of several pixels: their operator is not shift-invariant")
        self.rows, self.columns, self.planes, self.dtype = rows, columns, len(kernels), np.dtype(dtype)
        above, left = self.margin_cells = largest_radius(kernels)
        self._grid = [next_fast_len(size, real=True) for size in (rows + 2 * above, columns + 2 * left)]
        self._responses = np.stack([self._response(kernel) for kernel in kernels])

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """(z, y, x) of one frame's volume, margin included."""
        above, left = self.margin_cells
        return self.planes, self.rows + 2 * above, self.columns + 2 * left

    @property
    def image_shape(self) -> tuple[int, int]:
        """(y, x) of one frame's light field."""
        return self.rows, self.columns

    def image_room(self, frames: int) -> Host:
        """See ``Projector.image_room``."""
        return np.empty((frames, *self.image_shape), np.float32)

    def pack_image(self, image: Host) -> Array:
        """(frame, y, x) to (frame, 1, y, x); raises ``SettingsError`` on another shape."""
        if image.ndim != 3 or image.shape[1:] != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise SettingsError(f"light field of shape {image.shape}: this projector takes (frame, {expected})")
        return image[:, None].astype(self.dtype)

    def unpack_image(self, image: Array) -> Host:
        """(frame, y, x)."""
        return image[:, 0]

    def pack_volume(self, volume: Host) -> Array:
        """(frame, z, y, x), copied; raises ``SettingsError`` on another shape."""
        if volume.ndim != 4 or volume.shape[1:] != self.volume_shape:
            expected = ", ".join(map(str, self.volume_shape))
            raise SettingsError(f"volume of shape {volume.shape}: this projector takes (frame, {expected})")
        return volume.astype(self.dtype)

    def unpack_volume(self, volume: Array) -> Host:
        """(frame, z, y, x), margin included."""
        return volume

    def fetch_inside(self, volume: Array) -> Callable[[], Host]:
        """See ``Projector.fetch_inside``; there is nothing to wait for."""
        above, left = self.margin_cells
        inside = volume[:, :, above : above + self.rows, left : left + self.columns]
        return lambda: inside

    def forward(self, volume: Array) -> Array:
        """``H x``; resident volume to resident image. Planes go one after the other, to need little memory."""
        above, left = self.margin_cells
        image = np.empty((len(volume), 1, *self.image_shape), self.dtype)
        for frame, planes in enumerate(volume):
            spectrum = np.zeros_like(self._responses[0])
            for response, plane in zip(self._responses, planes, strict=True):
                spectrum += response * self._spectrum(plane)
            field = irfft2(spectrum, self._grid, workers=-1)
            image[frame, 0] = field[above : above + self.rows, left : left + self.columns]
        return image

    def adjoint(self, image: Array) -> Array:
        """``H^T y``; resident image to resident volume."""
        above, left = self.margin_cells
        _, height, width = self.volume_shape
        volume = np.empty((len(image), *self.volume_shape), self.dtype)
        placed = np.zeros((height, width), self.dtype)
        for frame, [seen] in enumerate(image):
            placed[above : above + self.rows, left : left + self.columns] = seen
            spectrum = self._spectrum(placed)
            for response, plane in zip(self._responses, volume[frame], strict=True):
                plane[...] = irfft2(spectrum * response.conj(), self._grid, workers=-1)[:height, :width]
        return volume

    def _spectrum(self, field: Array) -> Complex:
        return np.asarray(rfft2(field, self._grid, workers=-1))

    def _response(self, kernel: PlaneKernels) -> Complex:
        """The spectrum of a plane's image, its middle at the origin."""
        image = kernel.images[0].astype(self.dtype)
        placed = np.zeros(self._grid, self.dtype)
        placed[: image.shape[0], : image.shape[1]] = image
        return self._spectrum(np.roll(placed, [-radius for radius in kernel.radius_cells], (0, 1)))
