"""Connecting, knowing the server, noticing that it changed."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from pynq_async import Address, RemoteDevice, Timeouts
from pynq_async.errors import (
    BoardExhausted,
    ConnectError,
    ConnectionLost,
    NotABoardServer,
    NotOpen,
    OutcomeUnknown,
    StaleHandle,
    WrongLoop,
)
from pynq_async.sim import SimBoard, serve
from pynq_async.wire import methods

from ..boards import assert_no_tasks_left, simulated

QUICK = Timeouts(connect=0.3)


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _listening(answer: bytes | None) -> AsyncIterator[str]:
    """Something else than gRPC: says `answer` to everybody, or nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

        if answer is not None:
            writer.write(answer)

        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)

    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()

        for writer in writers:
            writer.close()

        await server.wait_closed()
        await asyncio.sleep(0.01)


async def test_a_refused_connection_says_where_and_what_to_do() -> None:
    address = f"127.0.0.1:{_closed_port()}"

    with pytest.raises(
        ConnectError,
        match=rf"^{address}: no connection: the connection was refused; .*pynq-remote",
    ):
        await RemoteDevice(address, timeouts=QUICK)

    assert_no_tasks_left()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n", None])
async def test_something_else_at_the_port_is_a_connect_error(answer: bytes | None) -> None:
    async with _listening(answer) as address:
        with pytest.raises(ConnectError):
            await RemoteDevice(address, timeouts=QUICK)


async def test_an_unknown_host_is_a_connect_error() -> None:
    with pytest.raises(ConnectError, match="there is no host called no-such-board.invalid"):
        await RemoteDevice("no-such-board.invalid", timeouts=Timeouts(connect=20))  # said at once


