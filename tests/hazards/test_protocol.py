"""What the protocol leaves out, and how the server comes and goes (H46 to H53)."""

import asyncio
import logging
import time
from dataclasses import replace

import grpc
import numpy as np
import pytest

from pynq_async import Address, RemoteDevice, Timeouts
from pynq_async.errors import (
    BoardError,
    ConnectError,
    ConnectionLost,
    NotABoardServer,
    NotSupported,
    ProtocolViolation,
    StaleHandle,
)
from pynq_async.sim import Link
from pynq_async.wire import messages as m
from pynq_async.wire import methods
from pynq_async.wire.channel import OPTIONS
from pynq_async.wire.framing import CHUNK, frames

from ..sim.conftest import eventually, refused
from .conftest import PS, QUICK, assert_works, careless, endangered, firmware, reached, served

MIB = 1 << 20


async def test_h46_success_has_a_false_status_without_defence() -> None:
    async with careless() as (_, raw):
        answer = await raw.call(methods.GET_MMIO, m.GetMmioRequest(base_addr=PS, length=4096))
        assert (answer.status, answer.mmio_id) == (False, "0")


async def test_h46_the_status_field_decides_nothing() -> None:
    async with endangered() as (sim, board):
        await board.mmio(PS).write(0, 5)
        sim.faults.answer("mmio.get_mmio", m.GetMmioResponse(status=True))

        with pytest.raises(ProtocolViolation):
            await board.mmio(PS + 4096).write(0, 1)

        sim.faults.answer("mmio.read", m.ReadResponse(status=True))

        with pytest.raises(ProtocolViolation, match="no data"):
            await board.mmio(PS).read(0)

        assert await board.mmio(PS).read(0) == 5
        await assert_works(sim, board)


async def test_h47_calls_that_are_not_there_are_unimplemented_without_defence() -> None:
    async with careless() as (_, raw):
        codes = [(await refused(call))[0] for call in (raw.call(methods.SET_PL_CLK), raw.call(methods.SHUTDOWN))]
        assert codes == [grpc.StatusCode.UNIMPLEMENTED] * 2


async def test_h47_clocks_and_shutdown_do_without_those_calls() -> None:
    async with endangered() as (sim, board):
        await board.download(firmware())
        await board.shutdown()
        await board.clocks.get_pl_clk(0)
        assert not any(sim.counters.calls[f"remote_device.{name}"] for name in ("set_pl_clk", "shutdown"))
        assert {"mmio.Mmio", "buffer.RemoteBuffer", "remote_device.RemoteDevice"} <= board.services
        assert "xrfdc.Xrfdc" not in board.services


async def test_h47_a_service_that_is_not_there_is_not_supported() -> None:
    async with endangered(services={"remote_device"}) as (_, board):
        with pytest.raises(NotSupported):
            await board.mmio(PS).read(0)

        with pytest.raises(NotSupported):
            await board.allocate(64)

        assert await board.read_file("/proc/version")


async def test_h47_a_server_of_another_kind_is_recognised() -> None:
    async with served(services={"gpio"}) as sim:
        with pytest.raises(NotABoardServer):
            await RemoteDevice(sim.address, timeouts=QUICK)


async def test_h48_the_port_is_open_to_anyone_and_the_documentation_says_so() -> None:
    async with careless() as (sim, raw):
        sim.files.write_bytes("/etc/passwd", b"root")
        await raw.write_file("/etc/passwd", b"mine")
        assert sim.files.read_bytes("/etc/passwd") == b"mine"

    assert "open to anyone" in (RemoteDevice.__doc__ or "")


