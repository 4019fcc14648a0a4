"""The hook of the stages: Batch, and the last lines of a job's log."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from botocore.exceptions import BotoCoreError, ClientError

from lightfield.failures import last_container

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_logs import CloudWatchLogsClient

DEFAULT_GROUP = "/aws/batch/job"


def log_place(job: Mapping[str, Any], region: str) -> dict[str, str] | None:
    """Group, stream and region of a described job's last log, as Airflow's link wants them; none where it has none."""
    stream = last_container(job).get("logStreamName")
    configuration = (job.get("container") or {}).get("logConfiguration") or {}
    if not stream or configuration.get("logDriver", "awslogs") != "awslogs":
        return None
    options = configuration.get("options") or {}
    return {
        "awslogs_group": options.get("awslogs-group", DEFAULT_GROUP),
        "awslogs_stream_name": stream,
        "awslogs_region": options.get("awslogs-region", region),
    }


class StageHook(BatchClientHook):
    """Batch and its logs through one session: a second one would double the processor time that clients take."""

    @cached_property
    def _session(self) -> "boto3.session.Session":
        return super().get_session(region_name=self.region_name)

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> "boto3.session.Session":
        """The one session, unless a region or kind of its own is asked for."""
        if deferrable or region_name != self.region_name:
            return super().get_session(region_name, deferrable)
        return self._session

    @cached_property
    def _logs(self) -> "CloudWatchLogsClient":
        url = self.conn_config.get_service_endpoint_url("logs")
        return self._session.client("logs", endpoint_url=url, config=self.config, verify=self.verify)

    def last_lines(self, job: Mapping[str, Any], count: int) -> list[str]:
        """Up to ``count`` last lines; empty where there are none or they cannot be had, which the log then says."""
        place = log_place(job, str(self.conn_region_name))
        if place is None:
            return []
        try:
            events = self._logs.get_log_events(
                logGroupName=place["awslogs_group"],
                logStreamName=place["awslogs_stream_name"],
                startFromHead=False,
                limit=count,
            )["events"]
        except (BotoCoreError, ClientError) as error:
            self.log.warning("the log of Batch job %s cannot be read: %s", job.get("jobId"), error)
            return []
        return [str(event["message"]).rstrip() for event in events]
