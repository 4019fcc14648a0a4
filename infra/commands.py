"""Deploy, update, remove: the stacks of one environment in their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.stacks import Deployer
from infra.templates import STACKS, Stack
from lfcore.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_batch.literals import JobStatusType
    from mypy_boto3_ecr import ECRClient

LIVE: "tuple[JobStatusType, ...]" = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
NO_IMAGE = ("ImageNotFoundException", "RepositoryNotFoundException")
COMPUTE_ENVIRONMENTS = {
    "CpuSpotCluster": "cpu-spot",
    "CpuOnDemandCluster": "cpu-on-demand",
    "GpuSpotCluster": "gpu-spot",
    "GpuOnDemandCluster": "gpu-on-demand",
}
"""Parameters of the stack ``watch``, and the compute environments whose ECS clusters they name."""

BY_NAME = {stack.name: stack for stack in STACKS}


@dataclass(frozen=True)
class Site:
    """An environment in an account: its ``values`` for the templates' parameters, and the services that are asked."""

    values: Mapping[str, str]
    deployer: Deployer
    batch: "BatchClient"
    ecr: "ECRClient"

    def deploy(self, images: str | None = None, stack_role: str | None = None, only: str | None = None) -> None:
        """Make what is missing and bring the rest up to date; ``images`` is the tag (a commit) that jobs are to use.

        ``only`` names the one stack to deploy; ``stack_role`` is a role for CloudFormation to act by.
        Raises ``UsageError`` when there is no image yet, after everything that needs none.
        """
        for stack in STACKS:
            if only not in (None, stack.name) or (stack.name == "ci" and only is None and not self._has_ci):
                continue
            values = dict(self.values)
            if stack.name == "watch":
                values |= self._clusters()
            if stack.name == "jobs":
                values |= self._images(stack, images)
            self.deployer.put(stack, values, stack_role)

    def update(self, images: str | None = None, stack_role: str | None = None, only: str | None = None) -> None:
        """As `deploy`, for an environment that is there. Raises ``UsageError`` where there is none."""
        checked = BY_NAME[only or "storage"]
        if self.deployer.find(checked) is None:
            raise UsageError(f"{self.deployer.full_name(checked)}: not there; 'deploy' makes it")
        self.deploy(images, stack_role, only)

    def remove(self) -> str:
        """Remove all stacks but those that hold data, newest first; what is kept comes back in words.

        Raises ``SettingsError`` while jobs are live, or when the user says no.
        """
        self._refuse_live_jobs()
        removed = [stack for stack in reversed(STACKS) if not stack.holds_data]
        if not self.deployer.may(f"Remove {', '.join(map(self.deployer.full_name, removed))}?"):
            raise SettingsError(f"{self.values['Prefix']}: nothing was removed")
        for stack in removed:
            self.deployer.remove(stack)
        kept = self.deployer.outputs(BY_NAME["storage"])
        if not kept:
            return "kept: nothing, there was no storage"
        return (
            f"kept: bucket {kept['BucketName']} with all data, image repository {kept['RepositoryName']} and log group"
            f" {kept['JobLogGroup']}, in stack {self.deployer.full_name(BY_NAME['storage'])}; they cost what they store"
        )

    def variables(self) -> dict[str, str]:
        """What the host of Airflow sets in its environment to use this site."""
        prefix = self.values["Prefix"]
        bucket = self.deployer.outputs(BY_NAME["storage"]).get("BucketName")
        return {
            "LIGHTFIELD_JOB_QUEUE_CPU": f"{prefix}-cpu",
            "LIGHTFIELD_JOB_QUEUE_GPU": f"{prefix}-gpu",
            "LIGHTFIELD_JOB_DEFINITION": prefix,
            "LIGHTFIELD_JOB_DEFINITION_GPU": f"{prefix}-gpu",
            **({"LIGHTFIELD_ROOTS": f"s3://{bucket}/data", "LIGHTFIELD_RUNS": f"s3://{bucket}/runs"} if bucket else {}),
        }

    @property
    def _has_ci(self) -> bool:
        return bool(self.values.get("GitHubSubject") or self.values.get("CircleOrganisation"))

    def _clusters(self) -> dict[str, str]:
        names = {key: f"{self.values['Prefix']}-{kind}" for key, kind in COMPUTE_ENVIRONMENTS.items()}
        found = self.batch.describe_compute_environments(computeEnvironments=list(names.values()))
        clusters = {
            entry["computeEnvironmentName"]: entry.get("ecsClusterArn", "").split("/")[-1]
            for entry in found["computeEnvironments"]
        }
        missing = [name for name in names.values() if not clusters.get(name)]
        if missing:
            raise SettingsError(
                f"compute environment {missing[0]}: not there, or without a cluster; deploy 'batch' first"
            )
        return {key: clusters[name] for key, name in names.items()}

    def _images(self, stack: Stack, tag: str | None) -> dict[str, str]:
        """The images' parameters; none where a stack that is there keeps its own."""
        if tag:
            return {"CpuImage": self._image(f"cpu-{tag}"), "GpuImage": self._image(f"gpu-{tag}")}
        if self.deployer.find(stack):
            return {}
        raise UsageError(
            f"{self.deployer.full_name(stack)}: no image was named; push some by 'make push', then deploy"
            " with IMAGES=COMMIT. All else is deployed"
        )

    def _image(self, tag: str) -> str:
        name = self.values["Prefix"]
        try:
            repository = self.ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryUri"]
            found = self.ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("ImageNotFoundException", "RepositoryNotFoundException"):
                raise UsageError(f"image {name}:{tag}: not in the repository; push it by 'make push'") from error
            raise
        return f"{repository}@{found[0]['imageDigest']}"

    def _refuse_live_jobs(self) -> None:
        for queue in (f"{self.values['Prefix']}-cpu", f"{self.values['Prefix']}-gpu"):
            if not self.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]:
                continue
            pages = self.batch.get_paginator("list_jobs")
            live = sum(
                len(page["jobSummaryList"])
                for status in LIVE
                for page in pages.paginate(jobQueue=queue, jobStatus=status)
            )
            if live:
                raise SettingsError(f"queue {queue}: {live} jobs are live; end them or wait, then remove again")
