"""A PostgreSQL cluster of a test's own, from the programs of Debian's packages.

Airflow's api-server and SQLite block each other when requests come side by side; a deployment that is to last has
PostgreSQL.
"""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

from demo.layout import LOCALHOST, free_port
from demo.processes import ProcessGroup

ACCOUNT = "postgres"
READY_S = 30


def find_programs() -> Path:
    """Folder of the newest PostgreSQL that is installed. Raises ``RuntimeError`` when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if not found:
        raise RuntimeError("no PostgreSQL found in /usr/lib/postgresql; Debian: apt-get install postgresql")
    return found[-1]


def start_postgres(folder: Path, group: ProcessGroup) -> str:
    """Start an empty database ``airflow`` that only this machine reaches; its SQLAlchemy address."""
    programs, port = find_programs(), free_port()
    data, prefix = folder / "postgres", _as_ordinary_user()
    data.mkdir()
    if prefix:
        shutil.chown(data, ACCOUNT)
        # The account must be able to reach its folder.
        folder.chmod(0o711)
    create = [
        *prefix,
        str(programs / "initdb"),
        "--auth=trust",
        "--username=airflow",
        "--encoding=UTF8",
        "-D",
        str(data),
    ]
    subprocess.run(create, check=True, stdout=subprocess.DEVNULL, cwd="/")
    # The workers of a scheduler that was killed hold its connection open, with the lock on the pools (docs/airflow.md).
    patience = ["-c", "idle_in_transaction_session_timeout=30s"]
    options = [
        "-c",
        f"listen_addresses={LOCALHOST}",
        "-c",
        f"unix_socket_directories={data}",
        "-c",
        "fsync=off",
        *patience,
    ]
    serve = [*prefix, str(programs / "postgres"), "-D", str(data), "-p", str(port), *options]
    group.start("postgres", serve, os.environ)
    ask = [
        str(programs / "psql"),
        "-h",
        LOCALHOST,
        "-p",
        str(port),
        "-U",
        "airflow",
        "-c",
        "create database airflow",
        "postgres",
    ]
    deadline = time.monotonic() + READY_S
    while subprocess.run(ask, check=False, capture_output=True).returncode:
        group.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL did not answer in {READY_S} s; see {group.log('postgres')}")
        time.sleep(0.2)
    return f"postgresql+psycopg2://airflow@{LOCALHOST}:{port}/airflow"


def _as_ordinary_user() -> list[str]:
    """What to put before a command, as PostgreSQL refuses to be run by root."""
    if os.geteuid():
        return []
    account = pwd.getpwnam(ACCOUNT)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]
