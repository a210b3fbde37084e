"""What can go wrong with an AXI VDMA: wrong frames, wrong use, lost calls, and what is left afterwards."""

import asyncio

import numpy as np
import pytest

from pynq_async import Overlay
from pynq_async.errors import (
    BoardError,
    DeadlineExceeded,
    DesignReplaced,
    HardwareError,
    InvalidArgument,
    Misaligned,
    Misuse,
    NotInDesign,
    NotSupported,
    OutOfRange,
    StaleHandle,
)
from pynq_async.hardware import axi_vdma as regs
from pynq_async.overlay import VideoMode
from tests.boards import begun, settled, simulated

from ..designs import firmware
from .vdmas import COLOUR, DESIGN, GREY, Camera, model, vdma, vdma_design


async def test_no_frame_in_time_is_an_error() -> None:
    async with vdma() as (_, _board, driver):
        driver.readchannel.mode = COLOUR

        async with driver.readchannel as channel:
            with pytest.raises(DeadlineExceeded, match=r"video/vdma.readchannel: no frame came within 0.02 s"):
                await channel.readframe(timeout=0.02)


@pytest.mark.parametrize(
    ("size", "words"), [(100, r"fewer lines than the mode \(SOFEarlyErr\)"), (500, "more lines than the mode")]
)
async def test_frames_of_another_size_are_an_error_that_says_so(size: int, words: str) -> None:
    async with vdma() as (sim, _, driver):
        driver.readchannel.mode = COLOUR
        camera = Camera(sim)
        camera.size = size

        async with driver.readchannel as channel:
            with pytest.raises(HardwareError, match=f"only frames with .*{words}"):
                await channel.readframe(timeout=0.2)

            camera.size = 384
            assert (await channel.readframe()).shape == (8, 16, 3)


async def test_a_frame_with_an_error_is_skipped() -> None:
    async with vdma() as (sim, _, driver):
        driver.readchannel.mode = COLOUR
        camera = Camera(sim)

        async with driver.readchannel as channel:
            for bits in (regs.EOL_EARLY, regs.EOL_LATE | regs.SOF_EARLY):
                await channel.readframe()
                model(sim).s2mm.trouble = bits
                wrong = camera.number + 1
                frame = await channel.readframe()
                assert (frame == frame.flat[0]).all()
                assert frame.flat[0] != wrong % 256


async def test_a_channel_that_halts_is_an_error_and_can_be_started_again() -> None:
    async with vdma() as (sim, _, driver):
        driver.readchannel.mode = COLOUR
        Camera(sim)
        channel = driver.readchannel
        await channel.start()
        await channel.readframe()
        model(sim).s2mm.trouble = regs.DECODE_ERROR

        with pytest.raises(HardwareError, match=r"has halted: it was given an address without memory \(VDMADecErr\)"):
            await channel.readframe()

        assert not await channel.running()
        await channel.stop()

        async with channel:
            assert (await channel.readframe()).shape == (8, 16, 3)


async def test_what_cannot_be_is_refused_before_anything_is_sent() -> None:
    async with vdma() as (sim, _, driver):
        camera, display = driver.readchannel, driver.writechannel
        calls = sim.counters.calls.total()

        for mode, error, words in (
            (VideoMode(22_000, 8, 24), OutOfRange, "at most 65535 bytes in a line, not 66000"),
            (VideoMode(16, 8192, 24), OutOfRange, "at most 8191 lines, not 8192"),
            (VideoMode(16, 8, 8, stride=1 << 16), OutOfRange, "bytes from line to line"),
            (VideoMode(15, 8, 8), Misaligned, "the stride must be a multiple of 8 bytes in this design, not 15"),
            ((16, 8, 24), Misuse, "is no VideoMode"),
        ):
            with pytest.raises(error, match=words):
                camera.mode = mode  # type: ignore[assignment]

        with pytest.raises(Misuse, match=r"readchannel has no mode"):
            await camera.start()

        camera.mode = display.mode = COLOUR

        with pytest.raises(Misuse, match=r"readchannel is not started"):
            await camera.readframe()

        with pytest.raises(Misuse, match=r"writechannel is not started"):
            await display.writeframe(display.newframe())

        await display.stop()
        assert sim.counters.calls.total() == calls

        async with display:
            calls = sim.counters.calls.total()

            for frame in (np.zeros((8, 16), "u1"), np.zeros((16, 8, 3), "u1"), np.zeros((8, 16, 3)), [1, 2]):
                with pytest.raises(Misuse, match=r"shows frames of shape \(8, 16, 3\) and uint8"):
                    await display.writeframe(frame)

            with pytest.raises(Misuse, match="stop the channel before giving it another mode"):
                display.mode = GREY

            await display.start()
            assert sim.counters.calls.total() == calls


def test_modes_that_cannot_be() -> None:
    for options in ((0, 1, 8), (1, 0, 8), (1, 1, 0)):
        with pytest.raises(InvalidArgument, match="at least 1"):
            VideoMode(*options)

    with pytest.raises(InvalidArgument, match="more than the stride"):
        VideoMode(16, 8, 24, stride=47)

    assert VideoMode(4, 3, 10).shape == (3, 4, 2)
    assert VideoMode(4, 3, 24).stride == 12


