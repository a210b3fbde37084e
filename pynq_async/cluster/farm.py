"""`ClusterFarm`: the boards of all workers of a Dask cluster."""

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

from distributed import Client

from ..concurrency import to_the_end
from ..errors import ConnectError, InvalidArgument, NotOpen
from ..farm import FarmStatistics
from ..farm.host import Host
from ..farm.maps import Maps, Plan
from .mapping import ClusterMap
from .parcels import Ticket, packed
from .scheduler import Scheduler
from .tasks import statistics

T = TypeVar("T")
Item = TypeVar("Item")
Tool = TypeVar("Tool")


class ClusterFarm(Maps):
    """The boards beside the workers of a Dask cluster, to spread work over.

        async with ClusterFarm("tcp://scheduler:8786") as farm:
            async with farm.map(process, images) as results:
                async for result in results:
                    ...

    Dask decides where an item runs, and runs it again elsewhere when its worker is lost; the worker's own farm lends
    the board. So a function may be begun twice, but each item has one result.

    `map` is that of `BoardFarm`. What it is given, and what the function returns, is pickled (by cloudpickle): large
    things are best kept in files that the workers can read, and an item that cannot be sent, or whose result cannot,
    has an `InvalidArgument` as its error. `setup` is run again on a board whose worker had no items for a while. The
    results raise `ConnectionLost` when the scheduler is gone.

    Args:
        scheduler: where Dask's scheduler is, or an asynchronous `distributed.Client`, which stays open.
        timeout: seconds within which the scheduler must answer.
        patience: seconds that the work of `map` waits when no board is left before it fails.
    """

    def __init__(self, scheduler: "str | Client", *, timeout: float = 10.0, patience: float = 30.0) -> None:
        if not timeout > 0 or not patience > 0 or math.isinf(timeout):
            raise InvalidArgument("timeout and patience of a ClusterFarm are more than 0 seconds")

        if not isinstance(scheduler, str) and not getattr(scheduler, "asynchronous", False):
            raise InvalidArgument(
                "a ClusterFarm needs the address of a Dask scheduler, such as tcp://scheduler:8786, or an open "
                f"distributed.Client(..., asynchronous=True), not {scheduler!r}"
            )

        self._given = scheduler
        self._timeout = timeout
        self._patience = patience
        self._scheduler: Scheduler | None = None
        self._own: Client | None = None
        self._host = Host()
        self._maps: set[ClusterMap[Any, Any]] = set()
        self._opened = False

    def __repr__(self) -> str:
        return f"<ClusterFarm on {self._given if isinstance(self._given, str) else self._given.scheduler.address}>"

    async def __aenter__(self) -> "ClusterFarm":
        if self._opened:
            raise NotOpen("the farm", "it is opened once; make a new ClusterFarm to open it again")

        self._opened = True

        try:
            self._scheduler = Scheduler(await self._client(), self._timeout)
            await self._host.open()
        except BaseException:
            await self.aclose()
            raise

        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all maps and leave the cluster; a second time does nothing."""
        await to_the_end(self._close())

    async def statistics(self) -> Mapping[str, FarmStatistics]:
        """What the farm of each worker has done since it was opened, by the worker's address."""
        return await self._here.on_workers(statistics)

    def _spread(self, plan: Plan) -> ClusterMap[Any, Any]:
        scheduler = self._here
        work = packed((plan.fn, plan.setup), "the function of map(), or its setup,")
        ticket = Ticket(scheduler.new_name(), work, plan.want, plan.timeout, plan.attempts, plan.turn, plan.holder)
        return ClusterMap(scheduler, self._host, self._maps, ticket, plan, self._patience)

    @property
    def _here(self) -> Scheduler:
        if self._scheduler is None:
            raise NotOpen("the farm", "it is not open; use 'async with'")

        return self._scheduler

    async def _client(self) -> Client:
        if not isinstance(self._given, str):
            return self._given

        problem: Exception

        try:
            self._own = Client(self._given, asynchronous=True, timeout=self._timeout, set_as_default=False)

            async with asyncio.timeout(self._timeout + 1):
                await self._own
        except OSError as error:  # TimeoutError is one
            problem = error
        except ValueError as error:
            raise InvalidArgument(
                f"{self._given!r} is no address of a Dask scheduler, such as tcp://scheduler:8786: {error}"
            ) from error
        else:
            return self._own

        raise ConnectError(
            f"the Dask scheduler at {self._given}",
            f"no answer within {self._timeout:g} s; is it running there ('dask scheduler')? {problem}".rstrip(),
        ) from problem

    async def _close(self) -> None:
        for running in list(self._maps):
            running.fail(NotOpen("the farm", "it was closed while a map ran"))

        for running in list(self._maps):
            await running.end()

        await self._host.aclose()

        if self._own is not None:
            with suppress(OSError):
                await self._own.close()
