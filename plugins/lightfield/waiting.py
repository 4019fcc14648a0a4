"""What one waiter makes of what Batch says about its job, and of its silence: the same in place and deferred."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)

from lfcore.errors import TemporaryError

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

ENDED = frozenset({"SUCCEEDED", "FAILED"})
SILENCE_S = 1800.0
"""How long a Batch API that does not answer is waited for."""
UNKNOWN_S = 60.0
"""A job may be unknown for a moment after its submission; after this time it is lost."""
REMIND_S = 180.0
SHORTEST_PAUSE_S = 0.2
SERVER_ERROR = 500
PASSING_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalFailure",
        "RequestExpired",
        "RequestLimitExceeded",
        "ServerException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


class JobLostError(TemporaryError):
    """Batch does not know the job (any more)."""


class BatchSilentError(TemporaryError):
    """Batch has not answered for longer than is waited for."""


def is_silence(error: BaseException) -> bool:
    """Whether an error means that Batch cannot answer now, rather than that it refuses."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response.get("Error", {}).get("Code") in PASSING_CODES or status >= SERVER_ERROR
    if isinstance(error, BotoCoreError):
        kinds = (NoConnectionError, HTTPClientError, CredentialRetrievalError, NoCredentialsError)
        return isinstance(error, kinds)
    return isinstance(error, OSError | TimeoutError)


class Silence:
    """How long Batch has not answered, said in the log when it begins, now and then, and when it ends."""

    def __init__(self, log: "Logger | logging.Logger", clock: Callable[[], float] = time.monotonic) -> None:
        """``log`` is the task's."""
        self._log = log
        self._clock = clock
        self._since: float | None = None
        self._said = 0.0

    def broken(self) -> None:
        """Batch has answered."""
        if self._since is not None:
            self._log.info("Batch answers again, after %.0f s", self._clock() - self._since)
            self._since = None

    def goes_on(self, error: BaseException) -> None:
        """Batch has not answered; raises ``error`` when it is no silence, ``BatchSilentError`` after ``SILENCE_S``."""
        if not is_silence(error):
            raise error
        now = self._clock()
        if self._since is None:
            self._since, self._said = now, now - REMIND_S
        silent_s = now - self._since
        if silent_s >= SILENCE_S:
            raise BatchSilentError(
                f"Batch has not answered for {silent_s / 60:.0f} minutes ({error}); see that it runs and that the AWS "
                "connection leads to it, then clear the task"
            ) from error
        if now - self._said >= REMIND_S:
            self._said = now
            self._log.warning(
                "Batch does not answer (%s); waiting for it, %.0f of at most %.0f min",
                error,
                silent_s / 60,
                SILENCE_S / 60,
            )


class JobWatch:
    """What is known about one job while it is waited for."""

    def __init__(
        self,
        job_id: str,
        poll_interval_s: float,
        log: "Logger | logging.Logger",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``poll_interval_s`` is the longest pause between two looks at the job."""
        self._job_id = job_id
        self._poll_interval_s = poll_interval_s
        self._log = log
        self._clock = clock
        self._started = clock()
        self._silence = Silence(log, clock)
        self._status = ""
        self._unknown_since: float | None = None
        self._reminded = clock()

    def seen(self, job: Mapping[str, Any] | None) -> bool:
        """Take in what Batch says, none where it knows no such job; whether the job has ended.

        Raises ``JobLostError`` when the job has been unknown for ``UNKNOWN_S``.
        """
        self._silence.broken()
        if job is None:
            self._is_unknown()
            return False
        self._unknown_since = None
        status = str(job.get("status"))
        if status != self._status:
            self._log.info("Batch job %s is %s", self._job_id, status)
            self._status, self._reminded = status, self._clock()
        elif status == "RUNNABLE" and self._clock() - self._reminded >= REMIND_S:
            self._reminded = self._clock()
            self._log.warning(
                "Batch job %s has been waiting for a place for %.0f min (%s): see the queue's compute environment",
                self._job_id,
                (self._clock() - self._started) / 60,
                job.get("statusReason") or "Batch gives no reason",
            )
        return status in ENDED

    def _is_unknown(self) -> None:
        now = self._clock()
        self._unknown_since = now if self._unknown_since is None else self._unknown_since
        if now - self._unknown_since >= UNKNOWN_S:
            raise JobLostError(f"Batch no longer knows job {self._job_id}, so how it ended is lost; it is done again")

    def not_answered(self, error: Exception) -> None:
        """Take in that Batch did not answer; raises what ``Silence.goes_on`` does."""
        self._silence.goes_on(error)

    def pause_s(self) -> float:
        """Seconds until the next look: a tenth of the job's age, so that a short job costs no long wait.

        Spread by a fifth, so that many waiters do not ask at once.
        """
        age_s = self._clock() - self._started
        return random.uniform(0.8, 1.2) * min(max(SHORTEST_PAUSE_S, 0.1 * age_s), self._poll_interval_s)
