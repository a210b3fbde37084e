"""Frames through a DMA as a stream."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import pairwise
from typing import Any

import anyio
import numpy as np
import numpy.typing as npt
import pytest

from pynq_async.errors import DeadlineExceeded, HardwareError, Misuse, OutOfRange
from pynq_async.hardware import axi_dma
from pynq_async.overlay import DMA
from tests.boards import HASTY, under_faults

from .dmas import GATHER, SIMPLE, Mode, loopback, with_dma

pytestmark = pytest.mark.usefixtures("impatient")
MODES = pytest.mark.parametrize("mode", [SIMPLE, GATHER], ids=["simple", "gather"])


def frames(count: int, size: int = 64) -> list[npt.NDArray[np.uint8]]:
    """Frames that differ."""
    return [np.full(size, number, "u1") for number in range(count)]


def _in_flight(dma: DMA) -> bool:
    return dma.sendchannel.in_flight or dma.recvchannel.in_flight


async def slowly(items: Iterable[Any]) -> AsyncIterator[Any]:
    """The same as an async iterable."""
    for item in items:
        await asyncio.sleep(0)
        yield item


@MODES
@pytest.mark.parametrize("depth", [2, 3])
async def test_results_come_in_the_order_of_the_frames(mode: Mode, depth: int) -> None:
    async with with_dma(**mode) as (_, _, dma), dma.stream(64, "u1", depth=depth) as stream:
        for count in (0, 1, 2, 3, 7):
            for source in (frames(count), slowly(frames(count))):
                results = [result async for result in stream.process(source)]
                assert [int(result[0]) for result in results] == list(range(count))
                assert all((result == result[0]).all() for result in results)
                assert not any(np.shares_memory(one, other) for one, other in pairwise(results))


async def test_frames_are_converted_where_nothing_is_lost_and_results_may_differ_in_shape() -> None:
    async with (
        with_dma() as (_, _, dma),
        dma.stream((4, 4), "f8", result_shape=(2, 16), result_dtype="<f4") as stream,
    ):
        sent: list[Any] = [np.arange(16, dtype="i4").reshape(4, 4), np.ones((4, 4), "f4").tolist()]
        results = [result async for result in stream.process(sent)]
        assert [result.shape for result in results] == [(2, 16), (2, 16)]
        assert (results[0].reshape(-1).view("f8") == np.arange(16)).all()
        assert (results[1].reshape(-1).view("f8") == 1).all()

        wrong: Any

        for wrong in (np.ones(16), np.ones((4, 4), "c16"), [["a"] * 4] * 4):
            with pytest.raises(Misuse, match=r"frame 1 is of .* but the stream is of float64 and shape \(4, 4\)"):
                _ = [result async for result in stream.process([sent[0], wrong])]

        assert len([result async for result in stream.process(sent)]) == 2, "it can be used again"


async def test_a_frame_takes_ten_calls_and_most_of_them_overlap() -> None:
    async with with_dma() as (sim, _, dma), dma.stream(64, "u1") as stream:
        assert len([result async for result in stream.process(frames(3))]) == 3
        sim.counters.calls.clear()
        assert len([result async for result in stream.process(frames(10))]) == 10
        assert sim.counters.calls.total() == 100


async def test_it_reads_as_many_frames_ahead_as_there_are_buffers() -> None:
    taken: list[int] = []

    def source() -> Iterator[npt.NDArray[np.uint8]]:
        for number, frame in enumerate(frames(9)):
            taken.append(number)
            yield frame

    async with with_dma() as (_, _, dma), dma.stream(64, "u1", depth=3) as stream:
        results = stream.process(source())
        assert not taken
        first = await anext(results)
        assert first[0] == 0
        assert len(taken) == 4


@MODES
async def test_leaving_the_loop_early_leaves_nothing_behind(mode: Mode) -> None:
    async with with_dma(**mode) as (sim, board, dma):
        before = sim.counters.live_buffers

        async with dma.stream(64, "u1") as stream:
            async for result in stream.process(frames(9)):
                if result[0] == 3:
                    break

            assert _in_flight(dma)
            assert [int(result[0]) async for result in stream.process(frames(3))] == [0, 1, 2]

            async for _ in stream.process(frames(9)):
                break

        assert not _in_flight(dma)
        assert sim.counters.live_buffers == before + (2 if mode is GATHER else 0)

        async with board.allocate(64, "u1") as data, board.allocate(64, "u1") as result:
            data[:] = 9
            await loopback(dma, data, result)
            assert (result == 9).all()


async def test_an_error_of_the_source_comes_out_and_the_stream_can_be_used_again() -> None:
    def source() -> Iterator[Any]:
        yield from frames(2)
        raise LookupError("no more film")

    async with with_dma() as (_, _, dma), dma.stream(64, "u1") as stream:
        results = stream.process(source())

        with pytest.raises(LookupError, match="no more film"):
            _ = [result async for result in results]

        with pytest.raises(Misuse, match="ended with an error"):
            await anext(results)

        assert len([result async for result in stream.process(frames(4))]) == 4


@MODES
async def test_an_error_of_the_hardware_comes_out_and_the_stream_can_be_used_again(mode: Mode) -> None:
    async with with_dma(**mode) as (sim, _, dma), dma.stream(64, "u1") as stream:
        done = 0

        with pytest.raises(HardwareError, match="recvchannel: a slave error"):
            async for _ in stream.process(frames(9)):
                done += 1

                if done == 3:
                    sim.ip["dma"].recv.trouble = axi_dma.SLAVE_ERROR

        assert done >= 3
        assert [int(result[0]) async for result in stream.process(frames(4))] == [0, 1, 2, 3]


async def test_hardware_that_sends_nothing_back_is_an_error_in_time() -> None:
    async with with_dma(loop=False) as (_, _, dma), dma.stream(64, "u1") as stream:
        with pytest.raises(DeadlineExceeded, match="within 0.02 s"):
            async for _ in stream.process(frames(3), timeout=0.02):
                pass


async def test_cancelling_leaves_nothing_behind() -> None:
    async with with_dma(loop=False) as (_, _, dma):
        with anyio.move_on_after(0.05) as scope:
            async with dma.stream(64, "u1") as stream:
                async for _ in stream.process(frames(3)):
                    pass

        assert scope.cancelled_caught
        assert not _in_flight(dma)


async def test_lost_calls_are_errors_and_the_stream_can_be_used_again() -> None:
    async with with_dma(options={"timeouts": HASTY}) as (sim, _, dma), dma.stream(64, "u1") as stream:

        async def process() -> None:
            assert len([result async for result in stream.process(frames(5))]) == 5

        for method in ("mmio.write", "buffer.write", "buffer.flush"):
            await under_faults(sim, method, process, faults=("slow", "lost after", "refused"))


async def test_what_cannot_be_right_is_refused() -> None:
    async with with_dma(C_SG_LENGTH_WIDTH=8) as (sim, _, dma):
        stream = dma.stream(64, "u1")

        with pytest.raises(Misuse, match="enter the stream first"):
            stream.process([])

        async with stream:
            first = stream.process(frames(3))
            assert (await anext(first))[0] == 0
            second = stream.process(frames(3))

            with pytest.raises(Misuse, match="or with another process"):
                await anext(first)

            assert (await anext(second))[0] == 0

        with pytest.raises(Misuse):
            await anext(second)

        async with dma.stream(256, "u1") as large:
            with pytest.raises(OutOfRange, match="256 bytes are more than the 255"):
                await anext(large.process([np.zeros(256, "u1")]))

        with pytest.raises(Misuse, match="is no shape"):
            async with dma.stream(-1, "u1"):
                pass

        assert sim.counters.live_buffers == 0


async def test_buffers_that_cannot_all_be_had_are_given_back() -> None:
    async with with_dma(options={"cma_bytes": 1 << 20}) as (sim, _, dma):
        with pytest.raises(MemoryError):
            async with dma.stream(300_000, "u1"):
                pass

        assert sim.counters.live_buffers == 0
