"""What stands behind the routes of a service, and how long it lives."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from fastapi import Request

from ..errors import NotSupported, PynqError
from ..farm import BoardFarm
from ..farm.host import Host
from .bitstreams import BitstreamStore
from .designs import Designs
from .feed import Feed
from .jobs import Jobs
from .leases import ServiceLeases
from .options import ServiceOptions
from .problems import stopping
from .runs import Runs
from .storage import Storage
from .tokens import Tokens
from .told import told


class FarmService:
    """A farm and what its clients have in it, while the service runs.

    Attributes:
        farm: the boards; opened and closed with the service.
        jobs: the functions that clients may run.
        leases: who has which board.
        bitstreams: what they have uploaded, in `storage`.
        designs: what they have programmed.
        runs: what became of jobs.
        feed: what happens, for those who watch.
        temperatures: of each board's die in degrees Celsius, as last seen; None where a board has no sensor.
    """

    def __init__(self, farm: BoardFarm, tokens: Tokens, options: ServiceOptions, jobs: Jobs) -> None:
        self.farm = farm
        self.tokens = tokens
        self.options = options
        self.jobs = jobs
        self.feed = Feed(options.watchers)
        self.temperatures: dict[str, float | None] = {}
        self.stopping = False
        self._host = Host()
        self.leases = ServiceLeases(farm, self._host, options)
        self.storage = Storage(options.stored_bytes)
        self.bitstreams = BitstreamStore(self.storage)
        self.designs = Designs(self._host)
        self.runs = Runs(farm, self._host, self.feed, options)
        self._drained_at = 0.0

    async def __aenter__(self) -> "FarmService":
        await self.farm.__aenter__()

        try:
            await self.storage.open()
            await self._host.open()
            self._host.start(self._tell_events(), "events")
            self._host.start(self._take_samples(), "samples")
        except BaseException:
            try:
                await self._host.aclose()
            finally:
                await self._close()

            raise

        return self

    async def __aexit__(self, *exc: object) -> None:
        self.drain()

        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            stack.push_async_callback(self._host.aclose)
            await self.runs.last(self._drained_at + self.options.drain - time.monotonic())

    async def _close(self) -> None:
        try:
            await self.storage.aclose()
        finally:
            await self.farm.aclose()

    def drain(self) -> None:
        """Begin nothing new: watchers are let go, requests and runs under way go on."""
        if not self.stopping:
            self._drained_at = time.monotonic()

        self.stopping = True
        self.runs.drain()
        self.leases.end_all()
        self.feed.close()

    def check_running(self) -> None:
        """Raise for what is not begun any more once the service stops."""
        if self.stopping:
            raise stopping()

    async def _tell_events(self) -> None:
        async with self.farm.events() as events:
            async for event in events:
                self.feed.publish(*told(event))

    async def _take_samples(self) -> None:
        while True:
            await self.feed.somebody()

            async with asyncio.TaskGroup() as group:
                for name in self.farm:
                    if name not in self.farm.absent:
                        group.create_task(self._take_sample(name))

            self.feed.publish("samples", self._samples())
            await asyncio.sleep(self.options.sampling)

    async def _take_sample(self, name: str) -> None:
        try:
            self.temperatures[name] = await self.farm[name].sensors.temperature()
        except NotSupported:
            self.temperatures[name] = None
        except PynqError:
            self.temperatures.pop(name, None)

    def _samples(self) -> Mapping[str, Any]:
        return {
            "time": time.time(),
            "boards": {
                name: {"temperature": self.temperatures.get(name), "sent": board.sent, "received": board.received}
                for name, board in self.farm.statistics().boards.items()
            },
        }


async def service_of(request: Request) -> FarmService:
    """The service that a request is for; a coroutine, since FastAPI runs functions in threads."""
    service = request.app.state.service
    assert isinstance(service, FarmService)
    return service
