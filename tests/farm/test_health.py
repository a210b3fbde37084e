import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pynq_async import Address, BoardFarm, BoardSpec, Health, RemoteDevice, Timeouts
from pynq_async.errors import ConnectionLost, DeadlineExceeded, FarmError, InvalidArgument
from pynq_async.farm import BoardJoined, BoardLeased, BoardLost, Events
from pynq_async.farm.health import board_failure
from pynq_async.sim import SimBoard

from ..boards import begun
from .farms import DEAD, several, simulated_farm

CALL = Timeouts(call=0.5, grace=0.02)
ASK = "remote_device.existsfile"
SOON = Health(interval=0.05, timeout=0.4)
NOBODY = BoardSpec("x", Address.parse(DEAD), timeouts=Timeouts(connect=0.3))


async def _until(
    events: Events, kind: type[BoardLost] | type[BoardJoined], board: str = "a"
) -> BoardLost | BoardJoined:
    async with asyncio.timeout(30):
        async for event in events:
            if isinstance(event, kind) and event.board == board:
                return event

    raise AssertionError


@pytest.fixture
async def pair() -> AsyncIterator[tuple[SimBoard, BoardFarm]]:
    """A farm of the boards a, which is given, and b."""
    sims = several(2)

    async with simulated_farm(*sims) as boards, BoardFarm(boards, health=SOON, timeouts=CALL) as farm:
        yield sims[0], farm


@pytest.mark.parametrize("trouble", ["freeze", "stop"])
async def test_a_board_that_does_not_answer_is_set_aside_and_taken_back(
    pair: tuple[SimBoard, BoardFarm], trouble: str
) -> None:
    sim, farm = pair

    async with farm.events() as events:
        await (sim.freeze() if trouble == "freeze" else sim.stop())
        lost = await _until(events, BoardLost)
        assert isinstance(lost, BoardLost) and list(farm.absent) == ["a"] and list(farm) == ["a", "b"]

        async with farm.lease() as board:
            assert board.name == "b"

        await (sim.thaw() if trouble == "freeze" else sim.start())
        joined = await _until(events, BoardJoined)
        assert isinstance(joined, BoardJoined) and joined.again and not farm.absent

        async with farm.lease(count=2, timeout=20):
            pass


async def test_run_does_not_wait_for_a_board_that_is_known_not_to_answer(pair: tuple[SimBoard, BoardFarm]) -> None:
    sim, farm = pair
    asked: list[str] = []

    async def ask(board: RemoteDevice) -> None:
        asked.append(board.name)
        await board.exists_file("/")

    async with farm.events() as events:
        await sim.freeze()
        await _until(events, BoardLost)

    with pytest.raises(FarmError, match="1 of 2 boards failed:\n  a: "):
        await farm.run(ask)

    assert asked == ["b"]
    outcome = await farm.run(ask, to="a", check=False)  # named: tried
    assert asked == ["b", "a"] and "a" in outcome.failures
    await sim.thaw()


async def test_one_failure_now_and_then_means_nothing() -> None:
    sim = SimBoard()
    health = Health(interval=0.05, timeout=10)

    async with simulated_farm(sim) as boards, BoardFarm(boards, health=health) as farm, farm.events() as events:
        for _ in range(3):
            sim.faults.fail(ASK, times=2)  # the call and its repetition
            await begun(sim, ASK, sim.counters.calls[ASK] + 4)

        async with farm.lease(name="a", timeout=20):
            pass

        assert type(await anext(events)) is BoardLeased and not farm.absent


async def test_a_board_that_was_absent_at_the_beginning_joins_later() -> None:
    sims = several(2)

    async with simulated_farm(*sims) as boards:
        await sims[1].stop()
        late = BoardSpec("b", Address.parse(boards["b"]), timeouts=Timeouts(connect=0.5))
        here = BoardSpec("a", Address.parse(boards["a"]))

        async with BoardFarm([here, late, NOBODY], require="any", health=SOON) as farm:
            assert list(farm) == ["a"] and list(farm.absent) == ["b", "x"]

            async with farm.events() as events, farm.map(_name, range(1000)) as results:
                await sims[1].start()
                joined = await _until(events, BoardJoined, "b")
                assert isinstance(joined, BoardJoined) and not joined.again
                assert "b" in {result.value async for result in results}

            assert list(farm) == ["a", "b"] and list(farm.absent) == ["x"]


async def _name(board: RemoteDevice, item: int) -> str:
    await asyncio.sleep(0)
    return board.name


async def test_a_late_board_that_is_one_of_the_others_stays_outside() -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards:
        farm = BoardFarm([BoardSpec("a", Address.parse(boards["a"])), NOBODY], require="any", health=SOON)

        async with farm:
            farm._devices["x"].address = farm["a"].address

            async with asyncio.timeout(30):
                while "same board" not in str(farm.absent["x"]):
                    await asyncio.sleep(0.01)

            assert list(farm) == ["a"]


async def test_asking_goes_on_through_faults_and_leaves_the_board_usable() -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards, BoardFarm(boards, health=SOON, timeouts=CALL) as farm:
        async with farm.events() as events:
            sim.faults.latency = 1.0
            await _until(events, BoardLost)
            sim.faults.clear()
            await _until(events, BoardJoined)

        assert await farm["a"].exists_file("/")


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ConnectionLost("a", "is gone"), True),
        (DeadlineExceeded("a", "no answer"), True),
        (ExceptionGroup("two", [KeyError(), ExceptionGroup("one", [ConnectionLost("a", "is gone")])]), True),
        (ConnectionLost("b", "is gone"), False),
        (TimeoutError(), False),
        (ConnectionError(), False),
    ],
)
def test_which_errors_are_the_boards(error: Exception, found: bool) -> None:
    assert (board_failure(error, "a") is not None) == found


@pytest.mark.parametrize("name", ["interval", "timeout", "patience"])
@pytest.mark.parametrize("wrong", [0, -1, float("nan"), "soon", None])
def test_health_refuses_times_that_are_none(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match=name):
        Health(**{name: wrong})
