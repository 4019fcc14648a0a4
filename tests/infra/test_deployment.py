"""All stacks into an emulated AWS. What it emulates is the wiring; what it drops is asserted on the templates."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from infra.templates import STACKS, parameters
from lfcore.errors import SettingsError, UnavailableError, UsageError

Infra = Callable[..., Result]
Client = Callable[[str], Any]
COMMIT = "0123abc"


def push(aws: Client, prefix: str, commit: str = COMMIT) -> dict[str, str]:
    """An image for each queue in the repository; their digests by kind."""
    digests = {}
    for kind in ("cpu", "gpu"):
        layer = hashlib.sha256(f"{kind} {commit}".encode()).hexdigest()
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": f"sha256:{layer}"},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": f"sha256:{layer}"}],
        }
        answer = aws("ecr").put_image(
            repositoryName=prefix, imageTag=f"{kind}-{commit}", imageManifest=json.dumps(manifest)
        )
        digests[kind] = answer["image"]["imageId"]["imageDigest"]
    return digests


def deploy(infra: Infra, aws: Client, environment: str = "dev") -> dict[str, str]:
    """Everything, as a newcomer does it: without images first. The digests of the images by kind."""
    with pytest.raises(UsageError, match="no image was named; push some"):
        infra("deploy", "--environment", environment, "--yes")
    digests = push(aws, parameters(environment)["Prefix"])
    infra("deploy", "--environment", environment, "--yes", "--images", COMMIT)
    return digests


def statuses(aws: Client, prefix: str = "lightfield-dev") -> dict[str, str]:
    names = {f"{prefix}-{stack.name}" for stack in STACKS}
    found = aws("cloudformation").describe_stacks()["Stacks"]
    return {stack["StackName"]: stack["StackStatus"] for stack in found if stack["StackName"] in names}


@pytest.fixture(scope="module")
def site(infra: Infra, aws: Client) -> dict[str, str]:
    """The environment dev, deployed; the digests of its first images by kind."""
    return deploy(infra, aws)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_site_is_wired_together(infra: Infra, aws: Client, site: dict[str, str], environment: str) -> None:
    prefix = parameters(environment)["Prefix"]
    digests = site if environment == "dev" else deploy(infra, aws, environment)
    expected = {f"{prefix}-{stack.name}" for stack in STACKS if stack.name != "ci"}
    assert statuses(aws, prefix) == dict.fromkeys(expected, "CREATE_COMPLETE")
    for stack in aws("cloudformation").describe_stacks()["Stacks"]:
        if stack["StackName"] in expected:
            tags = {tag["Key"]: tag["Value"] for tag in stack["Tags"]}
            assert tags == {"Project": "lightfield", "Environment": environment}
    batch = aws("batch")
    profile = aws("iam").list_instance_profiles()["InstanceProfiles"]
    for kind, definition in (("cpu", prefix), ("gpu", f"{prefix}-gpu")):
        (queue,) = batch.describe_job_queues(jobQueues=[f"{prefix}-{kind}"])["jobQueues"]
        order = [entry["computeEnvironment"] for entry in queue["computeEnvironmentOrder"]]
        environments = batch.describe_compute_environments(computeEnvironments=order)["computeEnvironments"]
        names = {entry["computeEnvironmentArn"]: entry["computeEnvironmentName"] for entry in environments}
        assert [names[arn] for arn in order] == [f"{prefix}-{kind}-spot", f"{prefix}-{kind}-on-demand"]
        resources = environments[0]["computeResources"]
        assert resources["instanceRole"] in {entry["Arn"] for entry in profile}
        subnets = aws("ec2").describe_subnets(SubnetIds=resources["subnets"])["Subnets"]
        assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 3
        found = batch.describe_job_definitions(jobDefinitionName=definition, status="ACTIVE")["jobDefinitions"]
        container = found[0]["containerProperties"]
        assert container["image"].endswith(f"/{prefix}@{digests[kind]}")
        role = container["jobRoleArn"].split("/")[-1]
        assert aws("iam").get_role(RoleName=role)["Role"]["Arn"] == container["jobRoleArn"]
        options = container["logConfiguration"]["options"]
        groups = aws("logs").describe_log_groups(logGroupNamePrefix=options["awslogs-group"])["logGroups"]
        assert f"/aws/batch/{prefix}" in [group["logGroupName"] for group in groups]


@pytest.mark.usefixtures("site")
def test_what_airflow_is_told_names_what_is_there(infra: Infra, aws: Client) -> None:
    lines = infra("variables", "--environment", "dev").output.splitlines()
    told = dict(line.split("=", 1) for line in lines)
    queues = {queue["jobQueueName"] for queue in aws("batch").describe_job_queues()["jobQueues"]}
    assert {told["LIGHTFIELD_JOB_QUEUE_CPU"], told["LIGHTFIELD_JOB_QUEUE_GPU"]} <= queues
    definitions = {entry["jobDefinitionName"] for entry in aws("batch").describe_job_definitions()["jobDefinitions"]}
    assert {told["LIGHTFIELD_JOB_DEFINITION"], told["LIGHTFIELD_JOB_DEFINITION_GPU"]} <= definitions
    bucket = told["LIGHTFIELD_RUNS"].removeprefix("s3://").split("/")[0]
    assert bucket in {entry["Name"] for entry in aws("s3").list_buckets()["Buckets"]}


@pytest.mark.usefixtures("site")
def test_an_update_without_changes_changes_nothing(infra: Infra, aws: Client) -> None:
    before = statuses(aws)
    output = infra("update", "--environment", "dev").output
    assert output.count(": no changes") == len(before)
    assert statuses(aws) == before


@pytest.mark.usefixtures("site")
def test_a_new_image_changes_the_job_definitions_alone(infra: Infra, aws: Client) -> None:
    digests = push(aws, "lightfield-dev", "fedcba9")
    infra("update", "--environment", "dev", "--only", "jobs", "--images", "fedcba9")
    changed = {name for name, status in statuses(aws).items() if status == "UPDATE_COMPLETE"}
    assert changed == {"lightfield-dev-jobs"}
    # moto changes the stack and leaves the job definition as it is.
    (jobs,) = aws("cloudformation").describe_stacks(StackName="lightfield-dev-jobs")["Stacks"]
    values = {entry["ParameterKey"]: entry["ParameterValue"] for entry in jobs["Parameters"]}
    assert values["CpuImage"].endswith(f"/lightfield-dev@{digests['cpu']}")
    assert values["GpuImage"].endswith(f"/lightfield-dev@{digests['gpu']}")


@pytest.mark.usefixtures("site")
def test_an_image_that_is_not_there_is_refused(infra: Infra, aws: Client) -> None:
    with pytest.raises(UsageError, match="image lightfield-dev:cpu-nowhere: not in the repository; push it"):
        infra("update", "--environment", "dev", "--images", "nowhere")


@pytest.mark.usefixtures("site")
def test_a_removal_asks_in_every_environment(infra: Infra, aws: Client) -> None:
    before = statuses(aws)
    with pytest.raises(SettingsError, match="nothing was removed"):
        infra("remove", "--environment", "dev", answer="n\n")
    assert statuses(aws) == before


@pytest.mark.usefixtures("site")
def test_a_removal_ends_no_live_job(infra: Infra, aws: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    before = statuses(aws)
    found = {"RUNNING": [{"jobId": "a"}], "PENDING": [{"jobId": "b"}, {"jobId": "c"}]}

    def pages(self: object, jobQueue: str, jobStatus: str) -> list[dict[str, Any]]:
        return [{"jobSummaryList": found.get(jobStatus, [])}]

    monkeypatch.setattr("botocore.paginate.Paginator.paginate", pages)
    with pytest.raises(SettingsError, match="queue lightfield-dev-cpu: 3 jobs are live; end them or wait"):
        infra("remove", "--environment", "dev", "--yes")
    assert statuses(aws) == before


@pytest.mark.usefixtures("site")
def test_a_change_that_would_lose_data_is_refused(infra: Infra, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = STACKS[0]
    without = storage.body.replace("  JobLogs:", "  OtherLogs:").replace("!Ref JobLogs", "!Ref OtherLogs")
    monkeypatch.setattr(type(storage), "body", property(lambda self: without))
    with pytest.raises(SettingsError, match="JobLogs holds data and would be lost; nothing was changed"):
        infra("update", "--environment", "dev", "--only", "storage")


def test_a_failure_is_told_by_the_event_that_came_first(infra: Infra, monkeypatch: pytest.MonkeyPatch) -> None:
    del infra
    from infra.stacks import Deployer

    def event(number: int, resource: str, status: str, reason: str) -> dict[str, str]:
        return {
            "EventId": str(number),
            "LogicalResourceId": resource,
            "ResourceType": "AWS::Batch::JobQueue",
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
        }

    class Client:
        def describe_stacks(self, **_: str) -> dict[str, Any]:
            return {"Stacks": [{"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}]}

        def describe_stack_events(self, **_: str) -> dict[str, Any]:
            return {
                "StackEvents": [
                    event(4, "lightfield-batch", "UPDATE_ROLLBACK_COMPLETE", ""),
                    event(3, "CpuQueue", "UPDATE_FAILED", "Resource update cancelled"),
                    event(2, "GpuQueue", "UPDATE_FAILED", "quota exceeded:\n  50 queues"),
                    event(1, "GpuQueue", "CREATE_FAILED", "of an earlier deployment"),
                ]
            }

    deployer = Deployer(Client(), "lightfield", print, lambda _: True, pause_s=0)  # type: ignore[arg-type] # a stand-in
    with pytest.raises(UnavailableError) as caught:
        deployer._wait(STACKS[4], "lightfield-batch", {"1"})
    expected = "GpuQueue (AWS::Batch::JobQueue): quota exceeded: 50 queues"
    assert str(caught.value) == f"lightfield-batch: UPDATE_ROLLBACK_COMPLETE: {expected}"


@pytest.mark.usefixtures("site")
def test_a_removal_keeps_the_data(infra: Infra, aws: Client) -> None:
    bucket = next(entry for entry in aws("s3").list_buckets()["Buckets"] if entry["Name"].startswith("lightfield-dev-"))
    aws("s3").put_object(Bucket=bucket["Name"], Key="data/fish/raw.tif", Body=b"light")
    output = infra("remove", "--environment", "dev", answer="y\n").output
    assert f"kept: bucket {bucket['Name']} with all data" in output
    assert aws("s3").get_object(Bucket=bucket["Name"], Key="data/fish/raw.tif")["Body"].read() == b"light"
    assert set(statuses(aws)) == {"lightfield-dev-storage"}
    infra("remove", "--environment", "dev", "--yes")
