import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfcore.contracts import Stage
from lfcore.errors import DataError
from lightfield.fanout import Caps, count_slices, cut_stage, name_slice

CAPS = Caps(max_jobs=64, job_minutes=10)


def run_json(items: int, seconds_per_item: float) -> dict[str, object]:
    return {"estimates": {stage.value: {"items": items, "seconds_per_item": seconds_per_item} for stage in Stage}}


@given(
    items=st.integers(0, 20_000),
    seconds=st.floats(0, 1e5),
    max_jobs=st.integers(1, 1000),
    minutes=st.floats(1e-3, 1440),
    longest=st.integers(1, 1024),
)
def test_number_of_slices_keeps_every_cap(
    items: int, seconds: float, max_jobs: int, minutes: float, longest: int
) -> None:
    slices = count_slices(items, seconds, Caps(max_jobs, minutes), longest)
    assert 1 <= slices <= max(1, min(items, max_jobs, longest))


@given(items=st.integers(1, 3000), max_jobs=st.integers(1, 200))
def test_slices_name_every_item_once(items: int, max_jobs: int) -> None:
    cuts = cut_stage(Stage.RECONSTRUCT, run_json(items, 60), Caps(max_jobs, 1), 1024)
    named: list[int] = []
    for cut in cuts:
        first, _, last = cut["slice_label"].split()[1].partition("-")
        named.extend(range(int(first), int(last or first) + 1))
    assert named == list(range(items))
    assert [cut["slice_index"] for cut in cuts] == list(range(len(cuts)))
    assert {cut["slices"] for cut in cuts} == {len(cuts)}


def test_jobs_are_as_long_as_asked_for() -> None:
    # 120 frames of 30 s are one hour: six jobs of ten minutes.
    assert count_slices(120, 30, CAPS, 1024) == 6
    assert count_slices(120, 0, CAPS, 1024) == 1


def test_ten_thousand_slow_frames_stay_below_the_longest_map() -> None:
    assert count_slices(10_000, 600, Caps(10_000, 10), 1024) == 1024


@pytest.mark.parametrize(("first", "last", "label"), [(0, 10, "frames 0-9"), (3, 4, "frame 3"), (5, 5, "no frames")])
def test_labels(first: int, last: int, label: str) -> None:
    assert name_slice("frame", first, last) == label


def test_planes_are_called_planes() -> None:
    assert cut_stage(Stage.TRANSFORMS, run_json(8, 1), CAPS, 1024)[0]["slice_label"] == "planes 0-7"


@pytest.mark.parametrize(
    "content", [{}, {"estimates": {}}, {"estimates": {"reconstruct": {"items": "x", "seconds_per_item": 1}}}]
)
def test_missing_estimates_name_the_stage(content: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"reconstruct.*plan the run again"):
        cut_stage(Stage.RECONSTRUCT, content, CAPS, 1024)
