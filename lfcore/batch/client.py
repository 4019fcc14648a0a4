"""boto3's clients, made when they are needed, and AWS's refusals as one line with a remedy."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from lfcore.errors import DataError, LfcoreError, SettingsError, TemporaryError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_logs import CloudWatchLogsClient

CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
REFUSED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"})
BUSY_CODES = frozenset({"ServerException", "Throttling", "ThrottlingException", "TooManyRequestsException"})
MISSING = {
    "jobqueue": "no such job queue in this region; give --cpu-queue and --gpu-queue, or --region",
    "job queue": "no such job queue in this region; give --cpu-queue and --gpu-queue, or --region",
    "jobdefinition": "no such job definition in this region; give --job-definition, or deploy it",
    "job definition": "no such job definition in this region; give --job-definition, or deploy it",
}


def batch_client(region: str | None = None) -> "BatchClient":
    """A client of AWS Batch. Raises ``UnavailableError`` without boto3 or a region."""
    return cast("BatchClient", any_client("batch", region))


def logs_client(region: str | None = None) -> "CloudWatchLogsClient":
    """A client of CloudWatch Logs, likewise."""
    return cast("CloudWatchLogsClient", any_client("logs", region))


def any_client(service: str, region: str | None = None) -> Any:  # noqa: ANN401  # boto3 makes its clients at run time
    """A client of any service; it tries each request up to five times."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise UnavailableError("AWS needs boto3; pip install 'lfcore[aws]'") from error
    config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10, read_timeout=60)
    with explained(service):
        session: Any = boto3.Session()
        return session.client(service, region_name=region, config=config)


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn botocore's errors below into one line that begins with ``what`` and ends with the remedy.

    Raises ``UnavailableError`` (credentials, region, endpoint, rights), ``SettingsError`` (no such queue or
    definition), ``TemporaryError`` (AWS is busy) or ``DataError`` (anything else that AWS refuses).
    """
    try:
        yield
    except LfcoreError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith("botocore"):
            raise
        raise _translated(what, error) from error


def _translated(what: str, error: Exception) -> LfcoreError:
    name, said = type(error).__name__, " ".join(str(error).split())
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
        remedy = "no AWS credentials; run 'aws configure', or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
        return UnavailableError(f"{what}: {remedy}")
    if name in ("ProfileNotFound", "InvalidConfigError"):
        return UnavailableError(f"{what}: {said}; check AWS_PROFILE and ~/.aws/config")
    if name in ("NoRegionError", "InvalidRegionError"):
        return UnavailableError(
            f"{what}: no AWS region; give --region or set AWS_DEFAULT_REGION, for instance us-east-1"
        )
    if name in ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "ReadTimeoutError"):
        return UnavailableError(f"{what}: {said}; check region, endpoint (AWS_ENDPOINT_URL) and network")
    response = getattr(error, "response", None)
    if response is None:
        return UnavailableError(f"{what}: {said}; check the AWS configuration")
    return _refused(what, str(response.get("Error", {}).get("Code", "")), said)


def _refused(what: str, code: str, said: str) -> LfcoreError:
    if code in CREDENTIAL_CODES:
        return UnavailableError(
            f"{what}: AWS does not take these credentials ({code}); renew them, or check AWS_PROFILE"
        )
    if code in REFUSED_CODES:
        return UnavailableError(f"{what}: not allowed ({said}); ask for the submit policy of infra/ on your role")
    if code in BUSY_CODES:
        return TemporaryError(f"{what}: AWS is busy ({said}); run again")
    lowered = said.lower()
    if "not exist" in lowered or "not found" in lowered or "unable to find" in lowered or "does not exist" in lowered:
        for word, remedy in MISSING.items():
            if word in lowered:
                return SettingsError(f"{what}: {remedy} ({said})")
    if "disabled" in lowered:
        return UnavailableError(f"{what}: a queue or its compute environment is disabled; enable it ({said})")
    return DataError(f"{what}: AWS refuses: {said}")
