"""Several devices of one host: a worker process each, which gets its next frames when it has done the last ones.

A slow device then does fewer frames and holds up nobody, and what a lost one had in hand goes to another. Workers are
started anew ("spawn"), since a process that has used OpenCL must not be forked. What passes through a worker's pipe:
lists of items one way; the other way how many of them are done (a float), notes, and at the end of a list its
`Outcome` or the error that ends the worker. A worker whose pipe closes ends, so none outlives its parent for long.
"""

import pickle
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import NoReturn

from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.errors import TemporaryError, UnavailableError
from lfcore.opencl.device import Device
from lfcore.stages.progress import Listener, Progress, silent
from lfcore.stages.runner import Do, Outcome, Pulse, opening, process, unfinished

LIST_S = 3.0
"""About how long a list shall take: looking for records takes a moment for every list."""
GRACE_S = 5.0
"""How long a worker may take to end, before it is killed."""
REMEDY = "run the same command again to go on, and if it comes back leave this device out"
ENDINGS = (signal.SIGINT, signal.SIGTERM)
GONE = (EOFError, OSError)
"""What a pipe raises whose other end is closed, in the middle of a message or not."""

Prepare = Callable[[RunPaths, str | None, Pulse], Do]
"""A function of a module, for its name is what is sent: (run, device as `choose` has it, pulse) -> ``do``."""
Message = float | str | Outcome | Exception


def share_out(
    run: RunPaths,
    stage: Stage,
    items: Sequence[WorkItem],
    devices: Sequence[Device],
    prepare: Prepare,
    listener: Listener = silent,
) -> Outcome:
    """As `lfcore.stages.runner.process`, on all ``devices`` at once; records and results are the same.

    A device that is lost, or has too little memory, is left out from then on. Raises the error of the last one when no
    device is left: ``TemporaryError`` if trying again can help. Any other error ends the stage as it does in `process`.
    """
    pending, _ = unfinished(run, stage, items)
    listener(opening(stage, len(items), len(pending)))
    crew = Crew(stage, pending, listener)
    try:
        for device in devices[: len(pending)]:
            crew.workers.append(Worker.start(run, stage, device, prepare))
        crew.work()
    finally:
        crew.dismiss()
    return Outcome(len(pending) - crew.quarantined, len(items) - len(pending), crew.quarantined)


@dataclass(eq=False)
class Worker:
    """A worker as its parent sees it: ``items`` in hand, of which ``done`` are done, as far as it said; its pace."""

    device: Device
    process: SpawnProcess
    connection: "Connection[list[WorkItem], Message]"
    items: list[WorkItem] = field(default_factory=list)
    done: float = 0.0
    seconds_per_item: float = LIST_S
    _given: float = 0.0

    @classmethod
    def start(cls, run: RunPaths, stage: Stage, device: Device, prepare: Prepare) -> "Worker":
        """Start a worker; it prepares itself when it is given its first items."""
        spawn = get_context("spawn")
        ours, theirs = spawn.Pipe()
        arguments = (theirs, run, stage, device.selector, prepare)
        process = spawn.Process(target=_serve, args=arguments, name=f"{stage} on {device}", daemon=True)
        with _endings_postponed():
            process.start()
        # The pipe tells of the worker's end only if nobody else holds that end of it.
        theirs.close()
        return cls(device, process, ours)

    def give(self, items: list[WorkItem]) -> None:
        """Put ``items`` in the worker's hands."""
        self.items, self.done, self._given = items, 0.0, time.monotonic()
        # A worker that is gone is found out when its answer is read.
        with suppress(*GONE):
            self.connection.send(items)

    def rest(self) -> None:
        """Take note that all items in hand are done."""
        self.seconds_per_item = (time.monotonic() - self._given) / len(self.items)
        self.items, self.done = [], 0.0

    @property
    def under_way(self) -> int:
        """The index of the item that the worker is at."""
        return min(int(self.done), len(self.items) - 1)

    def answer(self) -> Message:
        """The next message of the worker, ``TemporaryError`` where it has died."""
        try:
            return self.connection.recv()
        except GONE:
            self.process.join(GRACE_S)
            code = self.process.exitcode or 0
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            at = f" at {self.items[self.under_way]['id']}" if self.items else ""
            return TemporaryError(f"{self.device}: its worker {how}{at}; {REMEDY}")


