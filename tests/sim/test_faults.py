"""Faults on request."""

import asyncio
import time

import grpc
import pytest

from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, eventually, refused


async def test_a_method_fails_as_often_as_it_was_told(board: SimBoard, client: RawClient) -> None:
    board.faults.fail("mmio.get_mmio", grpc.StatusCode.INTERNAL, "broken", times=2)

    for _ in range(2):
        assert await refused(client.map()) == (grpc.StatusCode.INTERNAL, "broken")

    assert await client.map() == "0"


async def test_a_failure_may_come_after_the_deed(board: SimBoard, client: RawClient) -> None:
    board.faults.fail("buffer.allocate", execute=True)
    assert (await refused(client.allocate(64)))[0] is grpc.StatusCode.UNAVAILABLE
    assert board.counters.live_buffers == 1


async def test_any_method_may_fail(board: SimBoard, client: RawClient) -> None:
    board.faults.fail("*", grpc.StatusCode.UNKNOWN)
    assert (await refused(client.fetch("0x1")))[0] is grpc.StatusCode.UNKNOWN
    assert (await refused(client.fetch("0x1")))[0] is grpc.StatusCode.NOT_FOUND


async def test_an_answer_may_be_any_message(board: SimBoard, client: RawClient) -> None:
    buffer_id = await client.allocate(4)
    board.faults.answer("buffer.flush", m.FlushResponse(msg="Cannot sync."))
    board.faults.answer("buffer.allocate", m.AllocateResponse(buffer_id=""))
    board.faults.answer("buffer.write", m.BufferWriteResponse(msg="Broken."), execute=True)
    board.faults.answer("mmio.get_mmio", m.GetMmioResponse(mmio_id="7"), times=2)

    assert (await client.call(methods.FLUSH, m.FlushRequest(buffer_id=buffer_id))).msg == "Cannot sync."
    assert (await client.call(methods.FLUSH, m.FlushRequest(buffer_id=buffer_id))).msg == ""
    reply = await client.call(methods.ALLOCATE, m.AllocateRequest(size=4))
    assert reply.HasField("buffer_id")
    assert reply.buffer_id == ""
    assert (await client.fill(buffer_id, b"data")).msg == "Broken."
    assert await client.fetch(buffer_id) == [b"data"]
    assert [await client.map() for _ in range(3)] == ["7", "7", "0"]


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_may_break_before_or_after_the_deed(board: SimBoard, client: RawClient, after: bool) -> None:
    window, pid = await client.map(), board.process.pid
    board.faults.drop("mmio.write", after=after)
    code, _ = await refused(client.store(window, 0, 5))
    await client.until_served()

    assert code is grpc.StatusCode.UNAVAILABLE
    assert await client.load(window) == (5 if after else 0)
    assert board.counters.unary_now == 0
    assert board.process.pid == pid


async def test_a_stream_may_be_short_or_long(board: SimBoard, client: RawClient) -> None:
    buffer_id = await client.allocate(3 << 20)
    await client.write_file("/tmp/f", b"0123456789")

    for amount in (-1, -(2 << 20), 5):
        board.faults.stretch("buffer.read", amount)
        assert sum(map(len, await client.fetch(buffer_id))) == (3 << 20) + amount

    for amount in (-4, 4):
        board.faults.stretch("remote_device.readfile", amount)
        assert len(await client.read_file("/tmp/f")) == 10 + amount

    assert await client.read_file("/tmp/f") == b"0123456789"


async def test_calls_may_be_late(board: SimBoard, client: RawClient) -> None:
    board.faults.delay("mmio.get_mmio", 0.05)
    began = time.monotonic()
    await client.map()
    assert time.monotonic() - began >= 0.05
    board.faults.delay("mmio.get_mmio", 0)
    board.faults.latency = 0.03
    began = time.monotonic()
    await client.map()
    assert time.monotonic() - began >= 0.03


async def test_a_late_call_that_is_cancelled_is_carried_out_all_the_same(board: SimBoard, client: RawClient) -> None:
    board.faults.delay("buffer.allocate", 0.05)
    code, _ = await refused(client.call(methods.ALLOCATE, m.AllocateRequest(size=64), timeout=0.01))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert board.counters.live_buffers == 0
    await eventually(lambda: board.counters.live_buffers == 1)


async def test_bulk_payload_may_be_slow_for_all_streams_together(board: SimBoard, client: RawClient) -> None:
    ids = [await client.allocate(1 << 20), await client.allocate(1 << 20)]
    board.faults.bandwidth = 20e6
    began = time.monotonic()
    await asyncio.gather(*(client.fill(buffer_id, bytes(1 << 20)) for buffer_id in ids))
    await client.fetch(ids[0])
    assert time.monotonic() - began >= 3 * (1 << 20) / 20e6


async def test_clearing_ends_every_fault(board: SimBoard, client: RawClient) -> None:
    board.faults.fail("*")
    board.faults.latency = 60
    board.faults.clear()
    assert await client.map() == "0"
