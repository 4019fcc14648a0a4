"""The few calls of Airflow's public API that the demo makes."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from demo.layout import DAG_ID

RUN_ID = "demo"


class AirflowApi:
    """A logged-in client of Airflow's REST API, for one DAG."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._credentials = {"username": user, "password": password}

    def wait_until_ready(self, alive: Callable[[], None], timeout_s: float) -> None:
        """Log in and wait until the DAG is known; ``alive`` raises when waiting has become pointless."""
        deadline = time.monotonic() + timeout_s
        while not (self._logged_in() and self._get(f"/api/v2/dags/{DAG_ID}").is_success):
            alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"Airflow did not know {DAG_ID} after {timeout_s:.0f} s")
            time.sleep(0.5)

    def trigger(self, conf: dict[str, Any]) -> None:
        """Trigger the DAG. Raises ``RuntimeError`` with Airflow's answer when it refuses."""
        body = {"dag_run_id": RUN_ID, "logical_date": None, "conf": conf}
        answer = self._client.post(f"/api/v2/dags/{DAG_ID}/dagRuns", json=body)
        if not answer.is_success:
            raise RuntimeError(f"Airflow refused to trigger {DAG_ID}: {answer.text}")

    def run_state(self) -> str:
        """State of the run: queued, running, success or failed."""
        return str(self._get(f"/api/v2/dags/{DAG_ID}/dagRuns/{RUN_ID}").raise_for_status().json()["state"])

    def task_instances(self) -> list[dict[str, Any]]:
        """Every task instance of the run as Airflow describes it."""
        answer = self._get(f"/api/v2/dags/{DAG_ID}/dagRuns/{RUN_ID}/taskInstances?limit=1000").raise_for_status()
        return list(answer.json()["task_instances"])

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

    def _get(self, path: str) -> httpx.Response:
        return self._client.get(path)


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
