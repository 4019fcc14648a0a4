"""Pushes images that were built, and tried, on this machine to an environment's repository."""

import base64
import subprocess
from typing import TYPE_CHECKING

from lfcore.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

KINDS = ("cpu", "gpu")
LOCAL_NAME = "lightfield"
"""The name by which 'infra/build_images.sh' leaves its images in Docker."""


def push(ecr: "ECRClient", repository: str, commit: str) -> list[str]:
    """Push ``lightfield:cpu-COMMIT`` and ``lightfield:gpu-COMMIT``; a line on each comes back.

    A tag that is in the repository is left alone: tags there cannot be changed, and a CI job may run twice.
    Raises ``UsageError`` for an image that was not built, ``UnavailableError`` when Docker fails.
    """
    address = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    pages = ecr.get_paginator("list_images").paginate(repositoryName=repository)
    there = {image.get("imageTag") for page in pages for image in page["imageIds"]}
    lines = []
    _log_in(ecr, address.split("/")[0])
    for kind in KINDS:
        tag = f"{kind}-{commit}"
        if tag in there:
            lines.append(f"{repository}:{tag}: is there")
            continue
        if subprocess.run(["docker", "image", "inspect", f"{LOCAL_NAME}:{tag}"], capture_output=True).returncode:
            raise UsageError(
                f"{LOCAL_NAME}:{tag}: no such image in Docker; build it by 'infra/build_images.sh {commit}'"
            )
        _docker("tag", f"{LOCAL_NAME}:{tag}", f"{address}:{tag}")
        _docker("push", "--quiet", f"{address}:{tag}")
        lines.append(f"{repository}:{tag}: pushed")
    return lines


def _log_in(ecr: "ECRClient", registry: str) -> None:
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, password = base64.b64decode(token).decode().split(":", 1)
    # By the standard input, so that no list of processes shows it.
    _docker("login", "--username", user, "--password-stdin", registry, given=password)


def _docker(*words: str, given: str | None = None) -> None:
    done = subprocess.run(["docker", *words], input=given, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(f"docker {words[0]}: {said}")
