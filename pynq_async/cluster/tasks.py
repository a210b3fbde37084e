"""The functions that a client has run on workers."""

from typing import Any

from distributed import Reschedule, Worker, get_worker

from ..farm import FarmStatistics
from ..farm.leases import Want
from .boards import NAME, WorkerBoards
from .parcels import Answer, Offer, Ticket


async def run_item(ticket: Ticket, key: str, item: bytes, spent: tuple[tuple[str, str], ...]) -> Answer:
    """Do an item of a map."""
    boards = _boards(get_worker())

    if boards is None:
        raise Reschedule  # they were taken from the worker, which offers none any more

    return await boards.serve(ticket, key, item, spent)


async def offer(want: Want, dask_worker: Worker) -> Offer | None:
    """Have a worker offer what meets `want`; None when it has no boards at all."""
    boards = _boards(dask_worker)
    return await boards.offer(want) if boards is not None else None


async def end_map(name: str, dask_worker: Worker) -> None:
    """End a map on a worker; returns when its boards are free."""
    if (boards := _boards(dask_worker)) is not None:
        await boards.end(name)


async def statistics(dask_worker: Worker) -> FarmStatistics | None:
    """What a worker's boards have done."""
    boards = _boards(dask_worker)
    return boards.statistics() if boards is not None else None


def _boards(worker: Any) -> WorkerBoards | None:
    boards = worker.plugins.get(NAME)
    return boards if isinstance(boards, WorkerBoards) and boards.is_open else None
