"""The operator that runs one slice of one stage, or all of them as an array, as a Batch job."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.providers.amazon.aws.links.batch import BatchJobDetailsLink
from airflow.providers.amazon.aws.links.logs import CloudWatchEventsLink
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import BotoCoreError, ClientError

from lfcore.contracts import ARRAY_SIZE_VARIABLE, LIST_FILE_VARIABLE, SLICE_INDEX_VARIABLE, RunPaths, Stage
from lfcore.errors import TemporaryError
from lfcore.job_names import Places, job_name, job_tags, slice_prefix
from lightfield.batch_jobs import USER_ENDED, describe, end_live_jobs, failed_children, is_being_ended, live_jobs
from lightfield.failures import explain, is_permanent, write_failure
from lightfield.files import remove
from lightfield.hook import StageHook, log_place
from lightfield.triggers import StageTrigger
from lightfield.waiting import JobWatch, Silence

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

LINES_OF_SUCCESS = 5
LINES_OF_FAILURE = 20
ENDING_S = 60.0
"""How long a job of the same name that is being ended is waited for before another is submitted."""
PAUSE_S = 1.0
KILL_LOOKS = 3
CHILDREN_EXPLAINED = 3


class StageJobError(AirflowException):
    """A stage's Batch job failed in a way that a retry may cure."""


