"""What every Airflow process loads for the sake of the page."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lightfield_page.mount import MakePageEarly, PageOnDemand, Receive, Scope, Send
from tests.api_server import ApiServer

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
HEAVY = ("numpy", "scipy", "tifffile", "zarr", "matplotlib", "pyopencl", "s3fs", "fastapi", "boto3")


@pytest.mark.parametrize("module", ["lightfield_plugin", "lightfield_page.mount"])
def test_the_plugin_loads_nothing_heavy(module: str) -> None:
    # Airflow's own plugin base class is loaded first: what that brings along is not this project's.
    code = (
        f"import sys; sys.path.insert(0, '{PLUGINS}'); import airflow.plugins_manager, airflow.sdk; "
        f"before = set(sys.modules); import {module}; new = {{n.split('.')[0] for n in set(sys.modules) - before}}; "
        f"print(sorted(new & set({HEAVY})), 'lightfield_page.app' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[] False"


def test_the_page_is_made_at_the_start_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from lightfield_page import app

    made = []
    monkeypatch.setattr(app, "create_page", lambda: made.append(1) or echo)
    page = PageOnDemand()
    MakePageEarly(echo, page)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: page.make(), range(8))) == {echo}
    assert made == [1]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that does nothing."""


def test_the_page_is_in_the_list_at_the_side_and_on_every_run(server: ApiServer) -> None:
    (plugin,) = [one for one in server.get("/api/v2/plugins")["plugins"] if one["name"] == "lightfield"]
    views = {view["destination"]: view["href"] for view in plugin["external_views"]}
    assert views == {"nav": "lightfield/", "dag_run": "lightfield/run?dag_id={DAG_ID}&run_id={RUN_ID}"}
