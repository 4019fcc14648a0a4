"""What can be known to be missing before a run is submitted: bucket, queues, job definitions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from lfcore.batch.client import any_client, explained
from lfcore.batch.reasons import remedy
from lfcore.errors import DataError, SettingsError, UnavailableError, UsageError
from lfcore.job_names import Places

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

S3 = "s3://"
SHARE = "lightfield"
"""The share of a fair-share queue that these jobs count for."""


def check_bucket(path: str, region: str | None = None, client: Any = None) -> None:  # noqa: ANN401  # made at run time
    """Raise ``DataError`` or ``UnavailableError`` where the bucket of ``path`` cannot be used; local paths pass."""
    if not path.startswith(S3):
        return
    bucket = path.removeprefix(S3).partition("/")[0]
    client = client or any_client("s3", region)
    with explained(f"{S3}{bucket}"):
        try:
            client.head_bucket(Bucket=bucket)
        except client.exceptions.ClientError as error:
            raise _bucket_error(bucket, error.response) from error


def _bucket_error(bucket: str, response: Mapping[str, Any]) -> Exception:
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status == 403:
        problem = "is not yours, or your credentials may not use it; check its name and the account (AWS_PROFILE)"
    elif status == 404:
        problem = "does not exist; check its name, or make it with infra/"
    elif status in (301, 400):
        problem = "is in another region, or the credentials are wrong; give --region, and check AWS_PROFILE"
    else:
        return UnavailableError(f"{S3}{bucket}: S3 answers {status}; run again")
    return DataError(f"{S3}{bucket}: {problem}")


def require_same_world(run: str, dataset: str, endpoint: str) -> None:
    """Raise ``UsageError`` where Batch is AWS's own and a path is of this machine: no job could see it."""
    for path in (run, dataset):
        if "://" not in path and endpoint.endswith(".amazonaws.com"):
            raise UsageError(f"{path}: jobs on AWS do not see this machine's files; give s3://BUCKET/...")


def check_places(client: "BatchClient", places: Places) -> tuple[Places, dict[str, str]]:
    """The places with the GPU's definition (``DEFINITION-gpu`` where there is one), and the share of each fair queue.

    Raises ``SettingsError`` for one that is not there, ``UnavailableError`` for one that takes no jobs.
    """
    with explained("AWS Batch"):
        found = {
            queue["jobQueueName"]: queue for queue in client.describe_job_queues(jobQueues=places.queues)["jobQueues"]
        }
    shares = {}
    for name in places.queues:
        queue = found.get(name) or next((one for one in found.values() if one["jobQueueArn"] == name), None)
        if queue is None:
            raise SettingsError(
                f"job queue {name}: is not in region {client.meta.region_name};"
                " give --cpu-queue and --gpu-queue, or --region"
            )
        if queue["state"] != "ENABLED":
            command = f"aws batch update-job-queue --job-queue {name} --state ENABLED"
            raise UnavailableError(f"job queue {name}: is disabled; '{command}' enables it")
        if queue.get("status") == "INVALID":
            raise UnavailableError(f"job queue {name}: is invalid ({queue.get('statusReason')}); deploy infra/ again")
        _check_environments(client, name, [one["computeEnvironment"] for one in queue["computeEnvironmentOrder"]])
        if queue.get("schedulingPolicyArn"):
            shares[name] = SHARE
    if not _is_defined(client, places.definition):
        raise _undefined(client, places.definition)
    gpu = places.gpu_definition
    if gpu and not _is_defined(client, gpu):
        raise _undefined(client, gpu)
    beside = f"{places.definition.partition(':')[0]}-gpu"
    if not gpu and not places.definition.startswith("arn:"):
        gpu = beside if _is_defined(client, beside) else ""
    return replace(places, gpu_definition=gpu or places.definition), shares


def _check_environments(client: "BatchClient", queue: str, environments: list[str]) -> None:
    """Raise ``UnavailableError`` where no compute environment of a queue can start a machine, saying why of each."""
    if not environments:
        return
    try:
        found = client.describe_compute_environments(computeEnvironments=environments)["computeEnvironments"]
    except client.exceptions.ClientError:
        # It may not be ours to look at, and a stand-in has none; jobs that wait say why.
        return
    faults = [_fault_of(cast("Mapping[str, Any]", one)) for one in found]
    if faults and all(faults):
        raise UnavailableError(
            f"job queue {queue}: no compute environment can start a machine ({'; '.join(filter(None, faults))})"
        )


def _fault_of(environment: Mapping[str, Any]) -> str | None:
    """Why a compute environment starts no machine, and what to do about it; None where it may."""
    name, reason = environment["computeEnvironmentName"], str(environment.get("statusReason", ""))
    if environment.get("state") == "DISABLED":
        return f"{name} is disabled: enable it"
    if environment.get("status") == "INVALID":
        return f"{name} is invalid: {reason}; {remedy(reason) or 'deploy infra/ again'}"
    if (environment.get("computeResources") or {}).get("maxvCpus") == 0:
        return f"{name} may have no processors: raise its maxvCpus"
    return None


def _is_defined(client: "BatchClient", name: str) -> bool:
    """Whether a job definition (a name, a name with its revision, or an ARN) is there and active."""
    base, _, revision = name.partition(":")
    is_arn = name.startswith("arn:")
    request: dict[str, Any] = {"jobDefinitions": [name]} if is_arn else {"jobDefinitionName": base, "status": "ACTIVE"}
    with explained(f"job definition {name}"):
        found = client.describe_job_definitions(**cast("Any", request))["jobDefinitions"]
    wanted = [one for one in found if is_arn or not revision or str(one["revision"]) == revision]
    return any(one.get("status", "ACTIVE") == "ACTIVE" for one in wanted)


def _undefined(client: "BatchClient", name: str) -> SettingsError:
    where = f"has no active revision in region {client.meta.region_name}"
    return SettingsError(f"job definition {name}: {where}; deploy infra/, or give --job-definition")
