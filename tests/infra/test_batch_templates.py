"""Compute environments, queues and job definitions: what AWS refuses late, or does silently otherwise."""

import email
import fnmatch
import os
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.templates import ENVIRONMENTS, STACKS, parameters
from lfcore.errors import (
    EXIT_BAD_DATA,
    EXIT_BAD_SETTINGS,
    EXIT_TEMPORARY,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from tests.infra.test_templates import of_type

JOBS = of_type("AWS::Batch::JobDefinition")
ENVIRONMENT_PROPERTIES = of_type("AWS::Batch::ComputeEnvironment")
each_job = pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
each_compute_environment = pytest.mark.parametrize(
    "compute", ENVIRONMENT_PROPERTIES.values(), ids=ENVIRONMENT_PROPERTIES
)
each_environment = pytest.mark.parametrize("environment", ENVIRONMENTS)

# vCPUs and GiB by EC2's list of types; one GPU each. The A10G, L4 and L40S are what AWS's own GPU image drives.
GPU_TYPES = {
    "g5.xlarge": (4, 16),
    "g5.2xlarge": (8, 32),
    "g6.xlarge": (4, 16),
    "g6.2xlarge": (8, 32),
    "g6e.xlarge": (4, 32),
    "g6e.2xlarge": (8, 64),
}
# Kepler, Maxwell and Volta have no driver in that image; m3.8xlarge never existed; the first three are gone or going.
RETIRED = re.compile(r"(p2|p3|g2|g3|m1|m2|m3|m4|c1|c3|c4|r3|r4|t1|t2)[a-z]*(\..*)?")
AGENT_MIB = 1024


def first_match(rules: list[dict[str, str]], status_reason: str, reason: str, exit_code: int | None) -> str:
    """What Batch does after a failed attempt: the first rule all of whose patterns match; retry where none does."""
    found = {
        "OnStatusReason": status_reason,
        "OnReason": reason,
        "OnExitCode": "" if exit_code is None else str(exit_code),
    }
    for rule in rules:
        if all(fnmatch.fnmatchcase(found[key], pattern) for key, pattern in rule.items() if key != "Action"):
            return rule["Action"]
    return "RETRY"


ENDED = "Essential container in task exited"


@each_job
@pytest.mark.parametrize(
    ("status_reason", "reason", "exit_code", "expected"),
    [
        ("Host EC2 (instance i-0123456789abcdef0) terminated.", "", None, "RETRY"),
        ("Host EC2 (instance i-0123456789abcdef0) terminated.", "", 143, "RETRY"),
        (ENDED, "", EXIT_TEMPORARY, "RETRY"),
        ("Task failed to start", "CannotPullContainerError: pull image manifest has been retried", None, "RETRY"),
        ("Task failed to start", "DockerTimeoutError: Could not transition to created", None, "RETRY"),
        (ENDED, "", EXIT_BAD_DATA, "EXIT"),
        (ENDED, "", EXIT_UNAVAILABLE, "EXIT"),
        (ENDED, "", EXIT_BAD_SETTINGS, "EXIT"),
        (ENDED, "", EXIT_USAGE, "EXIT"),
        (ENDED, "", 1, "EXIT"),
        (ENDED, "", 175, "EXIT"),
        (ENDED, "OutOfMemoryError: Container killed due to memory usage", 137, "EXIT"),
        ("Task failed to start", "CannotStartContainerError: no such file", 127, "EXIT"),
    ],
)
def test_only_what_may_pass_is_retried(
    job: dict[str, Any], status_reason: str, reason: str, exit_code: int | None, expected: str
) -> None:
    assert first_match(job["RetryStrategy"]["EvaluateOnExit"], status_reason, reason, exit_code) == expected


@each_job
def test_the_rules_are_within_what_batch_takes(job: dict[str, Any]) -> None:
    rules = job["RetryStrategy"]["EvaluateOnExit"]
    assert len(rules) <= 5
    assert rules[-1] == {"OnReason": "*", "Action": "EXIT"}
    for rule in rules:
        assert rule["Action"] in ("RETRY", "EXIT")
        for key, pattern in rule.items():
            allowed = {"OnExitCode": r"[0-9]+\*?|\*", "Action": "[A-Z]+"}.get(key, r"[A-Za-z0-9.:\s]*\*?")
            assert re.fullmatch(allowed, pattern), pattern


@each_environment
def test_attempts_and_timeout_are_within_what_batch_takes(environment: str) -> None:
    values = parameters(environment)
    declared = next(stack for stack in STACKS if stack.name == "jobs").template["Parameters"]
    assert (declared["Attempts"]["MinValue"], declared["Attempts"]["MaxValue"]) == (1, 10)
    assert declared["TimeoutSeconds"]["MinValue"] == 60
    assert 1 <= int(values["Attempts"]) <= 10
    assert int(values["TimeoutSeconds"]) >= 60
    for job in JOBS.values():
        assert job["Timeout"] == {"AttemptDurationSeconds": {"Ref": "TimeoutSeconds"}}
        assert job["RetryStrategy"]["Attempts"] == {"Ref": "Attempts"}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("repository.example/lightfield@sha256:" + "0a" * 32, True),
        ("repository.example/lightfield:latest", False),
        ("repository.example/lightfield:v1", False),
        ("repository.example/lightfield@sha256:" + "0a" * 31, False),
        ("repository.example/lightfield@sha256:" + "0A" * 32, False),
        ("lightfield", False),
        ("", False),
    ],
)
def test_images_are_named_by_digest(image: str, expected: bool) -> None:
    declared = next(stack for stack in STACKS if stack.name == "jobs").template["Parameters"]
    for job in JOBS.values():
        (parameter,) = job["ContainerProperties"]["Image"].values()
        assert (re.fullmatch(declared[parameter]["AllowedPattern"], image) is not None) is expected


