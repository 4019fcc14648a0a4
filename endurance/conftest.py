"""How often the tests with random moments repeat themselves."""

import os

import pytest


@pytest.fixture(scope="session")
def rounds() -> int:
    """Rounds a test: ``LIGHTFIELD_ROUNDS``, by default what the documentation's figures rest on."""
    return int(os.environ.get("LIGHTFIELD_ROUNDS", "20"))
