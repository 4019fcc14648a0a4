import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfcore.contracts import Stage
from lfcore.errors import DataError
from lightfield.fanout import Caps, count_slices, cut_stage, name_slice

CAPS = Caps(max_gpu_jobs=64, max_cpu_jobs=32, job_minutes=10)


def run_json(items: int, seconds_per_item: float) -> dict[str, object]:
    return {"estimates": {stage.value: {"items": items, "seconds_per_item": seconds_per_item} for stage in Stage}}


@given(
    items=st.integers(0, 20_000),
    seconds=st.floats(0, 1e5),
    gpu_jobs=st.integers(1, 300),
    cpu_jobs=st.integers(1, 100),
    minutes=st.floats(1e-2, 1440),
    longest=st.integers(1, 1024),
)
def test_every_stage_keeps_its_caps(
    items: int, seconds: float, gpu_jobs: int, cpu_jobs: int, minutes: float, longest: int
) -> None:
    caps = Caps(gpu_jobs, cpu_jobs, minutes)
    for stage, cap in ((Stage.NORMALISE, cpu_jobs), (Stage.TRANSFORMS, cpu_jobs), (Stage.RECONSTRUCT, gpu_jobs)):
        slices = cut_stage(stage, run_json(items, seconds), caps, longest)
        assert 1 <= len(slices) <= max(1, min(items, cap, longest))
        # No job is shorter than asked for while there are several, by more than the item that is left over.
        if len(slices) > 1:
            assert items * seconds / len(slices) > 60 * minutes * (len(slices) - 1) / len(slices) * 0.999


@given(items=st.integers(1, 3000), gpu_jobs=st.integers(1, 300))
def test_slices_name_every_item_once_and_are_even(items: int, gpu_jobs: int) -> None:
    cuts = cut_stage(Stage.RECONSTRUCT, run_json(items, 60), Caps(gpu_jobs, 1, 1), 1024)
    named: list[int] = []
    sizes = set()
    for cut in cuts:
        first, _, last = cut["slice_label"].split()[1].partition("-")
        named.extend(range(int(first), int(last or first) + 1))
        sizes.add(int(last or first) - int(first))
    assert named == list(range(items))
    assert max(sizes) - min(sizes) <= 1
    assert [cut["slice_index"] for cut in cuts] == list(range(len(cuts)))
    assert {cut["slices"] for cut in cuts} == {len(cuts)}


def test_jobs_are_as_long_as_asked_for() -> None:
    # 120 frames of 30 s are one hour: six jobs of ten minutes.
    assert count_slices(120, 30, 10, 1024) == 6
    assert count_slices(120, 0, 10, 1024) == 1


def test_ten_thousand_slow_frames_stay_below_the_longest_map() -> None:
    assert len(cut_stage(Stage.RECONSTRUCT, run_json(10_000, 600), Caps(300, 100, 10), 256)) == 256


@pytest.mark.parametrize(("first", "last", "label"), [(0, 10, "frames 0-9"), (3, 4, "frame 3"), (5, 5, "no frames")])
def test_labels(first: int, last: int, label: str) -> None:
    assert name_slice("frame", first, last) == label


def test_planes_are_called_planes() -> None:
    assert cut_stage(Stage.TRANSFORMS, run_json(8, 1), CAPS, 1024)[0]["slice_label"] == "planes 0-7"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"estimates": {}},
        {"estimates": {"reconstruct": {"items": "x", "seconds_per_item": 1}}},
        run_json(5, float("nan")),
        run_json(5, float("inf")),
    ],
)
def test_missing_estimates_name_the_stage(content: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"reconstruct.*plan the run again"):
        cut_stage(Stage.RECONSTRUCT, content, CAPS, 1024)


def test_a_slice_may_last_ten_times_its_estimate_and_half_an_hour() -> None:
    assert {cut["timeout_s"] for cut in cut_stage(Stage.RECONSTRUCT, run_json(100, 60), CAPS, 1024)} == {6000}
    assert {cut["timeout_s"] for cut in cut_stage(Stage.TRANSFORMS, run_json(8, 0.1), CAPS, 1024)} == {1800}