@each_job
def test_a_container_can_change_nothing_but_its_scratch(job: dict[str, Any]) -> None:
    container = job["ContainerProperties"]
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", container["User"])
    assert container["ReadonlyRootFilesystem"] is True
    assert container["Privileged"] is False
    # Without it a signal may not reach Python, and zombies stay.
    assert container["LinuxParameters"] == {"InitProcessEnabled": True}
    assert container["MountPoints"] == [{"SourceVolume": "scratch", "ContainerPath": "/scratch", "ReadOnly": False}]
    assert container["Volumes"] == [{"Name": "scratch"}]
    assert container["LogConfiguration"]["LogDriver"] == "awslogs"


@each_job
def test_nothing_old_or_reserved_is_set(job: dict[str, Any]) -> None:
    container = job["ContainerProperties"]
    assert not {"Vcpus", "Memory", "InstanceType"} & set(container)
    assert not [entry["Name"] for entry in container["Environment"] if entry["Name"].startswith("AWS_BATCH_")]
    assert job["PlatformCapabilities"] == ["EC2"]


@each_job
def test_costs_can_be_told_apart(job: dict[str, Any]) -> None:
    assert job["PropagateTags"] is True
    assert set(job["Tags"]) == {"Project", "Environment"}
    for compute in ENVIRONMENT_PROPERTIES.values():
        assert {"Project", "Environment"} <= set(compute["ComputeResources"]["Tags"])


def test_a_gpu_is_asked_for_where_there_is_one() -> None:
    wanted = {
        name: [entry["Value"] for entry in job["ContainerProperties"]["ResourceRequirements"] if entry["Type"] == "GPU"]
        for name, job in JOBS.items()
    }
    assert wanted == {"jobs.CpuJob": [], "jobs.GpuJob": ["1"]}


@each_environment
def test_a_job_fits_the_smallest_machine(environment: str) -> None:
    values = parameters(environment)
    machines = [GPU_TYPES[name] for name in values["GpuInstanceTypes"].split(",")]
    assert int(values["GpuJobVcpus"]) <= min(vcpus for vcpus, _ in machines)
    assert int(values["GpuJobMiB"]) <= min(gib for _, gib in machines) * 1024 - AGENT_MIB
    for kind in ("Cpu", "Gpu"):
        for market in ("Spot", "OnDemand"):
            assert int(values[f"{kind}JobVcpus"]) <= int(values[f"{kind}{market}MaxVcpus"])


@each_environment
def test_no_machine_is_asked_for_that_is_retired_or_never_was(environment: str) -> None:
    values = parameters(environment)
    for name in values["CpuInstanceTypes"].split(",") + values["GpuInstanceTypes"].split(","):
        assert not RETIRED.fullmatch(name), name


@pytest.mark.parametrize("name", ["p3.2xlarge", "p3dn.24xlarge", "m3.8xlarge", "g3s.xlarge", "c3.8xlarge", "r3"])
def test_that_check_knows_what_the_original_used(name: str) -> None:
    assert RETIRED.fullmatch(name)


