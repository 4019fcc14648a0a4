"""Series of frames: what each starts from, when it stops, and what a run records of it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import shift

from lfcore.calibration.rectify import rectifier
from lfcore.contracts import RunPaths, Stage
from lfcore.projection.cell import Array
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.settings import Camera, Reconstruction
from lfcore.stages.plan import plan
from lfcore.stages.series import RESAMPLED_VARIANCE, reconstruct_frames, reconstruct_series
from lfcore.stages.work import do_slice
from tests.calibration.test_rectify import calibration_of
from tests.instruments import instrument

Image = npt.NDArray[np.float32]
MakeDataset = Callable[..., Path]
SEED = 111


@pytest.fixture(scope="module")
def projector() -> NumpyProjector:
    """Four planes in front of 8 x 7 lenslets of 5 px, three samples a lenslet."""
    return NumpyProjector(
        [plane_kernels(instrument(pixels_per_lenslet=5), z_um, 3) for z_um in (-20.0, -10.0, 10.0, 20.0)], 8, 7
    )


def moving(projector: NumpyProjector, frames: int, photons: float = 400) -> Image:
    """(frame, y, x) counts of blobs that drift by a tenth of a voxel a frame and brighten by 2 %."""
    generator = np.random.default_rng(SEED)
    planes, height, width = projector.volume_shape
    z, y, x = np.indices(projector.volume_shape)
    first = np.zeros((1, *projector.volume_shape))
    for _ in range(12):
        centre = generator.uniform(0, planes), generator.uniform(6, height - 6), generator.uniform(6, width - 6)
        distances = (2 * (z - centre[0])) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        first[0] += generator.uniform(0.3, 1) * np.exp(-distances / 4)
    volumes = [shift(first, (0, 0, 0, frame / 10), order=1) * 1.02**frame for frame in range(frames)]
    light = np.concatenate([projector.unpack_image(projector.forward(projector.pack_volume(v))) for v in volumes])
    light *= photons / light.max()
    return generator.poisson(np.maximum(light, 0) + 1).astype(np.float32)


def flat(projector: NumpyProjector) -> Image:
    return np.ones(projector.image_shape, np.float32)


@pytest.mark.parametrize(("acceleration", "iterations"), [(False, 20), (True, 10)])
def test_a_warm_start_takes_half_the_iterations_to_the_same_residual(
    projector: NumpyProjector, acceleration: bool, iterations: int
) -> None:
    """Above the noise: that is each frame's own, and fitting it takes as long from anywhere."""
    batches = [frame[None] for frame in moving(projector, 4, photons=4000)]
    cold, warm = (
        [
            estimate.residuals[:, 0]
            for estimate in reconstruct_series(
                projector,
                flat(projector),
                batches,
                Reconstruction(iterations=iterations, acceleration=acceleration, warm_start=warm_start),
            )
        ]
        for warm_start in (False, True)
    )
    np.testing.assert_array_equal(warm[0], cold[0])
    for quick, slow in list(zip(warm, cold, strict=True))[1:]:
        assert quick[: iterations // 2 + 1].min() <= slow[-1]


def test_a_batch_starts_from_the_last_frame_before_it(projector: NumpyProjector) -> None:
    frames, weight = moving(projector, 4), flat(projector)
    settings = Reconstruction(iterations=3, warm_start=True)
    batches = list(reconstruct_series(projector, weight, [frames[:2], frames[2:]], settings))
    assert batches[0].whole is not None
    for frame in range(2):
        alone = reconstruct_frames(projector, frames[2 + frame][None], weight, settings, start=batches[0].whole[1:])
        np.testing.assert_allclose(batches[1].volume[frame], alone.volume[0], rtol=1e-3, atol=1e-3)


def test_without_it_frames_do_not_know_each_other(projector: NumpyProjector) -> None:
    frames, weight = moving(projector, 2), flat(projector)
    settings = Reconstruction(iterations=3)
    series = list(reconstruct_series(projector, weight, [frame[None] for frame in frames], settings))
    alone = reconstruct_frames(projector, frames[1][None], weight, settings)
    np.testing.assert_array_equal(series[1].volume, alone.volume)
    assert series[1].whole is None


def test_resampling_leaves_as_much_noise_as_is_reckoned_with() -> None:
    calibration = calibration_of((900, 800), 9.37, 2.0, (12.2, 11.1), 80, 70, 9)
    noise = np.random.default_rng(SEED).normal(size=(900, 800)).astype(np.float32)
    assert np.nanvar(rectifier(calibration)(noise)) == pytest.approx(RESAMPLED_VARIANCE, rel=0.03)


@pytest.mark.parametrize("gain", [0.5, 4.0])
def test_it_stops_where_photons_and_read_noise_explain_the_rest(projector: NumpyProjector, gain: float) -> None:
    """The residual of the true light is what the rule aims at; here noise is made as resampling leaves it."""
    generator, read = np.random.default_rng(SEED), 2.0
    mean = np.maximum(moving(projector, 1, photons=2000) - 1, 0)
    smooth = reconstruct_frames(projector, mean, flat(projector), Reconstruction(iterations=10, background=0))
    margins = [(0, 0), (0, 0), *((3 * cells, 3 * cells) for cells in projector.margin_cells)]
    volume = projector.pack_volume(np.pad(smooth.volume, margins))
    light = np.maximum(projector.unpack_image(projector.forward(volume)), 0)
    variance = RESAMPLED_VARIANCE * (light + read**2)
    counts = (gain * (light + np.sqrt(variance) * generator.normal(size=light.shape))).astype(np.float32)
    camera = Camera(pixel_um=6.5, counts_per_electron=gain, read_noise_electrons=read)
    settings = Reconstruction(
        iterations=300,
        background=0,
        acceleration=False,
        stopping={"rule": "discrepancy"},  # type: ignore[arg-type]
    )
    estimate = reconstruct_frames(projector, counts, flat(projector), settings, camera=camera)
    noise = np.linalg.norm(counts - gain * light) / np.linalg.norm(np.maximum(counts, 0))
    assert estimate.stopped == "discrepancy"
    assert 0.9 * noise < estimate.residuals[-1, 0] < 1.1 * noise
    assert len(estimate.residuals) < 300


def planned(dataset: Path, root: Path, **reconstruction: object) -> RunPaths:
    run = RunPaths(str(root))
    plan(str(dataset), run, {"reconstruction": reconstruction})
    for stage in (Stage.NORMALISE, Stage.CALIBRATE, Stage.TRANSFORMS):
        do_slice(run, stage)
    return run


def records(run: RunPaths) -> list[dict[str, object]]:
    folder = Path(run.done(Stage.RECONSTRUCT, "x")).parent
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_a_run_records_what_frames_started_from_and_why_they_stopped(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    rule = {"rule": "change", "tolerance": 0.3}
    run = planned(tiny_dataset(), tmp_path / "run", iterations=9, warm_start=True, stopping=rule)
    do_slice(run, Stage.RECONSTRUCT)
    found = records(run)
    assert [record["started_from"] for record in found] == ["back projection", "frame_000000", "frame_000001"]
    assert {record["stopped"] for record in found} == {"change"}
    # What is done is not done again, and so there is nothing to go on from.
    Path(run.done(Stage.RECONSTRUCT, "frame_000001")).unlink()
    do_slice(run, Stage.RECONSTRUCT)
    assert records(run)[1]["started_from"] == "back projection"


def test_a_frame_that_diverges_is_set_aside(
    tiny_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planned(tiny_dataset(frames=1), tmp_path / "run", iterations=20)
    adjoint, calls = NumpyProjector.adjoint, [0]

    def spoilt(self: NumpyProjector, image: Array) -> Array:
        calls[0] += 1
        return adjoint(self, image) * np.float32(1 if calls[0] < 6 else 9)

    monkeypatch.setattr(NumpyProjector, "adjoint", spoilt)
    outcome = do_slice(run, Stage.RECONSTRUCT)
    assert (outcome.done, outcome.quarantined) == (0, 1)
    content = json.loads(Path(run.quarantine(Stage.RECONSTRUCT, "frame_000000")).read_text())
    assert "richardson_lucy diverges: at iteration" in content["error"]
    assert not records(run)
