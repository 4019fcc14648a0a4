"""The address on which the server listens, and the names to which it answers."""

import http.client
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.localbatch.server import REPOSITORY, LocalBatch

OTHER = "127.0.0.2"
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x", "Content-Type": "application/json"}


def described(address: str, port: int, host: str) -> tuple[int, str]:
    """Status and message of a request for the queues that is sent to ``address`` and addressed to ``host``."""
    connection = http.client.HTTPConnection(address, port, timeout=10)
    connection.request("POST", "/v1/describejobqueues", b"{}", {**SIGNED, "Host": host})
    answer = connection.getresponse()
    message = json.loads(answer.read()).get("message", "")
    connection.close()
    return answer.status, message


def test_it_listens_on_the_named_address_only_and_answers_to_its_name(own_server: LocalBatch) -> None:
    own_server.close()
    own_server.start("--host", OTHER)
    port = own_server.port
    with pytest.raises(ConnectionRefusedError):
        described("127.0.0.1", port, f"127.0.0.1:{port}")
    assert described(OTHER, port, f"{OTHER}:{port}")[0] == 200
    assert described(OTHER, port, OTHER)[0] == 200
    status, message = described(OTHER, port, f"evil.example:{port}")
    assert status == 403
    assert "evil.example" in message
    assert OTHER in message


def test_the_default_is_this_machine_alone(shared_server: LocalBatch) -> None:
    with pytest.raises(ConnectionRefusedError):
        described(OTHER, shared_server.port, "127.0.0.1")
    assert described("127.0.0.1", shared_server.port, "LocalHost")[0] == 200
    assert described("127.0.0.1", shared_server.port, OTHER)[0] == 403


@pytest.mark.parametrize("name", ["nowhere.invalid", "192.0.2.1"])
def test_a_name_that_is_not_this_machine_s_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"queues": {"cpu": {}}}')
    command = [sys.executable, "-m", "localbatch", "--host", name, "--port", "0", "--state", str(tmp_path / "state")]
    ended = subprocess.run(
        [*command, "--config", str(config)], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 78
    [line] = ended.stderr.splitlines()
    assert name in line
    assert "--host" in line
