"""The operator that runs one slice of one stage as a Batch job."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.amazon.aws.hooks.logs import AwsLogsHook
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from lfcore.contracts import ARRAY_SIZE_VARIABLE, LIST_FILE_VARIABLE, SLICE_INDEX_VARIABLE, RunPaths, Stage
from lightfield.failures import explain, is_permanent
from lightfield.names import BatchNames, job_name, job_tags
from lightfield.triggers import StageTrigger

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

LOG_LINES = 50
SHORTEST_PAUSE_S = 0.2


class StageJobError(AirflowException):
    """A stage's Batch job failed in a way that a retry may cure."""


class StageBatchOperator(BatchOperator):
    """Runs slice ``slice_index`` of ``slices`` of a stage as one Batch job, and explains its failure.

    ``run`` is the run's folder or prefix (templated). ``slice_label`` is what the job holds, in words, for the
    user interface. Differences to ``BatchOperator``: the job's environment, name and tags follow
    ``docs/contracts.md``; a failure names exit code, reason, attempts and the last log line, and is not retried when
    a retry cannot help; ending the task ends the job, also while the task is deferred; polling keeps pace with
    the job, so that short jobs are not waited for longer than they run.
    """

    template_fields: Sequence[str] = (*BatchOperator.template_fields, "run")

    def __init__(
        self,
        *,
        stage: str,
        run: str,
        slice_index: int = 0,
        slices: int = 1,
        slice_label: str = "",
        **kwargs: Any,  # noqa: ANN401 - whatever Airflow gives every operator
    ) -> None:
        names = BatchNames.from_environment()
        environment = {
            LIST_FILE_VARIABLE: RunPaths(run).items(Stage(stage)),
            ARRAY_SIZE_VARIABLE: str(slices),
            SLICE_INDEX_VARIABLE: str(slice_index),
        }
        super().__init__(
            job_name=f"lf-{stage}",
            job_queue=names.queue(Stage(stage)),
            job_definition=names.job_definition,
            container_overrides={"environment": [{"name": key, "value": environment[key]} for key in environment]},
            **kwargs,
        )
        self.stage = stage
        self.run = run
        self.slice_index = slice_index
        self.slices = slices
        self.slice_label = slice_label

    def execute(self, context: Context) -> str:
        """Submit the job and wait for it, in place or deferred; its id is returned."""
        run_id = str(context["run_id"])
        self.job_name = job_name(Stage(self.stage), self.slice_index, run_id)
        self.tags = job_tags(self.dag_id, run_id, Stage(self.stage))
        self.submit_job(context)
        self._persist_links(context)
        if self.deferrable:
            self.defer(
                trigger=StageTrigger(
                    job_id=self._known_job_id(),
                    waiter_delay=self.poll_interval,
                    waiter_max_attempts=self.max_retries,
                    aws_conn_id=self.aws_conn_id,
                    region_name=self.region_name,
                    verify=self.verify,
                    botocore_config=self.botocore_config,
                ),
                method_name="execute_complete",
                timeout=self.execution_timeout,
            )
        self._wait()
        return self._conclude(context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """Take up the task again when the trigger has seen the job end, well or not."""
        if not event or "job_id" not in event:
            raise StageJobError(f"{self._title}: the trigger came back without a job ({event}); clear the task")
        self.job_id = event["job_id"]
        return self._conclude(context)

    def on_kill(self) -> None:
        """Terminate the job, if there is one already."""
        if self.job_id:
            self.hook.terminate_job(str(self.job_id), reason="Task ended by the user")

    @property
    def _title(self) -> str:
        return f"{self.stage} [{self.slice_label}]" if self.slice_label else self.stage

    def _known_job_id(self) -> str:
        if not self.job_id:
            raise StageJobError(f"{self._title}: Batch gave the job no id; try again")
        return str(self.job_id)

    def _wait(self) -> None:
        """Poll until the job has ended, at a pace that follows its length."""
        started = time.monotonic()
        while not self._has_ended(self.hook.get_job_description(self._known_job_id())):
            elapsed = time.monotonic() - started
            time.sleep(min(max(SHORTEST_PAUSE_S, 0.1 * elapsed), self.poll_interval))

    def _has_ended(self, job: dict[str, Any]) -> bool:
        return job.get("status") in (self.hook.SUCCESS_STATE, self.hook.FAILURE_STATE)

    def _conclude(self, context: Context) -> str:
        """Show the end of the job's log, and turn its state into the task's."""
        job_id = self._known_job_id()
        job = self.hook.get_job_description(job_id)
        lines = self._last_lines(job_id)
        for line in lines:
            self.log.info("job: %s", line)
        self._persist_cloudwatch_link(context)
        if job.get("status") == self.hook.SUCCESS_STATE:
            return job_id
        message = explain(job, self._title, lines)
        raise AirflowFailException(message) if is_permanent(job) else StageJobError(message)

    def _last_lines(self, job_id: str) -> list[str]:
        """The end of the job's log; empty when it has none, for instance because it never started."""
        stream = self.hook.get_job_awslogs_info(job_id)
        if not stream:
            return []
        logs = AwsLogsHook(aws_conn_id=self.aws_conn_id, region_name=stream["awslogs_region"], verify=self.verify)
        client = cast("CloudWatchLogsClient", logs.get_conn())
        try:
            events = client.get_log_events(
                logGroupName=stream["awslogs_group"],
                logStreamName=stream["awslogs_stream_name"],
                startFromHead=False,
                limit=LOG_LINES,
            )["events"]
        except client.exceptions.ResourceNotFoundException:
            return []
        return [str(event["message"]).rstrip() for event in events]
