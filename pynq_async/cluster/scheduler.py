"""What is asked of Dask's scheduler, in our terms; its failures become errors of ours."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any

from distributed import Client, Future

from ..errors import ConnectionLost


class Scheduler:
    """A scheduler, by way of a client.

    Args:
        client: asynchronous and open.
        timeout: seconds that an answer may take.
    """

    def __init__(self, client: Client, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self._address: str = client.scheduler.address

    def new_name(self) -> str:
        """A name that no other map has."""
        return f"pynq-{uuid.uuid4().hex[:12]}"

    def submit(
        self, fn: Callable[..., Any], *args: Any, key: str, workers: Collection[str] | None, **how: Any
    ) -> Future:
        """Have Dask run a function on a worker that it chooses, among `workers` if there are any."""
        if not self._is_open:
            raise self.gone()

        return self._client.submit(
            fn, *args, key=key, pure=False, workers=None if workers is None else sorted(workers), **how
        )

    async def cancel(self, future: Future) -> None:
        """Have Dask forget a task."""
        await self._asked(lambda: self._client.cancel([future]))

    async def resources(self) -> dict[str, dict[str, float]]:
        """What each worker offers, by its address."""
        found = await self._asked(lambda: self._client.scheduler.identity())
        return {address: worker["resources"] for address, worker in found["workers"].items()}

    async def on_workers(
        self, fn: Callable[..., Any], *args: Any, workers: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Call an async function on all workers, or some; returns what those with boards returned."""
        chosen = None if workers is None else sorted(workers)
        found = await self._asked(lambda: self._client.run(fn, *args, workers=chosen, on_error="ignore"))
        return {worker: value for worker, value in found.items() if value is not None}

    def gone(self) -> ConnectionLost:
        """The error for a scheduler that is lost."""
        return ConnectionLost(
            f"the Dask scheduler at {self._address}",
            "it is gone or does not answer, and so are the items that have no result yet; map those again",
        )

    @property
    def _is_open(self) -> bool:
        """A client that was given may be closed while it is used."""
        return bool(self._client.status == "running")

    async def _asked(self, question: Callable[[], Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                return await question()
        except Exception as error:
            if isinstance(error, OSError) or not self._is_open:  # TimeoutError is one
                raise self.gone() from error

            raise
