"""What is given to a map or a lease and is not as it should be is refused, or ends that map; the farm goes on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import FarmError, InvalidArgument, Misuse
from pynq_async.sim import SimBoard

from .farms import several
from .maps import farm_of, twice


class RaisesAtOnce:
    """Items that cannot even be begun."""

    def __iter__(self) -> Iterator[int]:
        raise OSError("no files today")


class NoIterator:
    """Says that it has items, and has none."""

    def __aiter__(self) -> Any:
        return 5


@pytest.mark.parametrize(("items", "error"), [(RaisesAtOnce(), OSError), (NoIterator(), TypeError)])
async def test_items_that_cannot_be_begun_are_an_error_of_their_map_alone(items: Any, error: type[Exception]) -> None:
    async with farm_of(SimBoard()) as farm, asyncio.timeout(20):
        async with farm.map(twice, items) as results:
            with pytest.raises(error):
                await anext(results)

        async with farm.map(twice, [1]) as more:
            assert (await anext(more)).value == 2


async def test_items_that_are_cancelled_from_inside_do_not_end_as_if_there_were_no_more() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError

    async with farm_of(SimBoard()) as farm, farm.map(twice, items()) as results, asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="cancelled from inside"):
            while True:
                await anext(results)


async def test_a_setup_that_is_cancelled_from_inside_has_failed() -> None:
    async def setup(board: RemoteDevice) -> RemoteDevice:
        raise asyncio.CancelledError

    async with farm_of(SimBoard()) as farm, farm.map(twice, [1], setup=setup) as results, asyncio.timeout(20):
        with pytest.raises(FarmError, match="setup was cancelled from inside"):
            await anext(results)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": "2"},
        {"ahead": 1.5},
        {"timeout": -1},
        {"timeout": "soon"},
        {"turn": float("nan")},
        {"to": 5},
        {"tags": 5},
        {"priority": "high"},
        {"priority": 0.5},
    ],
)
async def test_options_of_a_map_that_cannot_be_right_are_refused_and_the_farm_goes_on(wrong: dict[str, Any]) -> None:
    async with farm_of(SimBoard()) as farm, asyncio.timeout(20):
        with pytest.raises(InvalidArgument):
            async with farm.map(twice, [1], **wrong):
                pass

        async with farm.map(twice, [1]) as results:
            assert (await anext(results)).value == 2


@pytest.mark.parametrize(
    "wrong", [{"count": "2"}, {"count": 1.5}, {"count": 0}, {"tags": 5}, {"priority": "high"}, {"timeout": "soon"}]
)
async def test_a_lease_that_cannot_be_right_is_refused_and_the_farm_goes_on(wrong: dict[str, Any]) -> None:
    async with farm_of(*several(2)) as farm:
        with pytest.raises((InvalidArgument, Misuse)):
            async with farm.lease(**wrong):
                pass

        async with farm.lease(count=2, timeout=5):
            pass