@each_compute_environment
def test_machines_are_current_free_when_idle_and_updated_in_place(compute: dict[str, Any]) -> None:
    resources = compute["ComputeResources"]
    assert resources["MinvCpus"] == 0
    is_gpu = resources["InstanceTypes"] == {"Ref": "GpuInstanceTypes"}
    assert resources["Ec2Configuration"] == [{"ImageType": "ECS_AL2023_NVIDIA" if is_gpu else "ECS_AL2023"}]
    assert resources["UpdateToLatestImageVersion"] is True
    assert compute["ReplaceComputeEnvironment"] is False
    assert compute["ServiceRole"] == {
        "Fn::If": ["HasServiceRole", {"Ref": "BatchServiceRole"}, {"Ref": "AWS::NoValue"}]
    }
    assert "BidPercentage" not in resources
    assert "SpotIamFleetRole" not in resources
    assert resources["LaunchTemplate"]["Version"] == {"Fn::GetAtt": ["Machine", "LatestVersionNumber"]}
    strategy = {"SPOT": "SPOT_PRICE_CAPACITY_OPTIMIZED", "EC2": "BEST_FIT_PROGRESSIVE"}[resources["Type"]]
    assert resources["AllocationStrategy"] == strategy


def test_spot_comes_first_and_on_demand_second() -> None:
    for name, queue in of_type("AWS::Batch::JobQueue").items():
        order = sorted(queue["ComputeEnvironmentOrder"], key=lambda entry: entry["Order"])
        types = [
            ENVIRONMENT_PROPERTIES[f"batch.{entry['ComputeEnvironment']['Ref']}"]["ComputeResources"]["Type"]
            for entry in order
        ]
        assert types == ["SPOT", "EC2"], name
        instances = {
            ENVIRONMENT_PROPERTIES[f"batch.{entry['ComputeEnvironment']['Ref']}"]["ComputeResources"]["InstanceTypes"][
                "Ref"
            ]
            for entry in order
        }
        assert instances == {f"{name.removeprefix('batch.').removesuffix('Queue')}InstanceTypes"}


def test_a_job_that_fits_no_machine_does_not_wait_for_good() -> None:
    for queue in of_type("AWS::Batch::JobQueue").values():
        limits = queue["JobStateTimeLimitActions"]
        assert {limit["Reason"] for limit in limits} == {
            "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
            "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        }
        for limit in limits:
            assert (limit["State"], limit["Action"]) == ("RUNNABLE", "CANCEL")
            assert limit["MaxTimeSeconds"] >= 600


def test_machines_keep_their_own_role_from_containers_and_encrypt_their_disk() -> None:
    machine = of_type("AWS::EC2::LaunchTemplate")["batch.Machine"]["LaunchTemplateData"]
    assert machine["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
        "HttpEndpoint": "enabled",
    }
    (disk,) = machine["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] is True
    assert disk["Ebs"]["DeleteOnTermination"] is True


def user_data() -> str:
    return of_type("AWS::EC2::LaunchTemplate")["batch.Machine"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]


def test_user_data_is_the_multipart_message_that_batch_merges() -> None:
    message = email.message_from_string(user_data())
    (part,) = message.get_payload()
    assert message.get_content_type() == "multipart/mixed"
    assert part.get_content_type() == "text/x-shellscript"
    assert part.get_payload().startswith("#!/bin/bash\n")
    checked = subprocess.run(["bash", "-n"], input=part.get_payload(), text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


class Metadata(BaseHTTPRequestHandler):
    """A machine's metadata service, version 2, that tells of a reclaim at the third question."""

    asked = 0

    def do_PUT(self) -> None:
        self._answer(200, b"token-of-this-test")

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != "token-of-this-test":
            self._answer(401)
            return
        Metadata.asked += 1
        self._answer(200 if Metadata.asked >= 3 and self.path.endswith("/spot/instance-action") else 404)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl, which AWS's image has, is not there")
def test_a_reclaim_is_passed_on_to_the_jobs_and_to_nobody_else(tmp_path: Path) -> None:
    script = user_data().split("/usr/local/bin/pass-on-reclaim <<'END'\n")[1].split("\nEND\n")[0]
    docker = tmp_path / "docker"
    docker.write_text(
        f"""#!/bin/bash
if [ "$1" = ps ]; then
    printf 'aaa ecs-agent\nbbb ecs-lightfield-1-x\nccc ecs-lightfield-2-y\n'
else
    echo "$*" >> {tmp_path}/told
fi
"""
    )
    docker.chmod(0o755)
    Metadata.asked = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "METADATA_SERVICE": f"http://127.0.0.1:{server.server_port}",
        "METADATA_PAUSE": "0.05",
    }
    subprocess.run(["bash", "-c", script], env=environment, timeout=30, check=True)
    server.shutdown()
    server.server_close()
    assert Metadata.asked == 3
    assert (tmp_path / "told").read_text() == "kill --signal TERM bbb ccc\n"
