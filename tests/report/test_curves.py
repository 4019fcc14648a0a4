import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lfcore.report.curves import resolution_picture

Z_UM = (-80.0, -40.0, 0.0, 40.0, 80.0)


def drawn(limit: tuple[float, ...]) -> NDArray[np.uint8]:
    content = resolution_picture(
        Z_UM, limit, (0.16, 0.3, 2.0, 0.3, 0.16), (15, 8, 30, 8, 15), valid_from_um=38, pitch_um=6
    )
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_the_curve_is_drawn_and_follows_its_numbers() -> None:
    one, other = drawn((0.15, 0.28, 0.08, 0.28, 0.15)), drawn((0.15, 0.20, 0.08, 0.20, 0.15))
    assert one.shape == other.shape
    assert one.std() > 5
    left = slice(0, one.shape[1] // 2)
    assert (one[:, left] != other[:, left]).any()
    np.testing.assert_array_equal(one[:, one.shape[1] * 3 // 5 :], other[:, one.shape[1] * 3 // 5 :])
