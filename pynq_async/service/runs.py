"""Runs of jobs: each waits for a board, has it alone, and leaves it clean, however it ends."""

import asyncio
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from typing import Any, Literal, TypeAlias

from ..board.device import RemoteDevice
from ..concurrency import first_leaf
from ..farm import BoardFarm
from ..farm.health import board_failure
from ..farm.host import Host
from .feed import Feed
from .jobs import Job
from .options import ServiceOptions
from .payloads import Result
from .problems import Refusal
from .tokens import Token

LOGGER = logging.getLogger("pynq_async.service.jobs")
State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
_LONGEST_ERROR = 1000


class Run:
    """One run of a job.

    Attributes:
        id: names it in requests.
        job: the job's name.
        owner: the name of the token that began it.
        state: where it is; it has ended when this is `done`, `failed` or `cancelled`.
        board: the board that it has, or had last.
        attempts: on how many boards it was tried.
        created: when it was asked for, in seconds since 1970; and so `began` and `ended`, None until then.
        error: what went wrong, in a sentence.
        result: what the job returned.
        held: bytes of its input, or of its result when it has ended.
        over: set when it has ended.
    """

    def __init__(self, job: Job, owner: str, held: int) -> None:
        self.id = secrets.token_urlsafe(12)
        self.job = job.name
        self.owner = owner
        self.state: State = "queued"
        self.board: str | None = None
        self.attempts = 0
        self.created = time.time()
        self.began: float | None = None
        self.ended: float | None = None
        self.error: str | None = None
        self.result: Result | None = None
        self.held = held
        self.over = asyncio.Event()

    def told(self) -> dict[str, Any]:
        """What is told of it."""
        names = ("id", "job", "owner", "state", "board", "attempts", "created", "began", "ended", "error")
        return {name: getattr(self, name) for name in names}


