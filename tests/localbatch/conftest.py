"""Servers for the tests: one that is shared, and ones that a test may kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localbatch.server import LocalBatch, processes_of, until


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatch]:
    """A server for tests that leave it as it was."""
    server = LocalBatch(tmp_path_factory.mktemp("localbatch"))
    yield server
    server.close()
    assert processes_of(server.state) == []


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LocalBatch]:
    """A server that the test may kill."""
    server = LocalBatch(tmp_path)
    yield server
    if server.process.poll() is None:
        server.close()
    until(lambda: not processes_of(server.state), "no process left")
