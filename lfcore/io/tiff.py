"""One float32 image as the bytes of a TIFF file."""

import io

import numpy as np
import numpy.typing as npt
import tifffile


def encode_image(image: npt.NDArray[np.floating]) -> bytes:
    """A compressed float32 TIFF of an image (y, x); NaN marks missing pixels."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.ascontiguousarray(image, np.float32), compression="zlib", predictor=True, metadata=None)
    return buffer.getvalue()
