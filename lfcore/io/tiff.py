"""An image or a stack as the bytes of a TIFF file."""

import io

import numpy as np
import numpy.typing as npt
import tifffile


def encode_image(image: npt.NDArray[np.floating | np.uint16]) -> bytes:
    """A compressed TIFF of an image (y, x) or stack (z, y, x): uint16 as it is, anything else as float32.

    NaN marks what is missing.
    """
    buffer = io.BytesIO()
    stored = np.ascontiguousarray(image, np.uint16 if image.dtype == np.uint16 else np.float32)
    tifffile.imwrite(buffer, stored, compression="zlib", predictor=True, photometric="minisblack", metadata=None)
    return buffer.getvalue()
