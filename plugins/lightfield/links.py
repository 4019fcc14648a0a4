"""Where the light field page, the report and a job's log are."""

from urllib.parse import urlencode


def page_path(page: str, dag_id: str, run_id: str, **more: str | int) -> str:
    """Path of a page of the application below the api-server: ``run``, ``report`` or ``log``, with values quoted."""
    return f"/lightfield/{page}?{urlencode({'dag_id': dag_id, 'run_id': run_id, **more})}"
