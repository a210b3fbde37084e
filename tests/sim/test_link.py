"""The relay that damages connections."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from pynq_async.errors import SimulationError
from pynq_async.sim import Link, SimBoard, serve
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, refused


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[SimBoard, Link, RawClient]]:
    board = SimBoard()

    async with serve(board) as address:
        link = Link(address)

        async with link as link_address:
            client = RawClient(link_address)

            try:
                yield board, link, client
            finally:
                await client.channel.close()


async def test_a_link_passes_everything_on() -> None:
    async with linked() as (_, link, client):
        buffer_id = await client.allocate(3 << 20)
        await client.fill(buffer_id, *[bytes([number]) * (1 << 20) for number in range(3)])
        assert [part[0] for part in await client.fetch(buffer_id)] == [0, 1, 2]
        assert link.forwarded > 3 << 20
        assert link.returned > 3 << 20
        assert (link.connected, link.connections) == (1, 1)


async def test_bytes_one_by_one_still_make_a_call() -> None:
    async with linked() as (_, link, client):
        link.slice_bytes = 1
        assert await client.map() == "0"


@pytest.mark.parametrize("position", [1, 100, 70_000])
async def test_a_connection_is_cut_at_a_byte(position: int) -> None:
    async with linked() as (board, link, client):
        buffer_id = await client.allocate(1 << 20)
        sent = link.forwarded
        link.cut_after = position
        code, _ = await refused(client.fill(buffer_id, bytes(1 << 20)))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert link.forwarded - sent == position
        await client.until_served()
        assert board.counters.live_buffers == 1


async def test_a_black_hole_holds_everything_back_until_it_closes() -> None:
    async with linked() as (_, link, client):
        await client.map()
        link.black_hole = True
        code, _ = await refused(client.call(methods.GET_MMIO, m.GetMmioRequest(base_addr=0, length=4096), timeout=0.1))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert (link.black_hole, link.connections) == (True, 1)
        link.black_hole = False
        assert await client.map() in ("1", "2")


async def test_cutting_ends_every_connection() -> None:
    async with linked() as (_, link, client):
        await client.map()
        call = asyncio.ensure_future(refused(client.read_file("/dev/zero")))
        await asyncio.sleep(0.02)
        link.cut()
        assert (await call)[0] is grpc.StatusCode.UNAVAILABLE
        await client.until_served()
        assert link.connected == 2


async def test_connections_may_be_refused() -> None:
    async with linked() as (_, link, client):
        link.refuse = True
        assert (await refused(client.map()))[0] is grpc.StatusCode.UNAVAILABLE
        link.refuse = False
        await client.until_served()


async def test_latency_and_bandwidth_take_their_time() -> None:
    async with linked() as (_, link, client):
        buffer_id = await client.allocate(1 << 20)
        link.latency = 0.03
        began = time.monotonic()
        await client.map()
        assert time.monotonic() - began >= 0.06
        link.latency, link.bandwidth = 0.0, 10e6
        began = time.monotonic()
        await client.fill(buffer_id, bytes(1 << 20))
        assert time.monotonic() - began >= (1 << 20) / 10e6


async def test_a_link_to_nobody_resets_its_connections() -> None:
    async with Link("127.0.0.1:1") as address:
        client = RawClient(address)
        assert (await refused(client.map()))[0] is grpc.StatusCode.UNAVAILABLE
        await client.channel.close()


async def test_a_port_in_use_is_a_simulation_error() -> None:
    async with Link("127.0.0.1:1") as address:
        with pytest.raises(SimulationError, match="cannot listen"):
            async with Link("127.0.0.1:1", port=int(address.rpartition(":")[2])):
                pass
