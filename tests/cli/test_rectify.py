"""``lfcore rectify`` and ``lfcore refocus`` as commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tifffile

MakeDataset = Callable[..., Path]
Lfcore = Callable[..., Any]


def test_rectify_writes_a_light_field_or_its_views(lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, output = tiny_dataset(), tmp_path / "field.tif"
    result = lfcore("rectify", dataset, "-o", output, "--frame", 2, "--flat")
    assert (result.code, result.err, result.out) == (0, "", f"{output}: 100 x 120 (y, x)\n")
    assert lfcore("rectify", dataset, "-o", output, "--views").out == f"{output}: 10 x 10 x 10 x 12 (v, u, y, x)\n"
    assert tifffile.imread(output).shape == (10, 10, 10, 12)


def test_refocus_writes_a_stack_and_what_is_sharp_in_it(
    lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, output = tiny_dataset(frames=1), tmp_path / "stack.tif"
    result = lfcore("refocus", dataset, "-o", output, "--all-in-focus", tmp_path / "sharp.tif")
    assert (result.code, result.err, result.out) == (0, "", f"{output}: 3 x 20 x 24 (z, y, x)\n")
    assert tifffile.imread(tmp_path / "sharp.tif").shape == (20, 24)
    assert sorted(path.name for path in tmp_path.glob("*.tif")) == ["sharp.tif", "stack.tif"]


def test_a_frame_that_is_not_there_leaves_no_file(lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    for verb in ("rectify", "refocus"):
        result = lfcore(verb, tiny_dataset(verb), "-o", tmp_path / "out.tif", "--frame", 3)
        assert result.code == 2
        assert "--frame 3: " in result.error
        assert not (tmp_path / "out.tif").exists()
