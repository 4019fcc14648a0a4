"""What a run has cost, and how a job learns what machine it is on."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from lfcore.contracts import RunPaths, Stage
from lfcore.prices.table import Market, package_table
from lfcore.stages import machine, runner
from lfcore.stages.machine import ask
from lfcore.stages.run import run_all
from lfcore.stages.spent import costs_of_run, stage_costs, total

ON_BATCH = {"AWS_BATCH_JOB_ID": "a", "ECS_CONTAINER_METADATA_URI_V4": "http://x"}


class _Metadata(BaseHTTPRequestHandler):
    """EC2's metadata service: a token first, then facts to those who show it."""

    answers = {  # noqa: RUF012  # never changed
        "/latest/meta-data/instance-type": "g6e.xlarge",
        "/latest/meta-data/placement/region": "us-east-2",
        "/latest/meta-data/instance-life-cycle": "spot",
    }

    def do_PUT(self) -> None:
        self._say(200 if self.headers.get("X-aws-ec2-metadata-token-ttl-seconds") else 400, "secret")

    def do_GET(self) -> None:
        allowed = self.headers.get("X-aws-ec2-metadata-token") == "secret"
        self._say(200 if allowed else 401, self.answers.get(self.path, ""))

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def metadata() -> Iterator[dict[str, str]]:
    """The environment of a job on Batch whose host answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {**ON_BATCH, "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{server.server_port}/"}
    server.shutdown()
    server.server_close()


def test_a_job_on_batch_learns_its_machine(metadata: dict[str, str]) -> None:
    assert ask(metadata) == {"instance_type": "g6e.xlarge", "region": "us-east-2", "spot": True}


def test_nobody_is_asked_off_batch_and_silence_is_no_error(metadata: dict[str, str]) -> None:
    assert ask({**metadata, "AWS_BATCH_JOB_ID": ""}) == {}
    assert ask({key: value for key, value in metadata.items() if not key.startswith("ECS")}) == {}
    assert ask({**metadata, "AWS_EC2_METADATA_DISABLED": "true"}) == {}
    assert ask({**ON_BATCH, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}) == {}


def test_a_file_of_the_machine_tells_as_much(tmp_path: Path) -> None:
    file = tmp_path / "machine.json"
    environment = {"LIGHTFIELD_MACHINE_FILE": str(file)}
    facts = {"instance_type": "g5.xlarge", "region": "us-east-1", "spot": False}
    assert ask(environment) == {}
    file.write_text(json.dumps({**facts, "more": 1}))
    assert ask(environment) == facts
    for content in ("", "[]", "3", '{"instance_type": 3, "region": "r", "spot": true}', '{"instance_type": "a"}'):
        file.write_text(content)
        assert ask(environment) == {}


def _record(seconds: float, **more: object) -> dict[str, object]:
    return {"seconds": seconds, "preparation_seconds": 0.5, **more}


def test_dollars_are_seconds_times_the_share_of_the_machines_price() -> None:
    """Random records (seed 3) against a sum of my own."""
    generator, table = np.random.default_rng(3), package_table()
    records, expected = {}, 0.0
    for index in range(100):
        name, spot = [("g6.xlarge", True), ("g6.xlarge", False), ("m6i.12xlarge", True)][int(generator.integers(3))]
        seconds = float(generator.uniform(0, 500))
        records[str(index)] = _record(seconds, instance_type=name, region="us-east-1", spot=spot, attempt=1 + index % 3)
        rate = {("g6.xlarge", True): 0.40, ("g6.xlarge", False): 0.8048, ("m6i.12xlarge", True): 0.9708 * 4 / 48}
        expected += (seconds + 0.5) / 3600 * rate[name, spot]
    [cost] = stage_costs({Stage.RECONSTRUCT: records}, table)
    assert cost.dollars == pytest.approx(expected, rel=1e-5)
    assert total([cost]) == cost.dollars
    assert (cost.instance_type, cost.spot, cost.attempts) == ("g6.xlarge, m6i.12xlarge", None, 3)
    assert "2026-11-22" in cost.how


def test_an_unknown_machine_or_price_leaves_the_dollars_unknown() -> None:
    table = package_table()
    assert table.price("p5.4xlarge", "us-east-1", Market.SPOT) is None
    for more in ({}, {"instance_type": "p5.4xlarge", "region": "us-east-1", "spot": True}):
        known = _record(9.0, instance_type="g6.xlarge", region="us-east-1", spot=True)
        [cost] = stage_costs({Stage.RECONSTRUCT: {"a": known, "b": _record(2.5, **more)}}, table)
        assert cost.dollars is None
        assert cost.job_seconds == 12.5
        assert "not known" in cost.how
        assert total([cost]) is None


def test_a_run_on_a_known_machine_says_what_it_cost(
    tiny_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts: machine.MachineFacts = {"instance_type": "m6i.12xlarge", "region": "us-east-2", "spot": True}
    monkeypatch.setattr(runner, "machine_facts", lambda: facts)
    run = RunPaths(f"{tmp_path}/run")
    run_all(str(tiny_dataset()), run, {"reconstruction": {"iterations": 1}})
    metrics = json.loads(Path(run.metrics_json).read_text())
    stages = metrics["cost"]
    assert set(stages) == {"plan", "normalise", "calibrate", "transforms", "reconstruct"}
    for name, cost in stages.items():
        assert cost["job_seconds"] == pytest.approx(metrics["seconds"][name], abs=0.01)
        assert cost["dollars"] == pytest.approx(cost["job_seconds"] / 3600 * 0.887 * 4 / 48, rel=0.01, abs=2e-6)
        assert (cost["instance_type"], cost["spot"], cost["attempts"]) == ("m6i.12xlarge", True, 1)
    assert metrics["dollars_per_frame"] == pytest.approx(sum(one["dollars"] for one in stages.values()) / 3, abs=1e-6)
    page = Path(run.report_html).read_text()
    assert "m6i.12xlarge" in page
    assert "an hour of m6i.12xlarge" in page
    everything = costs_of_run(run, package_table())
    assert [cost.stage for cost in everything] == [str(stage) for stage in Stage]


def test_a_run_on_an_unknown_machine_has_no_dollars(tiny_dataset: Callable[..., Path], tmp_path: Path) -> None:
    run = RunPaths(f"{tmp_path}/run")
    run_all(str(tiny_dataset()), run, {"reconstruction": {"iterations": 1}})
    metrics = json.loads(Path(run.metrics_json).read_text())
    assert metrics["dollars_per_frame"] is None
    assert metrics["cost"]["reconstruct"]["dollars"] is None
    assert metrics["cost"]["reconstruct"]["instance_type"] is None
    assert 'id="costs"' not in Path(run.report_html).read_text()
