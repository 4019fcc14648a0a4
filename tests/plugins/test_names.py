import re

from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from lfcore.contracts import Stage
from lightfield.names import BatchNames, job_name, job_tags

BATCH_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


@given(run_id=st.text(max_size=250), stage=st.sampled_from(list(Stage)), index=st.integers(0, 1023))
def test_any_run_id_makes_a_legal_job_name(run_id: str, stage: Stage, index: int) -> None:
    assert BATCH_JOB_NAME.fullmatch(job_name(stage, index, run_id))


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
    assert job_name(Stage.PLAN, 0, run_id) == "lf-plan-0-manual__2026-11-22T15-00-00-00-00"
    assert job_tags("d", run_id, Stage.PLAN)["lightfield:run"] == run_id


def test_the_environment_names_queues_and_definition() -> None:
    names = BatchNames.from_environment({"LIGHTFIELD_JOB_QUEUE_GPU": "g5", "LIGHTFIELD_JOB_DEFINITION": "lf:7"})
    assert names.queue(Stage.RECONSTRUCT) == "g5"
    assert names.queue(Stage.NORMALISE) == "lightfield-cpu"
    assert names.job_definition == "lf:7"