@pytest.mark.parametrize(
    ("host", "path"),
    [(name, name) for name in ("unix", "dns", "ipv4", "ipv6", "vsock", "xds")] + [("fe80::1%none", "[fe80::1%25none]")],
)
async def test_a_host_called_as_a_scheme_of_grpcs_is_a_host(
    host: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = []
    insecure = grpc.aio.insecure_channel

    def remember(target: str, **options: Any) -> grpc.aio.Channel:
        targets.append(target)
        return insecure(target, **options)

    monkeypatch.setattr(grpc.aio, "insecure_channel", remember)

    with pytest.raises(ConnectError, match="there is no host called|no connection: "):
        await RemoteDevice(Address(host, 1), timeouts=QUICK)

    assert targets == [f"dns:///{path}:1"]


@pytest.mark.parametrize("host", ["localhost", "::1"])
async def test_names_and_version_6_addresses_are_reached(host: str) -> None:
    async with serve(SimBoard(), "::1" if ":" in host else "127.0.0.1") as address:
        there = Address(host, Address.parse(address).port)

        async with RemoteDevice(there) as board:
            assert board.model == "Pynq-Z2"


async def test_a_grpc_server_of_another_kind_is_no_board() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    try:
        with pytest.raises(NotABoardServer, match="is no PYNQ.remote server"):
            await RemoteDevice(f"127.0.0.1:{port}", timeouts=QUICK)
    finally:
        await server.stop(None)


async def test_a_board_that_boots_while_we_connect_is_reached() -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        await sim.stop()
        opening = asyncio.ensure_future(_open_and_close(address))
        await asyncio.sleep(0.2)
        await sim.start()
        assert await opening == "Pynq-Z2"


async def _open_and_close(address: str) -> str:
    async with RemoteDevice(address, timeouts=Timeouts(connect=10)) as board:
        return board.model


@pytest.mark.parametrize(("family", "arch"), [("zynq7000", "armv7l"), ("zynqmp", "aarch64"), ("versal", "aarch64")])
@pytest.mark.parametrize("release", ["3.1", "4.0"])
async def test_a_board_says_what_it_is(family: str, arch: str, release: str) -> None:
    async with simulated(family=family, model="VCK190", release=release) as (_, board):
        assert (board.family, board.arch, board.model) == (family, arch, "VCK190")
        assert ("gpio.Gpio" in board.services) == (release == "4.0")


async def test_a_board_that_does_not_say_its_model_is_unknown() -> None:
    async with simulated(model=None) as (_, board):
        assert board.model == "Unknown"


async def test_a_server_without_reflection_has_no_services_listed() -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        sim.faults.fail("grpc.ServerReflectionInfo", grpc.StatusCode.UNIMPLEMENTED, times=2)

        async with RemoteDevice(address) as board:
            assert board.services == frozenset()


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{_closed_port()}")

    async with simulated():
        pass


async def test_a_server_out_of_descriptors_is_named(sim: SimBoard, board: RemoteDevice) -> None:
    sim.faults.fail("remote_device.readfile", grpc.StatusCode.NOT_FOUND, "File not found", times=4)

    with pytest.raises(BoardExhausted, match="restart"):
        await RemoteDevice(sim.address)


async def test_reads_are_repeated_after_a_lost_connection(sim: SimBoard, board: RemoteDevice) -> None:
    sim.files.write_bytes("/tmp/file", b"content")
    sim.faults.drop("remote_device.readfile")
    assert await board.read_file("/tmp/file") == b"content"
    sim.faults.drop("remote_device.existsfile")
    assert await board.exists_file("/tmp/file")


async def test_writes_are_not_repeated_after_a_lost_connection(sim: SimBoard, board: RemoteDevice) -> None:
    registers = board.mmio(0x4000_0000, 0x1000)
    await registers.write(0, 1)
    sim.faults.drop("mmio.write", after=True)
    before = sim.counters.calls["mmio.write"]

    with pytest.raises(ConnectionLost) as caught:
        await registers.write(0, 2)

    assert isinstance(caught.value, OutcomeUnknown)
    assert sim.counters.calls["mmio.write"] == before + 1
    assert await registers.read(0) == 2


async def test_a_lost_connection_to_the_same_server_changes_no_handle(sim: SimBoard, board: RemoteDevice) -> None:
    registers = board.mmio(0x4000_0000, 0x1000)
    await registers.write(0, 5)

    async with board.allocate(16, "u1") as buffer:
        await sim.drop_connections()
        assert await registers.read(0) == 5
        await buffer.sync_to_device()

    assert sim.counters.calls["mmio.get_mmio"] == 1


async def test_a_server_replaced_while_the_loop_was_blocked_is_noticed_before_the_next_call() -> None:
    async with simulated() as (sim, board):
        buffer = await board.allocate(16, "u1")
        await sim.restart()
        time.sleep(0.05)  # noqa: ASYNC251 - the loop is blocked on purpose
        before = sim.counters.calls["buffer.write"]

        with pytest.raises(StaleHandle):
            await buffer.sync_to_device()

        assert sim.counters.calls["buffer.write"] == before


async def test_another_loop_gets_a_clear_error() -> None:
    async with simulated() as (_, board):
        caught: list[Exception] = []

        def elsewhere() -> None:
            try:
                asyncio.run(board.read_file("/proc/version"))
            except Exception as error:
                caught.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert isinstance(caught[0], WrongLoop)


async def test_a_forked_child_gets_a_clear_error(board: RemoteDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)  # what the child would see; a real fork would take gRPC with it

        with pytest.raises(WrongLoop, match="fork"):
            await board.read_file("/proc/version")


async def test_a_board_is_used_between_opening_and_closing() -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        board = RemoteDevice(address)

        with pytest.raises(NotOpen, match="not open; use 'async with' or await it"):
            await board.read_file("/proc/version")

        assert await board is board

        with pytest.raises(NotOpen, match="opened once"):
            await board

        await board.aclose()
        await board.aclose()

        with pytest.raises(NotOpen, match="was closed"):
            board.mmio(0)

        with pytest.raises(NotOpen):
            await board

    assert_no_tasks_left()


async def test_cancelling_the_opening_leaves_nothing() -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        await sim.freeze()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await RemoteDevice(address)

        await sim.thaw()

    assert_no_tasks_left()


def test_loops_one_after_another_are_independent() -> None:
    async def once() -> str:
        async with simulated() as (_, board):
            return board.model

    assert [asyncio.run(once()) for _ in range(5)] == ["Pynq-Z2"] * 5


async def test_two_names_of_one_board_share_its_locks(sim: SimBoard, board: RemoteDevice) -> None:
    async def use(device: RemoteDevice) -> None:
        for _ in range(10):
            async with device.allocate(64):
                pass

    async with RemoteDevice(sim.address.replace("127.0.0.1", "localhost")) as alias:
        assert alias.boot_id == board.boot_id
        await asyncio.gather(*(use(device) for device in (board, alias) for _ in range(4)))

    assert sim.counters.races == 0


async def test_a_write_that_grpc_itself_could_not_make_is_a_lost_connection(board: RemoteDevice) -> None:
    parts = board._parts
    assert parts is not None
    none = grpc.aio.Metadata()
    broken = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, none, none, "Internal error from Core")
    error = parts.connection.streams._guard.failure(methods.BUFFER_WRITE, broken, changing=True)
    assert isinstance(error, ConnectionLost) and isinstance(error, OutcomeUnknown)


async def test_a_call_is_not_sent_when_the_connection_breaks_in_the_turn_in_which_it_begins() -> None:
    async with simulated() as (sim, board):
        registers = board.mmio(0x4000_0000, 0x1000)
        await registers.write(0, 1)
        parts = board._parts
        assert parts is not None
        guard = parts.connection.calls._guard
        before, steady = sim.counters.calls["mmio.write"], guard._steady
        guard._steady = lambda: False  # as the check just before gRPC sends would see it

        with pytest.raises(ConnectionLost, match="nothing was sent") as caught:
            await registers.write(0, 2)

        assert not isinstance(caught.value, OutcomeUnknown)
        guard._steady = steady
        assert sim.counters.calls["mmio.write"] == before
        await registers.write(0, 3)
        assert await registers.read(0) == 3
