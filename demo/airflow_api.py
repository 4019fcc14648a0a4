"""The few calls of Airflow's public API that are made from outside."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx


class AirflowApi:
    """A client of Airflow's REST API that logs in when it is first told to wait."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._credentials = {"username": user, "password": password}

    def wait_until_ready(self, dag_id: str, alive: Callable[[], None], timeout_s: float) -> None:
        """Log in and wait until the DAG is known; ``alive`` raises when waiting has become pointless."""
        deadline = time.monotonic() + timeout_s
        while not (self._logged_in() and self._client.get(f"/api/v2/dags/{dag_id}").is_success):
            alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"Airflow did not know {dag_id} after {timeout_s:.0f} s")
            time.sleep(0.5)

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        """Trigger a DAG. Raises ``RuntimeError`` with Airflow's answer when it refuses."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self._client.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        if not answer.is_success:
            raise RuntimeError(f"Airflow refused to trigger {dag_id}: {answer.text}")

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs start."""
        self._client.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(self.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The last runs of a DAG as Airflow describes them."""
        return list(self.get(f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"])

    def end_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a run ``failed`` or ``success``, as the button in the user interface does."""
        answer = self._client.patch(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", json={"state": state})
        answer.raise_for_status()

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every task instance of a run as Airflow describes it."""
        place = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"{place}?limit=100&offset={len(found)}")
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def get(self, path: str) -> dict[str, Any]:
        """Airflow's answer to a GET. Raises ``httpx.HTTPError``."""
        content: dict[str, Any] = self._client.get(path).raise_for_status().json()
        return content

    def _logged_in(self) -> bool:
        if "Authorization" in self._client.headers:
            return True
        try:
            answer = self._client.post("/auth/token", json=self._credentials)
        except httpx.TransportError:
            return False
        if answer.is_success:
            self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer.is_success


def summarise(instances: list[dict[str, Any]], stages: list[str]) -> str:
    """One line on the run: done of known task instances for each stage that has begun."""
    parts = []
    for stage in stages:
        states = Counter(str(entry["state"]) for entry in instances if entry["task_id"] == stage)
        begun = states.total() - states["None"]
        if begun:
            failed = f" ({states['failed']} failed)" if states["failed"] else ""
            parts.append(f"{stage} {states['success']}/{states.total()}{failed}")
    return "  ".join(parts) or "waiting for the first task"