async def test_designs_that_cannot_do_it_say_so() -> None:
    async with vdma(vdma_design(C_INCLUDE_S2MM=0)) as (_, _board, driver):
        with pytest.raises(NotInDesign, match="video/vdma has no readchannel: the design leaves S2MM out"):
            _ = driver.readchannel

    async with vdma(vdma_design(C_NUM_FSTORES=1, C_M_AXI_MM2S_ADDR_WIDTH=40)) as (sim, _, driver):
        driver.readchannel.mode = driver.writechannel.mode = COLOUR
        calls = sim.counters.calls.total()

        with pytest.raises(NotSupported, match="two frame stores, and this design has one"):
            await driver.readchannel.start()

    async with vdma(vdma_design(C_M_AXI_MM2S_ADDR_WIDTH=40)) as (sim, _, driver):
        driver.writechannel.mode = COLOUR
        calls = sim.counters.calls.total()

        with pytest.raises(NotSupported, match="addresses of 40 bits are not supported"):
            await driver.writechannel.start()

        assert sim.counters.calls.total() == calls


async def test_closing_the_board_stops_the_hardware_before_its_memory_is_freed() -> None:
    async with simulated(designs=[DESIGN]) as (sim, board):
        driver = (await Overlay.load(board, firmware(), design=DESIGN)).video.vdma
        driver.readchannel.mode = COLOUR
        Camera(sim)
        await driver.readchannel.start()
        await driver.readchannel.readframe()
        await board.aclose()
        assert not model(sim).s2mm.running
        assert sim.counters.live_buffers == 0
        await asyncio.sleep(0.003)
        assert sim.counters.strays == 0


async def test_a_channel_of_a_design_that_was_replaced_gives_its_memory_back() -> None:
    async with vdma() as (sim, board, driver):
        driver.readchannel.mode = COLOUR
        await driver.readchannel.start()
        await Overlay.load(board, firmware(1), design=DESIGN)

        with pytest.raises(DesignReplaced):
            await driver.readchannel.readframe()

        await driver.readchannel.stop()
        assert sim.counters.live_buffers == 0


async def test_after_a_restart_of_the_server_the_old_memory_is_not_used_any_more() -> None:
    async with vdma() as (sim, _, driver):
        driver.readchannel.mode = COLOUR
        Camera(sim)
        channel = driver.readchannel
        await channel.start()
        await channel.readframe()
        await sim.restart()

        with pytest.raises(StaleHandle):
            await channel.readframe()

        await channel.stop()
        assert not model(sim).s2mm.running

        async with channel:
            await channel.readframe()


@pytest.mark.parametrize("reads", [1, 2, 3])
async def test_a_cancelled_read_leaves_a_channel_that_works(reads: int) -> None:
    async with vdma() as (sim, _, driver):
        driver.readchannel.mode = COLOUR
        camera = Camera(sim, period=0.004)

        async with driver.readchannel as channel:
            await channel.readframe()
            seen = sim.counters.calls["mmio.read"]
            task = asyncio.create_task(channel.readframe())
            await begun(sim, "mmio.read", seen + reads)
            task.cancel()

            with pytest.raises(asyncio.CancelledError):
                await task

            begun_with = camera.number
            frame = await channel.readframe()
            assert (frame == frame.flat[0]).all()
            assert frame.flat[0] >= begun_with

        assert sim.counters.live_buffers == 0


@pytest.mark.parametrize("writes", [1, 4, 8])
async def test_a_cancelled_start_leaves_nothing(writes: int) -> None:
    async with vdma() as (sim, _, driver):
        channel = driver.writechannel
        channel.mode = COLOUR
        sim.faults.delay("mmio.write", 0.002)
        task = asyncio.create_task(channel.start())
        await begun(sim, "mmio.write", writes)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task

        assert not model(sim).mm2s.running
        assert sim.counters.live_buffers == 0
        sim.faults.clear()

        async with channel:
            await channel.writeframe(channel.newframe())


@pytest.mark.parametrize(
    ("method", "after"),
    [
        ("mmio.write", False),
        ("mmio.write", True),
        ("mmio.read", True),
        ("buffer.read", True),
        ("buffer.allocate", False),
    ],
)
async def test_lost_and_slow_calls_are_errors_or_waited_for_and_the_channel_is_usable(method: str, after: bool) -> None:
    async with vdma() as (sim, _, driver):
        channel = driver.readchannel
        channel.mode = COLOUR
        Camera(sim)
        sim.faults.delay("*", 0.001)

        if method in ("buffer.allocate", "mmio.write"):
            sim.faults.drop(method, after=after)

            with pytest.raises(BoardError):
                await channel.start()

            await settled(sim)

        await channel.start()

        if method != "buffer.allocate":
            sim.faults.drop(method, after=after)

            if method == "buffer.read":  # reading memory again does no harm
                await channel.readframe()
            else:
                with pytest.raises(BoardError):
                    await channel.readframe()

            await settled(sim)

        frame = await channel.readframe()
        assert (frame == frame.flat[0]).all()
        await channel.stop()
        assert not model(sim).s2mm.running


async def test_memory_is_not_given_out_again_while_a_channel_may_write_to_it() -> None:
    async with vdma() as (sim, board, driver):
        channel = driver.readchannel
        channel.mode = COLOUR
        Camera(sim)
        await channel.start()
        await channel.readframe()
        at = {frame.physical_address for frame in channel._frames}
        await sim.restart()

        async with board.allocate(384, "u1") as data, board.allocate(384, "u1") as more:
            assert {data.physical_address, more.physical_address} == at
            assert not await channel.running()

            with pytest.raises(StaleHandle):
                await channel.readframe()

            for buffer in (data, more):
                await buffer.sync_from_device()
                assert not buffer.any()

        await channel.start()
        assert (await channel.readframe()).shape == (8, 16, 3)
        await channel.stop()
