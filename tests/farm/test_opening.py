import asyncio

import pytest

from pynq_async import Address, BoardFarm, BoardSpec, Limits, Timeouts
from pynq_async.errors import ConnectError, FarmError, InvalidArgument, NotOpen
from pynq_async.farm.farm import Require
from pynq_async.sim import SimBoard

from .farms import DEAD, several, simulated_farm

NOBODY = BoardSpec("x", Address.parse(DEAD), timeouts=Timeouts(connect=0.3))


@pytest.mark.parametrize("require", ["any", 1, 2, 0])
async def test_a_farm_opens_what_answers_and_reports_what_does_not(require: Require) -> None:
    async with simulated_farm(*several(2)) as boards, _farm(boards, require) as farm:
        assert list(farm) == ["a", "b"]
        assert list(farm.absent) == ["x"] and isinstance(farm.absent["x"], ConnectError)
        assert list(await farm.run(_name)) == ["a", "b"]


def _farm(boards: dict[str, str], require: Require) -> BoardFarm:
    """Those boards and one that is not there."""
    there = [BoardSpec(name, Address.parse(address)) for name, address in boards.items()]
    return BoardFarm([*there, NOBODY], require=require)


async def _name(board: object) -> str:
    return repr(board)


@pytest.mark.parametrize("require", ["all", 2])
async def test_too_few_boards_are_an_error_and_nothing_stays_open(require: Require) -> None:
    async with simulated_farm(SimBoard()) as boards:
        farm = _farm(boards, require)

        with pytest.raises(FarmError, match="1 of 2 boards failed:\n  x: no connection"):
            await farm


@pytest.mark.parametrize("require", ["some", 3, -1, True, 1.5, None])
def test_a_requirement_that_cannot_be_met_is_refused(require: Require) -> None:
    with pytest.raises(InvalidArgument, match="require= is 'all', 'any' or a number up to 2"):
        BoardFarm(["10.0.0.1", "10.0.0.2"], require=require)


async def test_boards_of_specs_have_their_own_options() -> None:
    async with simulated_farm(*several(2)) as boards:
        left = BoardSpec("left", Address.parse(boards["a"]), limits=Limits(calls=3))
        right = BoardSpec("right", Address.parse(boards["b"]), tags=frozenset({"camera"}))

        async with BoardFarm([left, right], limits=Limits(calls=5)) as farm:
            assert farm["left"].limits.calls == 3 and farm["right"].limits.calls == 5

    with pytest.raises(InvalidArgument, match="two boards called left"):
        BoardFarm([left, left])


async def test_one_spec_is_a_farm_of_one_board() -> None:
    async with simulated_farm(SimBoard()) as boards, BoardFarm(BoardSpec("a", Address.parse(boards["a"]))) as farm:
        assert list(farm) == ["a"] and not farm.absent


async def test_opening_that_is_cancelled_at_any_time_leaves_nothing_open() -> None:
    sims = several(2)

    async with simulated_farm(*sims) as boards:
        for turns in range(0, 60, 2):
            farm = BoardFarm(boards)
            task = asyncio.create_task(_opened(farm))

            for _ in range(turns):
                await asyncio.sleep(0)

            task.cancel()
            await asyncio.wait({task})
            await farm.aclose()
            assert not {task for task in asyncio.all_tasks() if task.get_name().startswith("farm")}


async def _opened(farm: BoardFarm) -> None:
    await farm


async def test_closing_that_is_cancelled_closes_all_the_same() -> None:
    async with simulated_farm(*several(2)) as boards:
        farm = await BoardFarm(boards)
        task = asyncio.create_task(farm.aclose())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})

        for board in farm.values():
            with pytest.raises(NotOpen):
                await board.exists_file("/")
