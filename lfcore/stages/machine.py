"""Which machine a job runs on: as a file of the machine says, or EC2, which is asked once and on AWS Batch only."""

import json
import os
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE_VARIABLE = "LIGHTFIELD_MACHINE_FILE"
ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
DISABLED_VARIABLE = "AWS_EC2_METADATA_DISABLED"
ENDPOINT = "http://169.254.169.254"
TIMEOUT_S = 0.5
ON_AWS_BATCH = ("AWS_BATCH_JOB_ID", "ECS_CONTAINER_METADATA_URI_V4")
"""Set by Batch, and by ECS beneath it: stand-ins on other machines set the first one alone."""

MachineFacts = dict[str, str | bool]


def machine_facts() -> MachineFacts:
    """``instance_type``, ``region`` and ``spot`` of this machine; empty where they are not known.

    The file that ``LIGHTFIELD_MACHINE_FILE`` names holds the same as JSON; it is for machines that keep their metadata
    from containers (a hop limit of one).
    """
    return dict(_asked())


@cache
def _asked() -> MachineFacts:
    return ask(os.environ)


def ask(environment: Mapping[str, str]) -> MachineFacts:
    """The same without a memory, for ``environment``. Source: EC2 User Guide, instance metadata version 2."""
    if environment.get(FILE_VARIABLE):
        return _from_file(Path(environment[FILE_VARIABLE]))
    if not all(environment.get(name) for name in ON_AWS_BATCH):
        return {}
    if environment.get(DISABLED_VARIABLE, "").lower() == "true":
        return {}
    root = environment.get(ENDPOINT_VARIABLE, ENDPOINT).rstrip("/")
    try:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        token = _answer(urllib.request.Request(f"{root}/latest/api/token", method="PUT", headers=lifetime))

        def told(name: str) -> str:
            place = f"{root}/latest/meta-data/{name}"
            return _answer(urllib.request.Request(place, headers={"X-aws-ec2-metadata-token": token}))

        return {
            "instance_type": told("instance-type"),
            "region": told("placement/region"),
            "spot": told("instance-life-cycle") == "spot",
        }
    except (OSError, ValueError):
        return {}


def _from_file(path: Path) -> MachineFacts:
    """What a file says; a bill is not worth a failed job, so one that says something else says nothing."""
    try:
        content = json.loads(path.read_bytes())
        name, region, spot = content["instance_type"], content["region"], content["spot"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if isinstance(name, str) and isinstance(region, str) and isinstance(spot, bool):
        return {"instance_type": name, "region": region, "spot": spot}
    return {}


def _answer(request: urllib.request.Request) -> str:
    # The proxies of the environment lead away from a link-local address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_S) as answer:
        return str(answer.read(256).decode("ascii"))
