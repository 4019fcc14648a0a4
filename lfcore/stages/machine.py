"""Which machine a job runs on, as EC2 tells it: asked once a process, and on AWS Batch only."""

import os
import urllib.request
from collections.abc import Mapping
from functools import cache

ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
DISABLED_VARIABLE = "AWS_EC2_METADATA_DISABLED"
ENDPOINT = "http://169.254.169.254"
TIMEOUT_S = 0.5
ON_AWS_BATCH = ("AWS_BATCH_JOB_ID", "ECS_CONTAINER_METADATA_URI_V4")
"""Set by Batch, and by ECS beneath it: stand-ins on other machines set the first one alone."""

MachineFacts = dict[str, str | bool]


def machine_facts() -> MachineFacts:
    """``instance_type``, ``region`` and ``spot`` of this machine; empty where they are not known.

    A container reaches the metadata only where its host allows two hops.
    """
    return dict(_asked())


@cache
def _asked() -> MachineFacts:
    return ask(os.environ)


def ask(environment: Mapping[str, str]) -> MachineFacts:
    """The same without a memory, for ``environment``. Source: EC2 User Guide, instance metadata version 2."""
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


def _answer(request: urllib.request.Request) -> str:
    # The proxies of the environment lead away from a link-local address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_S) as answer:
        return str(answer.read(256).decode("ascii"))
