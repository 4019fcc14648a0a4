"""One image as the bytes of a TIFF file."""

import io

import numpy as np
import numpy.typing as npt
import tifffile


def encode_image(image: npt.NDArray[np.floating | np.uint16]) -> bytes:
    """A compressed TIFF of an image (y, x): uint16 as it is, anything else as float32, where NaN marks missing pixels."""
    buffer = io.BytesIO()
    stored = np.ascontiguousarray(image, np.uint16 if image.dtype == np.uint16 else np.float32)
    tifffile.imwrite(buffer, stored, compression="zlib", predictor=True, metadata=None)
    return buffer.getvalue()
