import fcntl
import json
import socket
from pathlib import Path

import pytest

from demo.airflow_api import summarise
from demo.layout import DAG_ID, Layout, airflow_environment, batch_configuration, free_port
from demo.session import _log_end, empty_folder
from lfcore.contracts import Stage


def test_the_folder_is_emptied_and_held(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    (root / "airflow" / "logs").mkdir(parents=True)
    (root / "passwords.json").write_text("{}")
    (root / "elsewhere").symlink_to(tmp_path)
    with empty_folder(root):
        assert [entry.name for entry in root.iterdir()] == ["lock"]
    assert tmp_path.is_dir()


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RuntimeError, match="another demo is running there; end it first"), empty_folder(tmp_path):
            pass
    assert (tmp_path / "kept").exists()


def test_a_port_in_use_is_not_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert free_port(taken) not in {taken, 0}
    assert free_port(taken) == taken


def test_nothing_listens_outside_and_secrets_stay_out_of_sight(tmp_path: Path) -> None:
    layout = Layout(tmp_path, 4321)
    environment = airflow_environment(layout, 1234)
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    connection = json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])
    assert connection["extra"]["endpoint_url"] == "http://127.0.0.1:1234"
    assert layout.password not in repr(layout)
    assert layout.jwt_secret not in repr(layout)
    assert Layout(tmp_path, 1).password != layout.password


def test_the_job_definition_runs_the_one_entry_point() -> None:
    definition = batch_configuration(2)["jobDefinitions"]["lightfield"]
    assert Path(definition["command"][0]).is_absolute()
    assert definition["command"][1:] == ["work"]
    # Batch retries what no rule matches.
    assert definition["retryStrategy"]["evaluateOnExit"][-1] == {"onReason": "*", "action": "EXIT"}


def test_progress_counts_done_of_known() -> None:
    instances = [
        {"task_id": "request", "state": "success"},
        {"task_id": "plan", "state": "success"},
        {"task_id": "normalise", "state": "success"},
        {"task_id": "normalise", "state": "failed"},
        {"task_id": "normalise", "state": "running"},
        {"task_id": "report", "state": None},
    ]
    assert summarise(instances, list(Stage)) == "plan 1/1  normalise 1/3 (1 failed)"
    assert summarise([], list(Stage)) == "waiting for the first task"


def test_the_end_of_a_log_shows_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / f"dag_id={DAG_ID}" / "run_id=demo" / "task_id=normalise" / "map_index=3"
    folder.mkdir(parents=True)
    (folder / "attempt=1.log").write_text('{"event": "first attempt"}\n')
    failure = {"event": "Task failed", "error_detail": [{"exc_value": "normalise: exit code 65"}]}
    (folder / "attempt=2.log").write_text(f"plain line\n{json.dumps(failure)}\n")
    assert _log_end(tmp_path, "normalise", 3) == "  plain line\n  Task failed\n    normalise: exit code 65"
    assert _log_end(tmp_path, "plan", -1) == "  (no log)"
