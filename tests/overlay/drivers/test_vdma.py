"""The driver of the AXI VDMA against its model."""

import asyncio
from typing import Any

import numpy as np
import pytest

from pynq_async.errors import (
    DeadlineExceeded,
    Misuse,
)
from pynq_async.overlay import VideoMode
from tests.boards import begun

from ..designs import design, ip
from .vdmas import BASE, COLOUR, GREY, PARAMETERS, Camera, model, vdma


@pytest.mark.parametrize("mode", [COLOUR, GREY])
async def test_frames_are_captured_whole_and_in_order(mode: VideoMode) -> None:
    async with vdma() as (sim, _, driver):
        channel = driver.readchannel
        channel.mode = mode
        Camera(sim, mode)

        async with channel:
            assert await channel.running()
            frames = [await channel.readframe() for _ in range(5)]

        assert not await channel.running()
        assert all(frame.shape == mode.shape and frame.dtype == np.uint8 for frame in frames)
        assert all((frame == frame.flat[0]).all() for frame in frames)
        numbers = [int(frame.flat[0]) for frame in frames]
        assert numbers == sorted(set(numbers))
        assert sim.counters.live_buffers == 0
        assert sim.counters.strays == 0


async def test_the_frame_that_is_read_is_not_the_one_that_is_written_however_long_reading_takes() -> None:
    async with vdma() as (sim, _, driver):
        channel = driver.readchannel
        channel.mode = COLOUR
        camera = Camera(sim, period=0.0005)
        sim.faults.delay("buffer.read", 0.02)

        async with channel:
            for _ in range(3):
                reads = sim.counters.calls["buffer.read"]
                task = asyncio.create_task(channel.readframe())
                await begun(sim, "buffer.read", reads + 1)
                before = camera.number
                frame = await task
                assert (frame == frame.flat[0]).all()
                assert camera.number > before + 1


async def test_a_frame_costs_few_calls() -> None:
    async with vdma() as (sim, _, driver):
        channel = driver.readchannel
        channel.mode = COLOUR
        Camera(sim, period=0.0001)

        async with channel:
            await channel.readframe()
            sim.counters.calls.clear()
            await channel.readframe()
            assert sim.counters.calls["mmio.write"] == 2
            assert sim.counters.calls["mmio.read"] <= 8


async def test_what_is_written_is_displayed_and_stays_on_display() -> None:
    async with vdma() as (sim, _, driver):
        channel = driver.writechannel
        channel.mode = COLOUR
        display = model(sim).mm2s.stream
        seen: list[bytes] = []
        display.on_offer(lambda: seen.append(display.take() or b""))
        frame = channel.newframe()
        assert frame.shape == (8, 16, 3) and not frame.any()

        async with channel:
            for value in range(1, 5):
                frame[...] = value
                await channel.writeframe(frame)
                frame[...] = 99

            async with asyncio.timeout(5):
                while not seen or seen[-1] != bytes([4]) * 384:
                    await asyncio.sleep(0.001)

        shown = [frame[0] for frame in seen]
        assert all(frame == bytes([frame[0]]) * 384 for frame in seen), "no frame changed while it was on display"
        assert shown == sorted(shown) and set(shown) == {0, 1, 2, 3, 4}
        assert sim.counters.live_buffers == 0


async def test_the_display_that_takes_nothing_is_an_error_in_time() -> None:
    async with vdma() as (_, _board, driver):
        channel = driver.writechannel
        channel.mode = COLOUR

        async with channel:
            await channel.writeframe(channel.newframe())

            with pytest.raises(DeadlineExceeded, match=r"writechannel: the last frame is not on display after 0.02 s"):
                await channel.writeframe(channel.newframe(), timeout=0.02)


async def test_what_is_displayed_can_be_captured() -> None:
    known = design(
        {"video/vdma": ip("xilinx.com:ip:axi_vdma:6.3", BASE, parameters=PARAMETERS)},
        streams={"video/vdma/M_AXIS_MM2S": "video/vdma/S_AXIS_S2MM"},
    )

    async with vdma(known) as (_, _board, driver):
        driver.readchannel.mode = driver.writechannel.mode = COLOUR
        picture = np.random.default_rng(1).integers(0, 256, COLOUR.shape, "u1")

        async with driver.readchannel as camera, driver.writechannel as display:
            await display.writeframe(picture)

            async with asyncio.timeout(5):
                while not np.array_equal(await camera.readframe(), picture):
                    pass


async def test_a_time_includes_waiting_for_another_task() -> None:
    async with vdma() as (_, _, driver):
        channel = driver.readchannel
        channel.mode = driver.writechannel.mode = COLOUR

        async with channel as camera, asyncio.TaskGroup() as group:
            waiting = group.create_task(camera.readframe(30))
            await asyncio.sleep(0)

            with pytest.raises(DeadlineExceeded, match=r"readchannel: another task still reads or writes a frame"):
                async with asyncio.timeout(5):
                    await camera.readframe(0.02)

            waiting.cancel()


@pytest.mark.parametrize("timeout", [None, "1"])
async def test_a_time_is_a_number(timeout: Any) -> None:
    async with vdma() as (_, _, driver):
        driver.readchannel.mode = driver.writechannel.mode = COLOUR

        async with driver.readchannel as camera, driver.writechannel as display:
            for attempt in (camera.readframe(timeout), display.writeframe(display.newframe(), timeout)):
                with pytest.raises(Misuse, match="a timeout is a number of seconds, not"):
                    await attempt
