"""``lfcore project`` as a command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

MakeDataset = Callable[..., Path]


def test_there_and_back(lfcore: Callable[..., Any], tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset(frames=1)
    tifffile.imwrite(tmp_path / "v.tif", np.ones((3, 8, 10), np.float32), photometric="minisblack")
    result = lfcore("project", dataset, tmp_path / "v.tif", "-o", tmp_path / "field.tif")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{tmp_path / 'field.tif'}: 40 x 50\n"
    back = lfcore("project", dataset, tmp_path / "field.tif", "--adjoint", "-o", tmp_path / "back.tif")
    assert back.out == f"{tmp_path / 'back.tif'}: 3 x 8 x 10\n"
    assert tifffile.imread(tmp_path / "back.tif").min() > 0


def test_what_is_no_image_is_bad_data(lfcore: Callable[..., Any], tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    (tmp_path / "v.tif").write_text("no image")
    result = lfcore("project", tiny_dataset(frames=1), tmp_path / "v.tif", "-o", tmp_path / "out.tif")
    assert result.code == 65
    assert "v.tif" in result.error
    assert not (tmp_path / "out.tif").exists()
