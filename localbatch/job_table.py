"""All jobs at hand: by id, arrays with their children, and who waits for whom."""

from collections import Counter

from localbatch.jobs import Job, Status


class JobTable:
    """Every job the server knows; it has no lock of its own, the scheduler's covers it."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._children: dict[str, list[Job]] = {}
        self._counts: dict[str, Counter[Status]] = {}
        self._dependents: dict[str, list[Job]] = {}

    def enter(self, job: Job) -> None:
        """Take in a job; a parent comes before its children, and those in the order of their indices."""
        self._jobs[job.id] = job
        if job.is_array:
            self._children[job.id] = []
            self._counts[job.id] = Counter()
        if job.parent_id is not None:
            self._children[job.parent_id].append(job)
            self._counts[job.parent_id][job.status] += 1
        for prerequisite in job.prerequisites:
            self._dependents.setdefault(prerequisite, []).append(job)

    def set_status(self, job: Job, status: Status) -> None:
        """Change a job's status and its parent's counts with it."""
        if job.parent_id is not None:
            self._counts[job.parent_id][job.status] -= 1
            self._counts[job.parent_id][status] += 1
        job.status = status

    def find(self, job_id: str) -> Job | None:
        """The job with this id."""
        return self._jobs.get(job_id)

    def all_jobs(self) -> list[Job]:
        """Every job, children too, parents before them."""
        return list(self._jobs.values())

    def children(self, job_id: str) -> list[Job]:
        """The children of an array by index; empty for other jobs."""
        return list(self._children.get(job_id, []))

    def child_counts(self, job: Job) -> Counter[Status]:
        """How many children of an array are in each status."""
        return self._counts.get(job.id, Counter())

    def live(self, job: Job) -> list[Job]:
        """The job, or an array's children, as far as they have not ended."""
        return [each for each in self._children.get(job.id, [job]) if not each.status.is_final]

    def waiting_for(self, job: Job) -> list[Job]:
        """Jobs that wait for this one and perhaps for others."""
        return [each for each in self._dependents.get(job.id, []) if each.status is Status.PENDING]

    def prerequisite_statuses(self, job: Job) -> set[Status]:
        """Where the jobs stand that must have succeeded before ``job``."""
        return {self._jobs[prerequisite].status for prerequisite in job.prerequisites}

    def parent_of(self, job: Job) -> Job | None:
        """The array that a child belongs to."""
        return None if job.parent_id is None else self._jobs[job.parent_id]

    def has_unfinished_children(self, parent: Job) -> bool:
        """Whether an array still has children that have not ended."""
        counts = self._counts[parent.id]
        return counts[Status.SUCCEEDED] + counts[Status.FAILED] < (parent.spec.array_size or 0)
