"""Slices and projections against numpy on the volumes that were written."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.contracts import RunPaths, Stage
from lfcore.io import ome_zarr, store
from lfcore.stages import look as look_module
from lfcore.stages.look import Axis, Look, NotThereError, Picture
from tests.page.make_run import Recipe, make_run, volume

SHAPE = (6, 19, 70, 90)
KINDS = [("ome-zarr", "float32"), ("ome-zarr", "uint16"), ("ome-tiff", "float32"), ("ome-tiff", "uint16")]


def _values(picture: Picture) -> npt.NDArray[np.float64]:
    assert picture.pixels.dtype == np.dtype("<u2")
    return picture.low + (picture.high - picture.low) * picture.pixels.astype(float) / 65535


def _assert_shows(picture: Picture, expected: npt.NDArray[np.float32], stored_step: float = 0.0) -> None:
    assert picture.pixels.shape == expected.shape
    step = (expected.max() - expected.min()) / 65535
    np.testing.assert_allclose(_values(picture), expected, rtol=0, atol=0.51 * (step + stored_step) + 1e-3)


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunPaths, float]:
    """A run with frames 0, 1, 3 of 6, and the step of what is stored."""
    kind, dtype = request.param
    recipe = Recipe(shape=SHAPE, done=4, aside=(2,), format=kind, dtype=dtype)
    run = make_run(f"{tmp_path_factory.mktemp('look')}/run", recipe)
    return run, (1500 / 65535 if dtype == "uint16" else 0.0)


def test_slices_and_projections(made: tuple[RunPaths, float]) -> None:
    run, step = made
    look, axes = Look(), ("z", "y", "x")
    generator = np.random.default_rng(3)
    for frame in (0, 1, 3):
        whole = volume(SHAPE[1:], frame)
        for place, axis in enumerate(axes):
            for index in (0, whole.shape[place] - 1, *generator.integers(0, whole.shape[place], 3)):
                _assert_shows(look.slice(run, frame, axis, int(index)), whole.take(index, place), step)
            _assert_shows(look.projection(run, frame, axis), whole.max(place), step)
            # Again, from what is kept now.
            _assert_shows(look.slice(run, frame, axis, 5), whole.take(5, place), step)


def test_facts(made: tuple[RunPaths, float]) -> None:
    run, _ = made
    facts = Look().facts(run)
    assert facts.shape == SHAPE
    assert facts.voxel_um == (2.0, 1.25, 1.25)
    assert list(facts.planes_um) == [2.0 * plane - 18 for plane in range(19)]
    assert facts.frame_interval_s == 0.05
    assert facts.done == [(0, 1), (3, 3)]
    assert facts.display[1] == pytest.approx(float(np.quantile(volume(SHAPE[1:], 0)[9], 0.999)), rel=0.01)


@pytest.mark.parametrize(
    ("frame", "axis", "index", "words"),
    [
        (2, "z", 0, "frame 2 is not reconstructed yet"),
        (5, "y", 0, "frame 5 is not reconstructed yet"),
        (6, "z", 0, "frame 6: the run has frames from 0 to 5"),
        (-1, "z", 0, "frame -1"),
        (0, "z", 19, "z 19: the volume has z from 0 to 18"),
        (0, "y", 70, "y 70"),
        (0, "x", -1, "x -1"),
        (10**30, "x", 0, "frame 1000"),
    ],
)
def test_what_is_not_there(made: tuple[RunPaths, float], frame: int, axis: Axis, index: int, words: str) -> None:
    with pytest.raises(NotThereError, match=words):
        Look().slice(made[0], frame, axis, index)


def test_before_the_first_frame(tmp_path: Path) -> None:
    for kind in ("ome-zarr", "ome-tiff"):
        run = make_run(f"{tmp_path}/{kind}", Recipe(shape=SHAPE, done=0, format=kind))
        if kind == "ome-zarr":
            assert Look().facts(run).done == []
            assert Look().facts(run).display == (0.0, 1.0)
            Path(run.ome_zarr, "zarr.json").unlink()
        with pytest.raises(NotThereError, match="no volumes yet"):
            Look().facts(run)


def test_a_frame_made_anew_is_seen(tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(2, 9, 20, 30), done=2, aside=()))
    look = Look()
    before = look.projection(run, 1, "z")
    other = volume((9, 20, 30), 77)
    ome_zarr.write_frame(run.ome_zarr, 1, other)
    record = store.read_bytes(run.done(Stage.RECONSTRUCT, "frame_000001"))
    store.write_bytes(run.done(Stage.RECONSTRUCT, "frame_000001"), record.replace(b"2026-11-22", b"2026-11-23"))
    after = look.projection(run, 1, "z")
    assert after.tag != before.tag
    _assert_shows(after, other.max(0))


def test_the_range_that_the_report_has_set(tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(2, 9, 20, 30), done=1, aside=()))
    ome_zarr.set_display_range(run.ome_zarr, 0.0, 321.5)
    assert Look().facts(run).display == (0.0, 321.5)


def test_nothing_but_zeros_and_what_is_no_number(tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(2, 9, 20, 30), done=2, aside=()))
    odd = np.zeros((9, 20, 30), np.float32)
    ome_zarr.write_frame(run.ome_zarr, 0, odd)
    picture = Look().slice(run, 0, "z", 0)
    assert (picture.low, picture.high) == (0.0, 0.0)
    assert not picture.pixels.any()
    odd[4, 5, 6], odd[4, 5, 7] = np.nan, 2.0
    ome_zarr.write_frame(run.ome_zarr, 1, odd)
    picture = Look().slice(run, 1, "z", 4)
    assert (picture.low, picture.high) == (0.0, 2.0)


def test_planes_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(2, 9, 20, 30), done=2, aside=()))
    monkeypatch.setattr(look_module, "LARGEST_SLAB_BYTES", 1000)
    with pytest.raises(NotThereError, match="too large"):
        Look().slice(run, 0, "z", 0)


def test_many_who_ask_at_once_read_a_frame_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(2, 24, 20, 30), done=2, aside=()))
    reads: list[tuple[Any, ...]] = []
    read = ome_zarr.StoredSeries.read

    def counted(self: ome_zarr.StoredSeries, *part: Any) -> npt.NDArray[np.float32]:  # noqa: ANN401  # what it takes
        reads.append(part)
        return read(self, *part)

    monkeypatch.setattr(ome_zarr.StoredSeries, "read", counted)
    look = Look()
    with ThreadPoolExecutor(12) as pool:
        pictures = list(pool.map(lambda place: look.projection(run, 0, ("z", "y", "x")[place % 3]), range(36)))
    assert len(reads) == 3
    whole = volume((24, 20, 30), 0)
    for place, picture in enumerate(pictures):
        _assert_shows(picture, whole.max(place % 3))


def test_memory_is_bounded(tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(8, 24, 64, 64), done=8, aside=()))
    look = Look(kept_bytes=1 << 20)
    for frame in range(8):
        look.projection(run, frame, "z")
    kept = sum(entry.size for entry in look._slabs._entries.values())
    assert kept <= (1 << 20) * 3 // 4


def test_on_s3(s3_bucket: str) -> None:
    run = make_run(f"{s3_bucket}/some/run", Recipe(shape=(3, 19, 70, 90), done=2, aside=()))
    look = Look()
    assert look.facts(run).done == [(0, 1)]
    whole = volume((19, 70, 90), 1)
    for place, axis in enumerate(("z", "y", "x")):
        _assert_shows(look.slice(run, 1, axis, 7), whole.take(7, place))
        _assert_shows(look.projection(run, 1, axis), whole.max(place))
    with pytest.raises(NotThereError, match="frame 2 is not reconstructed yet"):
        look.slice(run, 2, "z", 0)
