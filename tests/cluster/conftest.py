"""A cluster for all tests here: a scheduler, and two workers with two boards each."""

import logging
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from ..boards import assert_no_tasks_left
from .processes import Child, boards, children, scheduler, worker

if TYPE_CHECKING:  # where Dask is not installed, each module of tests is skipped
    from pynq_async.cluster import ClusterFarm


@pytest.fixture(scope="session")
def dask_scheduler() -> Iterator[Child]:
    """A scheduler."""
    with children(scheduler()) as (child,):
        yield child


@pytest.fixture(scope="session")
def two_workers(dask_scheduler: Child) -> Iterator[list[Child]]:
    """One worker with the boards a and b, one with c and d; b and d have cameras, d is a ZCU104."""
    at = dask_scheduler.address

    with children(*boards("", "", "", "--model ZCU104 --family zynqmp")) as (a, b, c, d):
        first = worker(at, a=a.address, b=f"{b.address},camera")
        second = worker(at, c=c.address, d=f"{d.address},camera,big")

        with children(first, second) as workers:
            yield workers


@pytest.fixture
async def farm(dask_scheduler: Child, two_workers: list[Child]) -> AsyncIterator["ClusterFarm"]:
    """The farm of the two workers; all its boards are free in the end."""
    from pynq_async.cluster import ClusterFarm

    async with ClusterFarm(dask_scheduler.address) as farm:
        yield farm
        states = [board.state for one in (await farm.statistics()).values() for board in one.boards.values()]
        assert states == ["free"] * 4

    assert_no_tasks_left()


@pytest.fixture(scope="session")
def bare_scheduler() -> Iterator[Child]:
    """Another scheduler, to which a test starts workers of its own."""
    with children(scheduler()) as (child,):
        yield child


@pytest.fixture(autouse=True)
def _quick_and_quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look often at which workers there are; and Dask logs what it reports anyway."""
    monkeypatch.setattr("pynq_async.cluster.mapping._LOOK", 0.1)
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
