import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.serialization.serialized_objects import DagSerialization

from lfcore.contracts import Stage

DAGS = Path(__file__).resolve().parents[2] / "dags"
HEAVY = ("numpy", "scipy", "tifffile", "zarr", "matplotlib", "pyopencl", "s3fs")


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(DAGS)


@pytest.fixture(scope="module")
def dag(bag: DagBag) -> DAG:
    return bag.dags["lightfield_reconstruction"]


def test_every_dag_imports_and_explains_itself(bag: DagBag) -> None:
    assert bag.import_errors == {}
    for dag in bag.dags.values():
        assert dag.doc_md
        assert dag.description
        assert "lightfield" in dag.tags
        assert dag.owner == "lightfield"


def test_the_database_gives_back_what_it_was_given(dag: DAG) -> None:
    restored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    assert restored.params["settings"] == {}
    assert restored.task_dict.keys() == dag.task_dict.keys()


def test_task_ids_are_the_stages(dag: DAG) -> None:
    tasks = {task.task_id for task in dag.tasks if not task.task_id.startswith("fan_out.")}
    assert tasks == {"request", *Stage, "end_jobs"}


def test_every_stage_is_a_batch_job_and_the_big_ones_are_mapped(dag: DAG) -> None:
    for stage in Stage:
        task = dag.get_task(stage)
        assert task.task_type == "StageBatchOperator"
        assert isinstance(task, MappedOperator) == (stage in {Stage.NORMALISE, Stage.TRANSFORMS, Stage.RECONSTRUCT})
        assert task.retries >= 1
        if isinstance(task, MappedOperator):
            assert task.partial_kwargs["map_index_template"] == "{{ task.slice_label }}"


def test_order_of_the_stages(dag: DAG) -> None:
    order = {
        "request": {"plan", "end_jobs"},
        "plan": {"calibrate", "fan_out.normalise", "fan_out.transforms", "fan_out.reconstruct"},
        "calibrate": {"transforms"},
        "normalise": {"reconstruct"},
        "transforms": {"reconstruct"},
        "reconstruct": {"report"},
        "report": {"end_jobs"},
        "end_jobs": set(),
    }
    for task, following in order.items():
        assert dag.get_task(task).downstream_task_ids == following
    for stage in ("normalise", "transforms", "reconstruct"):
        assert dag.get_task(f"fan_out.{stage}").downstream_task_ids == {stage}


def test_it_never_starts_by_itself(dag: DAG) -> None:
    assert dag.schedule is None
    assert not dag.catchup


@pytest.mark.parametrize(
    "statement", ["import lightfield_reconstruction", "import lightfield.operators, lightfield.triggers"]
)
def test_what_the_scheduler_imports_loads_nothing_heavy(statement: str) -> None:
    # The module names are compared after the import, in a process that has loaded nothing else.
    code = f"{statement}; import sys; print(sorted({{n.split('.')[0] for n in sys.modules}} & set({HEAVY})))"
    path = f"import sys; sys.path[:0] = ['{DAGS}', '{DAGS.parent / 'plugins'}']; "
    done = subprocess.run([sys.executable, "-c", path + code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]"


def test_airflow_finds_no_stray_plugins() -> None:
    from airflow import plugins_manager

    _, errors = plugins_manager._get_plugins()
    assert errors == {}
    assert "operators" not in sys.modules
