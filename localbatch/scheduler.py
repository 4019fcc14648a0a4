"""Which job runs when: queues with slots, dependencies, attempts, arrays, and the end of everything."""

import logging
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from localbatch.config import Config
from localbatch.job_table import JobTable
from localbatch.jobs import Job, Status, children_of, job_from_state
from localbatch.keeper import CANNOT_START
from localbatch.logs import LogFiles, now_ms
from localbatch.processes import SERVER_MARK, kill_marked
from localbatch.retry import retries
from localbatch.runner import Attempt, Outcome, inherited_environment
from localbatch.state import StateFolder

LOG = logging.getLogger(__name__)
CONTAINER_EXITED = "Essential container in task exited"
TASK_NOT_STARTED = "Task failed to start"
TIMED_OUT = "Job attempt duration exceeded timeout"
DEPENDENCY_FAILED = "Dependent Job failed"
CHILD_FAILED = "Array Child Job failed"
SHUTDOWN_S = 10.0


class Scheduler:
    """Holds all jobs and moves them through their life cycle; every public method may be called from any thread."""

    def __init__(self, config: Config, state: StateFolder, logs: LogFiles) -> None:
        """Read the stored jobs; attempts that an earlier server left are over, as if their host had been taken away."""
        self._config = config
        self._state = state
        self._logs = logs
        self._lock = threading.RLock()
        self._closing = False
        self._instance = f"i-{uuid.uuid4().hex[:17]}"
        self._environment = inherited_environment(config.forward) | {SERVER_MARK: str(state.root)}
        self._table = JobTable()
        self._runnable: dict[str, deque[Job]] = {name: deque() for name in config.queues}
        self._free = dict(config.queues)
        self._running: dict[str, tuple[Attempt, threading.Thread]] = {}
        kill_marked(SERVER_MARK, str(state.root))
        state.clear_scratch()
        self._resume()

    def _resume(self) -> None:
        stored = {job.id: job for job in map(job_from_state, self._state.jobs())}
        parents = sorted((job for job in stored.values() if job.parent_id is None), key=lambda job: job.created_at)
        with self._lock:
            for job in parents:
                self._table.enter(job)
                for child in children_of(job):
                    self._table.enter(stored.get(child.id, child))
            for job in self._table.all_jobs():
                if job.status.holds_slot:
                    self._attempt_ended(job, Outcome(None))
                elif not job.status.is_final and not job.is_array:
                    self._advance(job)
            for job in parents:
                end = self._parent_end(job) if job.is_array else None
                if end is not None:
                    self._finish(job, *end)
            self._dispatch()

    # What callers ask

    def submit(self, job: Job) -> None:
        """Take a single job, or an array by its parent."""
        with self._lock:
            self._table.enter(job)
            if job.is_array:
                # The parent's file stands for all children to which nothing has happened yet.
                children = children_of(job)
                for child in children:
                    self._table.enter(child)
                self._move(job, Status.PENDING)
                for child in children:
                    self._advance(child)
            else:
                self._advance(job)
            self._dispatch()

    def find(self, job_id: str) -> Job | None:
        """The job with this id."""
        return self._table.find(job_id)

    def all_jobs(self) -> list[Job]:
        """Every job but arrays' children, oldest first."""
        with self._lock:
            return [job for job in self._table.all_jobs() if job.parent_id is None]

    def children(self, job_id: str) -> list[Job]:
        """The children of an array by index; empty for other jobs."""
        with self._lock:
            return self._table.children(job_id)

    def view(self, job: Job, form: Callable[[Job, Counter[Status]], dict[str, Any]]) -> dict[str, Any]:
        """``form`` of a job and of the number of its children by status, at one moment."""
        with self._lock:
            return form(job, self._table.child_counts(job))

    def cancel(self, job: Job, reason: str) -> None:
        """CancelJob: end the job, or those of its children, that have not begun to start; others go on."""
        with self._lock:
            for each in self._table.live(job):
                if not each.status.holds_slot:
                    each.is_cancelled, each.end_reason = True, reason
                    self._finish(each, Status.FAILED, reason)
            self._dispatch()

    def terminate(self, job: Job, reason: str) -> None:
        """TerminateJob: end the job, or all of its children, wherever they are."""
        with self._lock:
            if job.is_array and not job.status.is_final:
                job.is_terminated, job.end_reason = True, reason
                self._save(job)
            for each in self._table.live(job):
                each.is_terminated, each.end_reason = True, reason
                if each.status.holds_slot:
                    self._save(each)
                    self._running[each.id][0].stop()
                else:
                    self._finish(each, Status.FAILED, reason)
            self._dispatch()

    def close(self) -> None:
        """Kill all that runs, at once; the stored jobs stay as they are, for the next server to take up."""
        with self._lock:
            self._closing = True
            running = list(self._running.values())
            for attempt, _ in running:
                attempt.abandon()
        for _, thread in running:
            thread.join(SHUTDOWN_S)
        kill_marked(SERVER_MARK, str(self._state.root))

    # Life cycle; the lock is held in everything below

    def _move(self, job: Job, status: Status) -> None:
        self._table.set_status(job, status)
        self._save(job)
        level = logging.INFO if status is Status.RUNNING or status.is_final else logging.DEBUG
        LOG.log(level, "%s %s %s %s", job.id, job.spec.name, status, job.status_reason or "")

    def _save(self, job: Job) -> None:
        if job.is_untouched_child:
            return
        try:
            self._state.save_job(job.id, job.to_state())
        except OSError:
            LOG.exception("%s is %s, which cannot be stored and is forgotten by a restart", job.id, job.status)

    def _advance(self, job: Job) -> None:
        """Put a job that is not running where its prerequisites let it be."""
        before = self._table.prerequisite_statuses(job)
        if Status.FAILED in before:
            self._finish(job, Status.FAILED, DEPENDENCY_FAILED)
        elif before <= {Status.SUCCEEDED}:
            self._make_runnable(job)
        elif job.status is not Status.PENDING:
            self._move(job, Status.PENDING)

    def _make_runnable(self, job: Job) -> None:
        self._move(job, Status.RUNNABLE)
        queue = self._runnable.get(job.spec.queue)
        if queue is None:
            self._finish(job, Status.FAILED, f"Job queue {job.spec.queue} does not exist any more")
        else:
            queue.append(job)

    def _finish(self, job: Job, status: Status, reason: str | None) -> None:
        """Move a job to its end, and with it all that waited for it."""
        ending: deque[tuple[Job, Status, str | None]] = deque([(job, status, reason)])
        while ending:
            job, status, reason = ending.popleft()
            if job.status.is_final:
                continue
            job.status_reason, job.stopped_at = reason, now_ms()
            self._move(job, status)
            ending.extend(self._consequences(job))

    def _consequences(self, job: Job) -> Iterable[tuple[Job, Status, str | None]]:
        """Further jobs that end because ``job`` has; those that may run now become runnable."""
        for dependent in self._table.waiting_for(job):
            if job.status is Status.FAILED:
                yield dependent, Status.FAILED, DEPENDENCY_FAILED
            elif self._table.prerequisite_statuses(dependent) == {Status.SUCCEEDED}:
                self._make_runnable(dependent)
        parent = self._table.parent_of(job)
        end = self._parent_end(parent) if parent is not None else None
        if parent is not None and end is not None:
            yield parent, *end

    def _parent_end(self, parent: Job) -> tuple[Status, str | None] | None:
        """How an array ends when all of its children have; ``None`` while some have not."""
        if self._table.has_unfinished_children(parent):
            return None
        if self._table.child_counts(parent)[Status.FAILED]:
            return Status.FAILED, parent.end_reason or CHILD_FAILED
        return Status.SUCCEEDED, None

    # Attempts

    def _dispatch(self) -> None:
        """Start jobs, in the order in which they became runnable, while their queue has slots."""
        for name, queue in self._runnable.items():
            while queue and self._free[name] > 0 and not self._closing:
                job = queue.popleft()
                if job.status is Status.RUNNABLE:
                    self._free[name] -= 1
                    self._start(job)

    def _start(self, job: Job) -> None:
        token = uuid.uuid4().hex
        job.task_arn = self._config.arn(f"task/localbatch/{token}").replace(":batch:", ":ecs:", 1)
        job.log_stream = f"{job.spec.definition_name}/default/{token}"
        job.started_at = None
        environment = self._environment | job.spec.environment | self._batch_variables(job)
        folder = self._state.scratch / token
        attempt = Attempt(token, job.spec.container["command"], environment, folder, self._config.stop_timeout_s)
        thread = threading.Thread(target=self._attempt, args=(job, attempt), name=job.id, daemon=True)
        self._running[job.id] = (attempt, thread)
        self._move(job, Status.STARTING)
        thread.start()

    def _batch_variables(self, job: Job) -> dict[str, str]:
        variables = {
            "AWS_BATCH_JOB_ID": job.id,
            "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts) + 1),
            "AWS_BATCH_JQ_NAME": job.spec.queue,
            "AWS_BATCH_CE_NAME": "localbatch",
        }
        if job.index is not None:
            variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
            variables["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.spec.array_size)
        return variables

    def _attempt(self, job: Job, attempt: Attempt) -> None:
        """One attempt from its start to its end, in a thread of its own."""

        def started() -> None:
            with self._lock:
                job.started_at = now_ms()
                self._move(job, Status.RUNNING)

        try:
            writer = self._logs.writer(job.spec.log_group, job.log_stream or "")
            outcome = attempt.run(writer, job.spec.timeout_s, started)
        except OSError as error:
            outcome = Outcome(CANNOT_START, f"CannotCreateContainerError: {error}")
        with self._lock:
            if self._closing:
                return
            del self._running[job.id]
            self._free[job.spec.queue] += 1
            self._attempt_ended(job, outcome)
            self._dispatch()

    def _attempt_ended(self, job: Job, outcome: Outcome) -> None:
        """Record an attempt and decide between success, another attempt, and failure."""
        if outcome.exit_code is None:
            reason = f"Host EC2 (instance {self._instance}) terminated."
        elif outcome.reason:
            reason = TASK_NOT_STARTED
        else:
            reason = CONTAINER_EXITED
        if outcome.timed_out:
            reason = TIMED_OUT
        container: dict[str, Any] = {
            "taskArn": job.task_arn,
            "logStreamName": job.log_stream,
            "networkInterfaces": [],
        }
        if outcome.exit_code is not None:
            container["exitCode"] = outcome.exit_code
        if outcome.reason:
            container["reason"] = outcome.reason
        times = {"startedAt": job.started_at} if job.started_at is not None else {}
        job.attempts.append({"container": container, **times, "stoppedAt": now_ms(), "statusReason": reason})
        if job.is_terminated:
            self._finish(job, Status.FAILED, job.end_reason)
        elif outcome.exit_code == 0 and not outcome.timed_out:
            self._finish(job, Status.SUCCEEDED, reason)
        elif not outcome.timed_out and retries(
            job.spec.retry_strategy, len(job.attempts), reason, outcome.reason, outcome.exit_code
        ):
            self._make_runnable(job)
        else:
            self._finish(job, Status.FAILED, reason)
