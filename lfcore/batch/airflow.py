"""The same run through Airflow's API, where that is configured. Source: Airflow's REST API, version 2."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from lfcore.errors import DataError, SettingsError, UnavailableError

URL_VARIABLE, TOKEN_VARIABLE = "LIGHTFIELD_AIRFLOW_URL", "LIGHTFIELD_AIRFLOW_TOKEN"
DAG_ID = "lightfield_reconstruction"
TIMEOUT_S = 30.0


def trigger(
    dataset: str, run: str, settings: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> tuple[str, str]:
    """Start the DAG for a run; the Airflow run's id, and the page that shows it.

    Raises ``SettingsError`` where no URL or token is set, ``UnavailableError`` where Airflow does not answer or refuses
    the token, ``DataError`` where it refuses the request.
    """
    url, token = environment.get(URL_VARIABLE, "").rstrip("/"), environment.get(TOKEN_VARIABLE, "")
    if not url.startswith(("http://", "https://")) or not token:
        raise SettingsError(f"--airflow: set {URL_VARIABLE} (such as https://airflow.example.org) and {TOKEN_VARIABLE}")
    conf: dict[str, Any] = {"dataset": dataset, "run": run} | ({"settings": dict(settings)} if settings else {})
    request = urllib.request.Request(
        f"{url}/api/v2/dags/{DAG_ID}/dagRuns",
        data=json.dumps({"conf": conf, "logical_date": None}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            run_id = str(json.loads(answer.read())["dag_run_id"])
    except urllib.error.HTTPError as error:
        raise _refused(url, error) from error
    except (OSError, ValueError, KeyError) as error:
        raise UnavailableError(f"{url}: Airflow does not answer ({error}); check {URL_VARIABLE}") from error
    return run_id, f"{url}/dags/{DAG_ID}/runs/{run_id}"


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    if error.code in (401, 403):
        return UnavailableError(f"{url}: Airflow does not take the token ({error.code}); renew {TOKEN_VARIABLE}")
    if error.code == 404:
        return UnavailableError(f"{url}: has no DAG {DAG_ID}; check {URL_VARIABLE}, and that the DAG is deployed")
    try:
        said = str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError):
        said = error.reason
    return DataError(f"{url}: Airflow refuses the run ({error.code}): {' '.join(said.split())}")