class StageBatchOperator(BatchOperator):
    """Runs slice ``slice_index`` of ``slices`` of a stage as one Batch job, and explains its failure.

    ``run`` is the run's folder or prefix (templated). ``slice_label`` is what the job holds, in words, for the
    user interface. ``timeout_s`` is how long an attempt may last. With ``slices`` above 1 and no ``slice_index``
    one array job does all slices.

    Differences to ``BatchOperator``: the job's environment, name and tags follow ``docs/contracts.md``; a live job of
    the same name is adopted, so that a retry after a lost worker does not do the slice twice; a failure names exit
    code, reason, attempts and the last log line, is left in the run's folder, and is not retried when a retry cannot
    help; ending the task ends the job, also while it is deferred; a Batch API that does not answer is waited for;
    polling keeps pace with the job, so that short jobs are not waited for longer than they run.
    """

    aws_hook_class = StageHook
    template_fields: Sequence[str] = (*BatchOperator.template_fields, "run")
    # Every link costs a message to the API server in every task; these two lead to the job and to its log.
    operator_extra_links = (BatchJobDetailsLink(), CloudWatchEventsLink())  # type: ignore[assignment] # fewer

    def __init__(
        self,
        *,
        stage: str,
        run: str,
        slice_index: int | None = None,
        slices: int = 1,
        slice_label: str = "",
        timeout_s: int | None = None,
        **kwargs: Any,  # noqa: ANN401 - whatever Airflow gives every operator
    ) -> None:
        places = Places.chosen()
        is_array = slices > 1 and slice_index is None
        environment = {LIST_FILE_VARIABLE: RunPaths(run).items(Stage(stage)), ARRAY_SIZE_VARIABLE: str(slices)}
        if not is_array:
            environment[SLICE_INDEX_VARIABLE] = str(slice_index or 0)
        super().__init__(
            job_name=f"lf-{stage}",
            job_queue=places.queue(Stage(stage)),
            job_definition=places.definition_of(Stage(stage)),
            container_overrides={"environment": [{"name": key, "value": environment[key]} for key in environment]},
            array_properties={"size": slices} if is_array else None,
            submit_job_timeout=timeout_s,
            **kwargs,
        )
        self.stage = stage
        self.run = run
        self.slice_index = None if is_array else slice_index or 0
        self.slices = slices
        self.slice_label = slice_label
        self.timeout_s = timeout_s
        self._prefix = ""
        self._is_killed = False

    def execute(self, context: Context) -> str:
        """Submit the job or adopt a live one, and wait for it, in place or deferred; its id is returned."""
        run_id, stage = str(context["run_id"]), Stage(self.stage)
        self.job_name = job_name(self.dag_id, run_id, stage, self.slice_index)
        self.tags = job_tags(self.dag_id, run_id, stage)
        self._prefix = slice_prefix(self.dag_id, run_id, stage, self.slice_index)
        job_id = self._adopt_or_submit()
        self._persist_details_link(context, job_id)
        if self.deferrable:
            self.defer(
                trigger=StageTrigger(
                    job_id=job_id,
                    poll_interval=self.poll_interval,
                    aws_conn_id=self.aws_conn_id,
                    region_name=self.region_name,
                    verify=self.verify,
                    botocore_config=self.botocore_config,
                ),
                method_name="execute_complete",
                timeout=self.execution_timeout,
            )
        try:
            job = self._wait(job_id)
        except TemporaryError as error:
            self._fail_without_description(str(error))
        return self._conclude(context, job)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """Take up the task again when the trigger has seen the job end, well or not."""
        event = event or {}
        self.job_id = event.get("job_id")
        if "job" not in event:
            self._fail_without_description(event.get("error") or f"the trigger came back without a job ({event})")
        return self._conclude(context, event["job"])

    def on_kill(self) -> None:
        """End the job; one whose submission is under way is looked for by its name."""
        self._is_killed = True
        try:
            if self.job_id:
                self._client.terminate_job(jobId=str(self.job_id), reason=USER_ENDED)
            elif self._prefix:
                self._end_by_name()
        except (BotoCoreError, ClientError) as error:
            self.log.warning("%s: its Batch job could not be ended (%s); the run's end will", self._title, error)

    def _end_by_name(self) -> None:
        told: set[str] = set()
        for _ in range(KILL_LOOKS):
            end_live_jobs(self._client, [self.job_queue], self._prefix, USER_ENDED, told)
            if told:
                return
            time.sleep(PAUSE_S)

    @property
    def _client(self) -> "BatchClient":
        return cast("BatchClient", self.hook.get_conn())

    @property
    def _title(self) -> str:
        return f"{self.stage} [{self.slice_label}]" if self.slice_label else self.stage

    def _adopt_or_submit(self) -> str:
        silence = Silence(self.log)
        while True:
            try:
                # A SubmitJob whose answer got lost is found here at the next turn.
                self.job_id = self._live_job() or self._submit()
            except Exception as error:
                self._bear(silence, error)
                time.sleep(PAUSE_S)
            else:
                break
        job_id = str(self.job_id)
        if self._is_killed:
            self._client.terminate_job(jobId=job_id, reason=USER_ENDED)
        return job_id

    def _bear(self, silence: Silence, error: Exception) -> None:
        """Go on when Batch cannot answer now; raise what cannot be waited for, in a line that names the task."""
        try:
            silence.goes_on(error)
        except (BotoCoreError, ClientError, TemporaryError) as lasting:
            raise StageJobError(f"{self._title}: Batch does not take the job: {lasting}") from lasting
        if isinstance(error, ClientError):
            # Credentials may have expired: a new hook reads the connection anew.
            self.__dict__.pop("hook", None)

    def _live_job(self) -> str | None:
        """The job of this slice that is already there; one that is being ended is waited for, not adopted."""
        deadline = time.monotonic() + ENDING_S
        while found := live_jobs(self._client, self.job_queue, self._prefix):
            jobs = describe(self._client, [job["jobId"] for job in found])
            for job in jobs:
                if not is_being_ended(job):
                    self.log.warning("%s: Batch job %s is there already; waiting for it", self._title, job["jobId"])
                    return job["jobId"]
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE_S)
        return None

    def _submit(self) -> str:
        options = {
            "containerOverrides": self.container_overrides,
            "arrayProperties": self.array_properties,
            "retryStrategy": self.retry_strategy,
            "timeout": {"attemptDurationSeconds": self.timeout_s} if self.timeout_s else None,
        }
        answer = self._client.submit_job(
            jobName=self.job_name,
            jobQueue=self.job_queue,
            jobDefinition=self.job_definition,
            tags=self.tags,
            **cast("Any", {key: value for key, value in options.items() if value}),
        )
        self.log.info("%s: Batch job %s (%s) in queue %s", self._title, answer["jobId"], self.job_name, self.job_queue)
        return answer["jobId"]

    def _wait(self, job_id: str) -> Mapping[str, Any]:
        watch = JobWatch(job_id, self.poll_interval, self.log)
        while True:
            try:
                found = describe(self._client, [job_id])
            except Exception as error:
                watch.not_answered(error)
                if isinstance(error, ClientError):
                    self.__dict__.pop("hook", None)
            else:
                job = cast("dict[str, Any]", found[0]) if found else None
                if watch.seen(job) and job is not None:
                    return job
            time.sleep(watch.pause_s())

    def _conclude(self, context: Context, job: Mapping[str, Any]) -> str:
        """Show the end of the job's log, and turn its state into the task's."""
        hook = cast("StageHook", self.hook)
        if place := log_place(job, str(hook.conn_region_name)):
            CloudWatchEventsLink.persist(
                context=context,
                operator=self,
                region_name=hook.conn_region_name,
                aws_partition=hook.conn_partition,
                **place,
            )
        succeeded = job.get("status") == self.hook.SUCCESS_STATE
        if not succeeded and self.slice_index is None:
            self._fail_as_array(job)
        lines = hook.last_lines(job, LINES_OF_SUCCESS if succeeded else LINES_OF_FAILURE)
        for line in lines:
            self.log.info("job: %s", line)
        if not succeeded:
            message = explain(job, self._title, lines)
            self._record(self.slice_index or 0, self.slice_label, job, message, lines)
            raise AirflowFailException(message) if is_permanent(job) else StageJobError(message)
        self._forget_failures(context)
        return str(job["jobId"])

    def _fail_as_array(self, job: Mapping[str, Any]) -> NoReturn:
        """Fail with what the first failed children of an array say."""
        hook = cast("StageHook", self.hook)
        children = failed_children(self._client, str(job["jobId"]))
        explained = cast("list[dict[str, Any]]", describe(self._client, children[:CHILDREN_EXPLAINED]))
        messages = []
        for child in explained:
            index = int(child["arrayProperties"]["index"])
            lines = hook.last_lines(child, LINES_OF_FAILURE)
            for line in lines:
                self.log.info("job of slice %d: %s", index, line)
            message = explain(child, f"slice {index}", lines)
            self._record(index, f"slice {index}", child, message, lines)
            messages.append(message)
        reason = f"Batch job {job['jobId']} FAILED, {len(children)} of {self.slices} slices"
        text = f"{self._title}: {'; '.join([reason, *messages])}"
        if explained and len(explained) == len(children) and all(map(is_permanent, explained)):
            raise AirflowFailException(text)
        raise StageJobError(text)

    def _fail_without_description(self, reason: str) -> NoReturn:
        message = f"{self._title}: {reason}"
        self._record(self.slice_index or 0, self.slice_label, {"jobId": self.job_id}, message, [])
        raise StageJobError(message)

    def _record(self, slice_index: int, label: str, job: Mapping[str, Any], message: str, lines: list[str]) -> None:
        """Leave the failure in the run's folder; whatever prevents that must not hide the failure itself."""
        try:
            write_failure(RunPaths(self.run), Stage(self.stage), slice_index, label, job, message, lines)
        except Exception as error:
            self.log.warning("%s: the record of this failure could not be written: %s", self._title, error)

    def _forget_failures(self, context: Context) -> None:
        """Take away the records that earlier tries left; a first try has none, and is not made to look."""
        if context["ti"].try_number < 2:
            return
        indices = range(self.slices) if self.slice_index is None else [self.slice_index]
        for index in indices:
            try:
                remove(RunPaths(self.run).failure(Stage(self.stage), index))
            except Exception as error:
                self.log.warning("%s: the record of an earlier failure could not be removed: %s", self._title, error)

    def _persist_details_link(self, context: Context, job_id: str) -> None:
        BatchJobDetailsLink.persist(
            context=context,
            operator=self,
            region_name=self.hook.conn_region_name,
            aws_partition=self.hook.conn_partition,
            job_id=job_id,
        )