class Runs:
    """The runs of a service: those that wait or are under way, and the last that have ended."""

    def __init__(self, farm: BoardFarm, host: Host, feed: Feed, options: ServiceOptions) -> None:
        self._farm = farm
        self._host = host
        self._feed = feed
        self._options = options
        self._runs: dict[str, Run] = {}  # in the order in which they were asked for
        self._tasks: dict[str, asyncio.Task[None]] = {}  # of those that have not ended
        self._coming: list[int] = []  # bytes of inputs that are on their way

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs.values())

    @contextmanager
    def room(self, nbytes: int) -> Iterator[None]:
        """Keep a place for a run while its input comes, of at most so many bytes; raises `Refusal`."""
        options, later = self._options, {"Retry-After": "5"}

        if nbytes > options.run_bytes:
            raise Refusal(413, "too-large", f"a run takes at most {options.run_bytes} bytes, not {nbytes}")

        if len(self._tasks) + len(self._coming) >= options.runs:
            raise Refusal(503, "too-many-runs", f"{options.runs} runs wait or are under way already", later)

        self._make_room(nbytes)

        if self._held + nbytes > options.kept_bytes:
            raise Refusal(503, "no-room", "the runs under way have taken all memory that there is for them", later)

        self._coming.append(nbytes)

        try:
            yield
        finally:
            self._coming.remove(nbytes)

    def begin(self, job: Job, caller: Token, arguments: Mapping[str, Any], board: str | None, held: int) -> Run:
        """Have a job done, with arguments that were checked and are `held` bytes long."""
        run = Run(job, caller.name, held)
        task = self._host.start(self._carry_out(run, job, arguments, board), f"run of {job.name}")
        task.add_done_callback(lambda _: self._end(run))
        self._runs[run.id], self._tasks[run.id] = run, task
        self._tell(run)
        return run

    def find(self, identifier: str) -> Run:
        """A run by its id; raises `Refusal`."""
        if (run := self._runs.get(identifier)) is None:
            raise Refusal(404, "no-such-run", f"there is no run {identifier!r}; of those that ended only some are kept")

        return run

    def of(self, identifier: str, caller: Token) -> Run:
        """A run of the caller's, or anybody's for an admin; raises `Refusal`."""
        run = self.find(identifier)

        if run.owner != caller.name and not caller.allows("admin"):
            raise Refusal(403, "not-your-run", f"the run is {run.owner}'s")

        return run

    async def cancel(self, run: Run) -> None:
        """Cancel a run and wait until its board is free; forget one that has ended."""
        if (task := self._tasks.get(run.id)) is not None:
            task.cancel()
            await asyncio.wait({task})
        else:
            self._runs.pop(run.id, None)

    def drain(self) -> None:
        """Cancel those that wait."""
        for run in self._runs.values():
            if run.state == "queued":
                self._tasks[run.id].cancel()

    async def last(self, seconds: float) -> None:
        """Wait for those under way, for so many seconds at most."""
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()), timeout=seconds)

    @property
    def _held(self) -> int:
        return sum(self._coming) + sum(run.held for run in self._runs.values())

    async def _carry_out(self, run: Run, job: Job, arguments: Mapping[str, Any], board: str | None) -> None:
        try:
            run.result = await self._tried(run, job, arguments, board)
            run.state = "done"
        except asyncio.CancelledError:
            task = asyncio.current_task()

            if task is None or task.cancelling():
                raise

            run.state, run.error = "failed", "the function was cancelled from inside"
        except Exception as error:
            run.state, run.error = "failed", _sentence(error)
            LOGGER.error("run %s of the job %s for %s failed", run.id, job.name, run.owner, exc_info=error)

    def _end(self, run: Run) -> None:
        """Called when the task of a run has ended, also when it was cancelled before it began."""
        if run.state in ("queued", "running"):
            run.state = "cancelled"

        run.ended = time.time()
        run.held = run.result.nbytes if run.result is not None else 0
        del self._tasks[run.id]
        run.over.set()
        self._tell(run)
        self._make_room(0)

    async def _tried(self, run: Run, job: Job, arguments: Mapping[str, Any], board: str | None) -> Result:
        while True:
            try:
                async with self._farm.lease(
                    name=board,
                    model=job.model,
                    family=job.family,
                    tags=job.tags,
                    priority=job.priority,
                    timeout=job.wait,
                    holder=run.owner,
                ) as device:
                    run.state, run.board, run.attempts = "running", device.name, run.attempts + 1
                    run.began = run.began or time.time()
                    self._tell(run)
                    return await self._done_on(device, job, arguments)
            except Exception as error:
                # The farm knows by now that the board has failed, and gives it to nobody until it answers.
                failure = board_failure(error, run.board) if run.board is not None else None

                if failure is None or run.state == "queued" or run.attempts >= job.attempts:
                    raise

                LOGGER.warning("run %s of the job %s is tried again: %s", run.id, job.name, failure)
                run.state = "queued"
                self._tell(run)

    async def _done_on(self, board: RemoteDevice, job: Job, arguments: Mapping[str, Any]) -> Result:
        limit = asyncio.timeout(job.timeout)

        try:
            async with limit, AsyncExitStack() as stack:
                tool: Any = board

                if job.setup is not None:
                    tool = job.setup(board)
                    entered = isinstance(tool, AbstractAsyncContextManager)
                    tool = await (stack.enter_async_context(tool) if entered else tool)

                result = Result.of(await job.fn(tool, **arguments))
        except TimeoutError:
            if not limit.expired():
                raise

            raise TimeoutError(f"{board.name}: the job did not end within {job.timeout:g} s") from None

        if result.nbytes > self._options.run_bytes:
            raise ValueError(f"the result has {result.nbytes} bytes; {self._options.run_bytes} are the most")

        return result

    def _make_room(self, nbytes: int) -> None:
        """Forget those that ended first until there is room."""
        ended = sorted((run for run in self._runs.values() if run.ended is not None), key=lambda run: run.ended or 0.0)

        while ended and (len(ended) > self._options.kept_runs or self._held + nbytes > self._options.kept_bytes):
            del self._runs[ended.pop(0).id]

    def _tell(self, run: Run) -> None:
        self._feed.publish("run", run.told() | {"time": time.time()})


def _sentence(error: BaseException) -> str:
    """What a client is told of an error: its type and its first words, never where it was raised."""
    leaf = first_leaf(error)
    return f"{type(leaf).__name__}: {leaf}"[:_LONGEST_ERROR]
