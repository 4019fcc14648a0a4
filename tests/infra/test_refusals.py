"""What is refused, and in which words."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from infra.quotas import QUOTAS, shortages
from infra.templates import parameters
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


KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "Unable to locate credentials; log in, or set AWS_PROFILE"),
        (KEYS, "no region; give --region, or set AWS_DEFAULT_REGION"),
        (
            {**KEYS, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            'Could not connect to the endpoint URL: "http://127.0.0.1:9/"; check the region\'s name and the network',
        ),
    ],
)
def test_what_is_missing_is_one_line(variables: dict[str, str], expected: str, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # Neither this machine's files nor a machine's metadata are to hold credentials.
    away = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "infra", "deploy", "--environment", "dev"],
        env={**kept, **away, **variables},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (69, "", f"infra: AWS: {expected}\n")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_quota_that_is_too_small_is_told_with_what_to_ask_for(environment: str) -> None:
    values = parameters(environment)
    has = {code: float(values[parameter]) for code, (_, parameter) in QUOTAS.items()}
    assert list(shortages(has.__getitem__, values)) == []
    has["L-3819A6DF"] = 0.0
    (line,) = shortages(has.__getitem__, values)
    assert line.startswith("quota L-3819A6DF (All G and VT Spot Instance Requests) is 0 vCPUs, and GpuSpotMaxVcpus is ")
    assert f"--quota-code L-3819A6DF --desired-value {values['GpuSpotMaxVcpus']}'" in line