async def test_h49_a_large_message_is_refused_after_the_earlier_ones_were_used_without_defence() -> None:
    async with careless() as (sim, raw):
        buffer_id = await raw.allocate(8 * MIB)
        code, _ = await refused(raw.fill(buffer_id, b"a", bytes(4 * MIB)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert sim.memory.read(sim.area.base, 1) == b"a"


@pytest.mark.parametrize("size", [1, MIB - 1, MIB, MIB + 1, 4 * MIB + 3])
async def test_h49_payloads_of_any_size_go_in_small_messages(size: int) -> None:
    content = np.random.default_rng(49).integers(0, 255, size, np.uint8)
    sent = list(frames(m.WriteFileRequest(file_path="/tmp/" + "x" * 255), 2, content.data, lambda _: None))
    assert max(len(message) for message in sent) < CHUNK + 1024
    assert sum(len(m.WriteFileRequest.FromString(message).data) for message in sent) == size

    async with endangered() as (sim, board):
        await board.write_file("/tmp/large", content.tobytes())
        assert await board.read_file("/tmp/large") == sim.files.read_bytes("/tmp/large") == content.tobytes()

        async with board.allocate(size, "u1") as buffer:
            buffer[:] = content
            await buffer.sync_to_device()
            buffer[:] = 0
            await buffer.sync_from_device()
            assert (buffer == content).all()


def test_h50_the_client_pings_no_more_often_than_the_server_bears() -> None:
    options = dict(OPTIONS)
    assert options["grpc.keepalive_time_ms"] >= 300_000
    assert "grpc.keepalive_permit_without_calls" not in options
    assert 1000 <= options["grpc.http2.ping_timeout_ms"] <= 20_000
    assert options["grpc.enable_retries"] == options["grpc.enable_http_proxy"] == 0
    assert options["grpc.use_local_subchannel_pool"] == 1
    assert options["grpc.max_reconnect_backoff_ms"] <= 2000


async def test_h51_the_server_logs_every_call_and_the_client_none_of_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async with endangered() as (sim, board):
        await board.mmio(PS).write(0, 0x5EC2_E7AA)
        await board.write_file("/tmp/canary", b"SECRET-CANARY")
        assert await board.read_file("/tmp/canary") == b"SECRET-CANARY"
        sim.faults.fail("mmio.write", grpc.StatusCode.INTERNAL)

        with pytest.raises(BoardError) as caught:
            await board.mmio(PS).write(0, 0x5EC2_E7AA)

    said = caplog.text + str(caught.value)
    assert not any(canary in said for canary in ("CANARY", "5ec2e7aa", "5EC2E7AA", str(0x5EC2_E7AA)))


async def test_h52_a_server_that_keeps_dying_gives_errors_of_its_own_and_then_works() -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PS, 64)
        outcomes = {"done": 0, "lost": 0}
        stop = asyncio.Event()

        async def use(number: int) -> None:
            while not stop.is_set():
                try:
                    await registers.write(4 * number, number + 1)

                    async with board.allocate(64, "u1") as buffer:
                        await buffer.sync_to_device()
                except (ConnectionLost, ConnectError, StaleHandle):
                    outcomes["lost"] += 1
                else:
                    outcomes["done"] += 1

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(use(number))

            for _ in range(12):
                await asyncio.sleep(0.03)
                await sim.restart(delay=0.01)

            done = outcomes["done"]
            await eventually(lambda: outcomes["done"] > done + 4)
            stop.set()

        assert outcomes["lost"]
        assert [sim.memory.load(PS + 4 * number) for number in range(6)] == [1, 2, 3, 4, 0, 0]
        await assert_works(sim, board)


async def test_h52_a_server_that_stays_away_is_asked_a_few_times_a_second() -> None:
    async with served() as sim:
        link = Link(sim.address)

        async with link as link_address:
            board = await RemoteDevice(link_address, timeouts=replace(QUICK, connect=0.3))
            link.refuse = True
            link.cut()
            made = link.connected
            began = time.monotonic()

            with pytest.raises((ConnectError, ConnectionLost)):
                await board.read_file("/proc/version")

            with pytest.raises(ConnectError, match="is the board on"):
                await board.read_file("/proc/version")

            assert time.monotonic() - began < 2
            assert link.connected - made < 20
            link.refuse = False
            await reached(board)
            await assert_works(sim, board)
            await board.aclose()


async def test_h53_a_server_that_never_comes_up_is_an_error_that_says_why() -> None:
    timeouts = Timeouts(connect=0.3)

    async with served() as sim:
        await sim.stop()
        address = Address.parse(sim.address)

        for _ in range(2):
            began = time.monotonic()

            with pytest.raises(ConnectError, match=r"refused.*pynq-remote service") as caught:
                await RemoteDevice(address, name="bench-7", timeouts=timeouts)

            assert time.monotonic() - began < 2
            assert str(caught.value).startswith("bench-7: ")
            assert isinstance(caught.value, ConnectionError)

        await sim.start()

        async with RemoteDevice(address, timeouts=QUICK) as board:
            await assert_works(sim, board)


async def test_h53_a_server_that_comes_up_late_is_waited_for() -> None:
    async with served() as sim:
        await sim.stop()

        async with asyncio.TaskGroup() as group:
            opening = group.create_task(_open(sim.address))
            await asyncio.sleep(0.2)
            await sim.start()

        board = opening.result()
        await assert_works(sim, board)
        await board.aclose()


async def _open(address: str) -> RemoteDevice:
    return await RemoteDevice(address, timeouts=QUICK)