@dataclass
class Crew:
    """The workers of one stage, and what is still to be given out."""

    stage: Stage
    pending: Sequence[WorkItem]
    listener: Listener
    workers: list[Worker] = field(default_factory=list)
    finished: int = 0
    quarantined: int = 0

    def __post_init__(self) -> None:
        self._waiting = deque(self.pending)
        self._started = time.monotonic()
        self._losses: list[Exception] = []
        self._lost: list[Worker] = []

    def work(self) -> None:
        """Give out all items and wait until they are done."""
        while self.finished < len(self.pending):
            for worker in self.workers:
                if self._waiting and not worker.items:
                    worker.give(self._next_items(worker))
            answering = wait([worker.connection for worker in self.workers])
            for worker in [worker for worker in self.workers if worker.connection in answering]:
                self._hear(worker, worker.answer())

    def dismiss(self) -> None:
        """End all workers, also those in the middle of something, and lost ones that hang."""
        workers = [*self.workers, *self._lost]
        for worker in workers:
            worker.connection.close()
            if worker.items:
                worker.process.terminate()
        last_moment = time.monotonic() + GRACE_S
        for worker in workers:
            worker.process.join(max(last_moment - time.monotonic(), 0))
            worker.process.kill()
            worker.process.join(GRACE_S)  # one that hangs inside a driver may not even die

    def _next_items(self, worker: Worker) -> list[WorkItem]:
        """What a worker does in about ``LIST_S``, and less towards the end, so that all end at the same time."""
        count = min(int(LIST_S / worker.seconds_per_item), len(self._waiting) // (2 * len(self.workers)))
        return [self._waiting.popleft() for _ in range(max(count, 1))]

    def _hear(self, worker: Worker, message: Message) -> None:
        note = ""
        if message == worker.done:
            return
        if isinstance(message, float):
            worker.done = message
        elif isinstance(message, str):
            note = message
        elif isinstance(message, Outcome):
            self.finished += len(worker.items)
            self.quarantined += message.quarantined
            worker.rest()
        else:
            note = self._lose(worker, message)
        under_way = sum(worker.done for worker in self.workers)
        seconds = time.monotonic() - self._started
        self.listener(Progress(self.stage, self.finished, len(self.pending), seconds, note, under_way))

    def _lose(self, worker: Worker, error: Exception) -> str:
        """Leave a worker out, and return what to say of it. Raises ``error`` unless it is its device's alone."""
        if not isinstance(error, TemporaryError | UnavailableError):
            raise error
        self._losses.append(error)
        self._lost.append(worker)
        self.workers.remove(worker)
        # The one under way last of all: if it is what ends workers, it shall not keep others from being done.
        begun = worker.under_way + 1
        self._waiting.extend([*worker.items[begun:], *worker.items[:begun]])
        if not self.workers:
            raise next((loss for loss in self._losses if isinstance(loss, TemporaryError)), error)
        return f"going on without a device: {error}"


def _serve(
    connection: "Connection[Message, list[WorkItem]]", run: RunPaths, stage: Stage, device: str, prepare: Prepare
) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes, and the parent decides
    signal.signal(signal.SIGTERM, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
    finished = 0
    prepared: list[Do] = []

    def pulse(part: float) -> None:
        connection.send(finished + float(part))

    def listener(progress: Progress) -> None:
        nonlocal finished
        finished = progress.finished
        connection.send(float(finished))
        if finished and progress.note:
            connection.send(progress.note)

    def prepare_once(_: Pulse) -> Do:
        if not prepared:
            prepared.append(prepare(run, device, pulse))
        return prepared[0]

    with suppress(*GONE):
        while True:
            items = connection.recv()
            try:
                connection.send(process(run, stage, items, prepare_once, listener))
            except Exception as error:
                connection.send(_sendable(error))
                return


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit()


def _sendable(error: Exception) -> Exception:
    """``error`` with its traceback as a note, for ``--debug``; in plain words if it cannot be sent itself."""
    try:
        pickle.loads(pickle.dumps(error))
        sendable = error
    except Exception:
        sendable = RuntimeError(f"{type(error).__name__}: {error}")
    sendable.add_note(f"In the worker:\n{''.join(traceback.format_exception(error))}")
    return sendable


@contextmanager
def _endings_postponed() -> Iterator[None]:
    """Let no signal end this process for a moment, nor the processes that it starts until they allow it."""
    # Else the first process to be started would bring it along, and allow the signals too early.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
