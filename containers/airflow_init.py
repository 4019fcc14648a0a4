"""Makes the database, the pools and the password file before Airflow starts; to be repeated at will."""

import json
import os
import subprocess
from pathlib import Path

PASSWORDS = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
POOLS = {"CPU": "Batch jobs on the queue for processors", "GPU": "Batch jobs on the queue for GPUs"}


def airflow(*arguments: str) -> None:
    """Run a command of Airflow's. Raises ``CalledProcessError``."""
    subprocess.run(["airflow", *arguments], check=True)


def set_password(user: str, password: str) -> None:
    """Put a user's password into Airflow's file, beside those that it made for other users."""
    known = json.loads(PASSWORDS.read_text()) if PASSWORDS.exists() else {}
    PASSWORDS.touch(mode=0o600)
    PASSWORDS.write_text(json.dumps({**known, user: password}) + "\n")


def main() -> None:
    """Do all of it."""
    airflow("db", "migrate")
    for kind, description in POOLS.items():
        slots = os.environ[f"LIGHTFIELD_POOL_{kind}_SLOTS"]
        # A deferred task has a job that runs, so it counts.
        airflow("pools", "set", os.environ[f"LIGHTFIELD_POOL_{kind}"], slots, description, "--include-deferred")
    set_password("admin", os.environ["AIRFLOW_ADMIN_PASSWORD"])


if __name__ == "__main__":
    main()
