"""Pushing images: Docker is a stand-in that writes down what it is told, the registry is emulated."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.images import push
from lfcore.errors import UnavailableError, UsageError

Client = Callable[[str], Any]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that puts a stand-in for Docker, with this body, on the path; what it was told is in the file."""

    def make(body: str) -> Path:
        told = tmp_path / "told"
        program = tmp_path / "docker"
        program.write_text(f'#!/bin/bash\necho "$*" >> {told}\n{body}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return told

    return make


@pytest.fixture(scope="module")
def repository(aws: Client) -> str:
    """The address of a repository with one image, ``cpu-old``."""
    answer = aws("ecr").create_repository(repositoryName="lightfield-dev")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    aws("ecr").put_image(
        repositoryName="lightfield-dev",
        imageTag="cpu-old",
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": []}),
    )
    return str(answer["repository"]["repositoryUri"])


def test_what_is_missing_is_pushed_and_the_rest_left_alone(
    aws: Client, repository: str, docker: Callable[[str], Path]
) -> None:
    told = docker("exit 0")
    lines = push(aws("ecr"), "lightfield-dev", "old")
    assert lines == ["lightfield-dev:cpu-old: is there", "lightfield-dev:gpu-old: pushed"]
    assert told.read_text().splitlines() == [
        f"login --username AWS --password-stdin {repository.split('/')[0]}",
        "image inspect lightfield:gpu-old",
        f"tag lightfield:gpu-old {repository}:gpu-old",
        f"push --quiet {repository}:gpu-old",
    ]


def test_an_image_that_was_not_built_is_named(aws: Client, repository: str, docker: Callable[[str], Path]) -> None:
    docker('[ "$1" != image ]')
    with pytest.raises(
        UsageError, match=r"lightfield:cpu-new: no such image in Docker; build it by 'infra/build_images\.sh new'"
    ):
        push(aws("ecr"), "lightfield-dev", "new")


def test_what_docker_says_is_said(aws: Client, repository: str, docker: Callable[[str], Path]) -> None:
    docker('if [ "$1" = push ]; then echo first >&2; echo "no space left on device" >&2; exit 1; fi')
    with pytest.raises(UnavailableError, match="docker push: no space left on device"):
        push(aws("ecr"), "lightfield-dev", "new")
