import re

from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from lfcore.contracts import Stage
from lfcore.job_names import Places, job_name, job_tags, run_prefix, slice_prefix
from lightfield.pools import pool

BATCH_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


@given(run_id=st.text(max_size=250), stage=st.sampled_from(list(Stage)), index=st.integers(0, 1023))
def test_any_run_id_makes_a_legal_job_name(run_id: str, stage: Stage, index: int) -> None:
    name = job_name("lightfield_reconstruction", run_id, stage, index)
    assert BATCH_JOB_NAME.fullmatch(name)
    assert name.startswith(slice_prefix("lightfield_reconstruction", run_id, stage, index))
    assert name.startswith(run_prefix("lightfield_reconstruction", run_id))
    assert name.split("-")[2] == stage


def test_no_slice_is_found_by_anothers_prefix() -> None:
    runs = [("d", "r"), ("d", "r-1"), ("d-r", "1"), ("dr", "")]
    slices = [(*run, stage, index) for run in runs for stage in Stage for index in (None, 0, 1, 10, 11, 110)]
    names = [job_name(*each) for each in slices]
    assert len(set(names)) == len(names)
    for each, name in zip(slices, names, strict=True):
        assert [other for other in names if other.startswith(slice_prefix(*each))] == [name]
    for run in runs:
        assert sum(name.startswith(run_prefix(*run)) for name in names) == len(names) // len(runs)


@given(run_id=st.text(min_size=1, max_size=400))
def test_any_run_id_makes_legal_tags(run_id: str) -> None:
    shapes = Loader().load_service_model("batch", "service-2")["shapes"]
    for key, value in job_tags("lightfield_reconstruction", run_id, Stage.PLAN).items():
        assert len(key) <= shapes["TagKey"]["max"]
        assert len(value) <= shapes["TagValue"]["max"]
        # What AWS allows in tags of every service.
        assert re.fullmatch(r"[\w +=._:/@-]*", key + value, flags=re.ASCII)


def test_an_ordinary_run_id_stays_readable() -> None:
    run_id = "manual__2026-11-22T15:00:00+00:00"
    name = job_name("d", run_id, Stage.PLAN, 0)
    assert re.fullmatch("lf-[0-9a-f]{10}-plan-0-manual__2026-11-22T15-00-00-00-00", name)
    assert job_tags("d", run_id, Stage.PLAN)["lightfield:run"] == run_id


def test_the_environment_names_queues_and_definition() -> None:
    environment = {"LIGHTFIELD_JOB_QUEUE_GPU": "g5", "LIGHTFIELD_JOB_DEFINITION": "lf:7"}
    places = Places.chosen(environment=environment)
    assert places.queue(Stage.RECONSTRUCT) == "g5"
    assert places.queue(Stage.NORMALISE) == "lightfield-cpu"
    assert places.definition_of(Stage.RECONSTRUCT) == places.definition_of(Stage.PLAN) == "lf:7"
    places = Places.chosen(environment=environment | {"LIGHTFIELD_JOB_DEFINITION_GPU": "lf-gpu:2"})
    assert places.definition_of(Stage.RECONSTRUCT) == "lf-gpu:2"
    assert places.definition_of(Stage.NORMALISE) == "lf:7"


def test_the_environment_names_the_pools() -> None:
    assert pool(Stage.RECONSTRUCT, {}) == pool(Stage.PLAN, {}) == "default_pool"
    environment = {"LIGHTFIELD_POOL_GPU": "gpus", "LIGHTFIELD_POOL_CPU": ""}
    assert pool(Stage.RECONSTRUCT, environment) == "gpus"
    assert pool(Stage.TRANSFORMS, environment) == "default_pool"
