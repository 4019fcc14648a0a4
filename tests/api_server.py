"""Airflow's application as tests talk to it."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient

PASSWORD = "not a secret"
RUNS = "/api/v2/dags/lightfield_reconstruction/dagRuns"


@dataclass(frozen=True)
class ApiServer:
    """The application, with a user ``admin`` and a user ``eve``, who may only look."""

    client: TestClient

    def headers(self, user: str = "admin") -> dict[str, str]:
        """What a request of ``user`` carries."""
        answer = self.client.post("/auth/token", json={"username": user, "password": PASSWORD})
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """The answer to a question of ``admin``."""
        return self.client.get(path, headers=self.headers()).json()

    def trigger(self, conf: object, user: str = "admin") -> tuple[int, Any]:
        """Ask for a run; status and answer."""
        body = json.dumps({"logical_date": None, "conf": conf})
        headers = self.headers(user) | {"Content-Type": "application/json"}
        answer = self.client.post(RUNS, content=body, headers=headers)
        return answer.status_code, answer.json()
