"""Where the demo keeps its files, which ports it uses, and the configuration of what it starts."""

import json
import os
import secrets
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DAG_ID = "lightfield_reconstruction"
LOCALHOST = "127.0.0.1"
USER = "admin"
REGION = "us-east-1"


def lfcore_command() -> str:
    """The ``lfcore`` command of this environment; jobs start in an empty folder and without this one's path."""
    return str(Path(sys.executable).with_name("lfcore"))


def free_port(preferred: int = 0) -> int:
    """A port of this machine that nobody listens on: ``preferred`` if it is free, else any."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOCALHOST, preferred))
        except OSError:
            listener.bind((LOCALHOST, 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Layout:
    """Paths below the demo's folder, ports, and secrets made for this start alone."""

    root: Path
    api_port: int
    worker_log_port: int = field(default_factory=free_port)
    trigger_log_port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9), repr=False)
    jwt_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def dataset(self) -> Path:
        """The synthetic data set, with its ground truth."""
        return self.root / "data" / "beads"

    @property
    def run(self) -> Path:
        """What the pipeline makes of it."""
        return self.root / "data" / "runs" / "beads"

    @property
    def airflow_home(self) -> Path:
        """Airflow's database and logs."""
        return self.root / "airflow"

    @property
    def batch_state(self) -> Path:
        """The local Batch's jobs and their logs; it writes its port here."""
        return self.root / "batch"

    @property
    def logs(self) -> Path:
        """One log a started process."""
        return self.root / "logs"

    @property
    def url(self) -> str:
        """Airflow's user interface and API."""
        return f"http://{LOCALHOST}:{self.api_port}"


def batch_configuration(cores: int) -> dict[str, object]:
    """Queues and the one job definition of the local Batch, as a cloud deployment would have them."""
    return {
        "region": REGION,
        "queues": {"lightfield-cpu": {"slots": cores}, "lightfield-gpu": {"slots": cores}},
        "jobDefinitions": {
            "lightfield": {
                "command": [lfcore_command(), "work"],
                # As many jobs as cores run side by side, so BLAS gets one thread in each.
                "environment": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"},
                "retryStrategy": {
                    "attempts": 3,
                    "evaluateOnExit": [
                        {"onStatusReason": "Host EC2*", "action": "RETRY"},
                        {"onExitCode": "75", "action": "RETRY"},
                        {"onReason": "*", "action": "EXIT"},
                    ],
                },
            }
        },
    }


def airflow_environment(layout: Layout, batch_port: int) -> dict[str, str]:
    """The environment of every Airflow process: SQLite, one machine, quick polling, nothing listening outside."""
    connection = {
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": {"region_name": REGION, "endpoint_url": f"http://{LOCALHOST}:{batch_port}"},
    }
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONWARNINGS": "ignore",
        # A task is a process of its own, and would compile the plugins anew.
        "PYTHONDONTWRITEBYTECODE": "",
        "AIRFLOW_HOME": str(layout.airflow_home),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "AIRFLOW__API__BASE_URL": layout.url,
        "AIRFLOW__API__HOST": LOCALHOST,
        "AIRFLOW__API__PORT": str(layout.api_port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": layout.jwt_secret,
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{layout.url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # LocalExecutor forks all its workers at its start, and a task that waits for its job holds one.
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.root / "passwords.json"),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{layout.airflow_home}/airflow.db",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(layout.trigger_log_port),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(layout.worker_log_port),
        # Waiting in place: no triggerer to start, and no race between a short job's end and the scheduler.
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Each task's slot stays taken for this long after the task's end; five seconds by default.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }
