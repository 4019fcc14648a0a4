"""``lfcore project``: the light field of a volume file, and its transpose."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lfcore.contracts import RunPaths, Stage, plan_item
from lfcore.errors import DataError
from lfcore.io.ome_tiff import write_volume
from lfcore.optics.instrument import instrument_from
from lfcore.optics.psf import point_images
from lfcore.settings import Settings
from lfcore.stages.dataset import read_settings
from lfcore.stages.model import project_file
from lfcore.stages.progress import silent
from lfcore.stages.work import do_slice, stage_function

MakeDataset = Callable[..., Path]
SHAPE = (3, 2 * 7, 2 * 9)


@pytest.fixture
def dataset(tiny_dataset: MakeDataset) -> str:
    return str(tiny_dataset(frames=1))


def write(path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> str:
    tifffile.imwrite(path, array, photometric="minisblack")
    return str(path)


def settings_of(dataset: str) -> Settings:
    return read_settings(dataset, {})


def test_one_voxel_gives_its_point_image(dataset: str, tmp_path: Path) -> None:
    volume = np.zeros(SHAPE, np.float32)
    # The sample (1, 0) of lenslet (3, 5), on the plane z = 10.
    volume[2, 2 * 3 + 1, 2 * 5 + 0] = 2.5
    output = tmp_path / "field.tif"
    shape = project_file(dataset, {}, write(tmp_path / "v.tif", volume), str(output), adjoint=False)
    field = tifffile.imread(output)
    assert shape == field.shape == (70, 90)
    optics = instrument_from(settings_of(dataset))
    pitch = optics.object_pitch_um
    image = point_images(optics, 10.0, [(0.25 * pitch, -0.25 * pitch)], 3)[0]
    np.testing.assert_allclose(field[:, 20:90], 2.5 * image, atol=1e-5 * image.max())


def test_the_adjoint_is_the_transpose(dataset: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    volume, field = rng.random(SHAPE, np.float32), rng.random((70, 90), np.float32)
    project_file(dataset, {}, write(tmp_path / "v.tif", volume), str(tmp_path / "Hv.tif"), adjoint=False)
    shape = project_file(dataset, {}, write(tmp_path / "b.tif", field), str(tmp_path / "Hb.tif"), adjoint=True)
    assert shape == SHAPE
    left = np.vdot(tifffile.imread(tmp_path / "Hv.tif").astype(float), field)
    right = np.vdot(volume.astype(float), tifffile.imread(tmp_path / "Hb.tif"))
    assert left == pytest.approx(right, rel=1e-5)


@pytest.mark.parametrize(
    "shape", [(2, 14, 18), (3, 13, 18), (3, 14, 17), (14, 18)], ids=["planes", "rows", "columns", "an image"]
)
def test_a_volume_off_the_grid_is_refused(dataset: str, tmp_path: Path, shape: tuple[int, ...]) -> None:
    source = write(tmp_path / "v.tif", np.ones(shape, np.float32))
    with pytest.raises(DataError, match=r"v\.tif: holds .* it must be \(3, y, x\) in multiples of 2 samples"):
        project_file(dataset, {}, source, str(tmp_path / "out.tif"), adjoint=False)
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("shape", [(2, 70, 90), (71, 90)])
def test_a_light_field_off_the_grid_is_refused(dataset: str, tmp_path: Path, shape: tuple[int, ...]) -> None:
    source = write(tmp_path / "b.tif", np.ones(shape, np.float32))
    with pytest.raises(DataError, match=r"b\.tif: holds .* it must be \(y, x\) in multiples of 10 px"):
        project_file(dataset, {}, source, str(tmp_path / "out.tif"), adjoint=True)


def test_a_volume_with_holes_is_refused(dataset: str, tmp_path: Path) -> None:
    volume = np.ones(SHAPE, np.float32)
    volume[1, 2, 3] = np.nan
    with pytest.raises(DataError, match="all finite"):
        project_file(dataset, {}, write(tmp_path / "v.tif", volume), str(tmp_path / "out.tif"), adjoint=False)


def test_a_volume_in_16_bits_is_projected_in_its_true_values(dataset: str, tmp_path: Path) -> None:
    """As ``lfcore run`` writes them with ``output.dtype`` uint16."""
    volume = np.random.default_rng(7).uniform(3e-4, 9e-4, SHAPE).astype(np.float32)
    fields = []
    for dtype in ("float32", "uint16"):
        source, output = str(tmp_path / f"{dtype}.ome.tif"), str(tmp_path / f"{dtype}.tif")
        write_volume(source, volume, (10.0, 2.5, 2.5), dtype)
        project_file(dataset, {}, source, output, adjoint=False)
        fields.append(tifffile.imread(output))
    np.testing.assert_allclose(fields[1], fields[0], rtol=1e-3)


def test_with_a_run_the_array_is_as_that_has_measured_it(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    """The lenslets have 10 px, the settings say 9."""
    dataset, run = str(tiny_dataset(frames=1)), RunPaths(str(tmp_path / "run"))
    wrong = {"microlens_array": {"pitch_um": 92}}
    stage_function(Stage.PLAN)(run, [plan_item(dataset, run.root, wrong)], silent)
    do_slice(run, Stage.CALIBRATE, 0, 1, silent)
    source, output = write(tmp_path / "v.tif", np.ones(SHAPE, np.float32)), str(tmp_path / "field.tif")
    assert project_file(dataset, wrong, source, output, adjoint=False) == (63, 81)
    assert project_file(dataset, wrong, source, output, adjoint=False, run=run.root) == (70, 90)
    assert project_file(dataset, wrong, output, str(tmp_path / "b.tif"), adjoint=True, run=run.root) == SHAPE
