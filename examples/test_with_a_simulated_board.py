"""Test what only a simulated board can do: look into it, and have it fail on request.

    pytest examples/test_with_a_simulated_board.py

The board lives in the test's own loop. With pytest-asyncio or anyio's plugin the tests are `async def`, and
`asyncio.run` goes. Tests that a real board could run too are shorter: see test_that_borrows_a_board.py.
"""

import asyncio

import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.errors import DeadlineExceeded, StaleHandle
from pynq_async.sim import SimBoard, serve


async def blink(board: RemoteDevice, times: int) -> None:
    """The code under test: switches an LED on and off."""
    leds = board.mmio(0x4125_0000, 0x1000)

    for _ in range(times):
        await leds.write(0x0, 1)
        await leds.write(0x0, 0)


def test_the_led_blinks() -> None:
    async def scenario() -> None:
        sim = SimBoard()
        seen: list[int] = []

        def note(address: int, word: int) -> int:
            seen.append(word)
            return word

        sim.on_write(0x4125_0000, note)

        async with serve(sim) as address, RemoteDevice(address) as board:
            await blink(board, 3)

        assert seen == [1, 0] * 3

    asyncio.run(scenario())


def test_a_board_that_hangs_is_noticed() -> None:
    async def scenario() -> None:
        sim = SimBoard()

        async with serve(sim) as address, RemoteDevice(address, timeouts=Timeouts(call=0.1)) as board:
            await blink(board, 1)
            sim.faults.delay("mmio.write", 60)

            with pytest.raises(DeadlineExceeded):
                await blink(board, 1)

    asyncio.run(scenario())


def test_a_buffer_does_not_survive_a_restart_of_the_server() -> None:
    async def scenario() -> None:
        sim = SimBoard()

        async with serve(sim) as address, RemoteDevice(address) as board:
            buffer = await board.allocate(1024, "u1")
            await sim.restart()

            with pytest.raises(StaleHandle):
                await buffer.sync_to_device()

    asyncio.run(scenario())
