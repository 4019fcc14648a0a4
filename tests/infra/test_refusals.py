"""What is refused, and in which words."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from lfcore.errors import SettingsError, UsageError

Infra = Callable[..., Result]
Client = Callable[[str], Any]


def test_an_update_needs_something_to_update(infra: Infra) -> None:
    with pytest.raises(UsageError, match="lightfield-storage: not there; 'deploy' makes it"):
        infra("update", "--environment", "prod", "--yes")


def test_production_asks_before_it_changes_anything(infra: Infra, aws: Client) -> None:
    with pytest.raises(SettingsError, match="lightfield-storage: left as it is"):
        infra("deploy", "--environment", "prod", answer="n\n")
    assert not any(bucket["Name"].startswith("lightfield-1") for bucket in aws("s3").list_buckets()["Buckets"])
