"""Switching on and off, restarts, reboots, crashes, frozen servers."""

import asyncio
import sys
from typing import Any

import grpc
import pytest

from pynq_async.errors import InvalidArgument, SimulationError
from pynq_async.sim import Hazards, SimBoard, serve
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, connected, eventually, refused

BOOT_ID = "/proc/sys/kernel/random/boot_id"


async def test_a_restart_keeps_port_and_files_and_aliases_every_id(board: SimBoard, client: RawClient) -> None:
    ids = await client.map(), await client.allocate(64)
    await client.write_file("/tmp/kept", b"x")
    await client.store(ids[0], 0, 5)
    stat, boot_id = await client.read_file("/proc/self/stat"), await client.read_file(BOOT_ID)
    await board.restart()
    await client.until_served()

    assert board.counters.live_buffers == 0
    assert await client.read_file("/proc/self/stat") != stat
    assert await client.read_file(BOOT_ID) == boot_id
    assert await client.read_file("/tmp/kept") == b"x"
    assert (await client.map(), await client.allocate(64)) == ids
    assert await client.load(ids[0], 0) == 5


async def test_a_reboot_empties_memory_fabric_and_ram_disks(board: SimBoard, client: RawClient) -> None:
    await client.write_file("/tmp/gone", b"x")
    await client.write_file("/lib/firmware/gone.bin", b"x")
    await client.store(await client.map(), 0, 5)
    boot_id = await client.read_file(BOOT_ID)
    await board.reboot()
    await client.until_served()

    assert await client.read_file(BOOT_ID) != boot_id
    assert board.files.paths("/tmp") == board.files.paths("/lib/firmware") == []
    assert await client.load(await client.map(), 0) == 0
    assert await client.read_file("/sys/class/fpga_manager/fpga0/state") == b"unknown\n"


async def test_a_restart_cuts_what_is_running(board: SimBoard, client: RawClient) -> None:
    endless = client.open(methods.READ_FILE, m.ReadFileRequest(file_path="/dev/zero"))
    await endless.read()
    await board.restart()
    code, _ = await refused(_drain(endless))

    assert code is grpc.StatusCode.UNAVAILABLE
    assert board.counters.runaway_reads == 0
    assert board.counters.streams_now == 0


async def test_a_stopped_board_refuses_connections_until_it_is_started(board: SimBoard, client: RawClient) -> None:
    pid = board.process.pid
    await board.stop()
    assert (await refused(client.map()))[0] is grpc.StatusCode.UNAVAILABLE
    await board.start()
    await client.until_served()
    assert board.process.pid != pid


async def test_a_frozen_board_answers_when_it_is_thawed(board: SimBoard, client: RawClient) -> None:
    await board.freeze()
    code, _ = await refused(client.call(methods.EXISTS_FILE, m.ExistsFileRequest(file_path="/"), timeout=0.05))
    waiting = asyncio.ensure_future(client.map())
    await eventually(lambda: board.counters.calls["mmio.get_mmio"] == 1)
    await board.thaw()

    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await waiting == "0"


async def test_dropped_connections_leave_the_server_as_it_was(board: SimBoard, client: RawClient) -> None:
    pid, window = board.process.pid, await client.map()
    await board.drop_connections()
    await client.until_served()
    assert await client.load(window) == 0
    assert board.process.pid == pid


async def test_the_port_comes_back_when_serving_ends() -> None:
    async with serve(SimBoard()) as address:
        port = int(address.rpartition(":")[2])

    async with serve(SimBoard(), port=port) as again:
        assert again == address


async def test_two_servers_share_a_port_as_the_real_ones_do() -> None:
    async with (
        serve(SimBoard()) as address,
        serve(SimBoard(), port=int(address.rpartition(":")[2])) as second,
    ):
        assert second == address


async def test_a_board_is_served_once_at_a_time_and_again_as_a_new_process() -> None:
    board = SimBoard()

    async with serve(board):
        pid = board.process.pid

        with pytest.raises(SimulationError, match="served already"):
            async with serve(board):
                pass

    async with serve(board):
        assert board.process.pid != pid


async def test_an_address_that_cannot_be_used_is_a_simulation_error() -> None:
    board = SimBoard()

    with pytest.raises(SimulationError, match="cannot listen"):
        async with serve(board, host="203.0.113.1"):
            pass

    async with serve(board):
        pass


async def test_serving_may_begin_and_end_in_different_tasks() -> None:
    context = serve(SimBoard())
    address = await asyncio.create_task(context.__aenter__())
    assert address.startswith("127.0.0.1:")
    await asyncio.create_task(context.__aexit__(None, None, None))


async def test_a_board_that_is_switched_off_says_so() -> None:
    board = SimBoard(model=None)
    assert "switched off" in repr(board)

    with pytest.raises(SimulationError, match="not being served"):
        await board.restart()


def test_hazards_are_read_from_a_command_line() -> None:
    assert Hazards.parse("") == Hazards()
    read = Hazards.parse("crash_on_race,race_window=0.002,manager_polls=None")
    assert read == Hazards(crash_on_race=True, race_window=0.002, manager_polls=None)

    for wrong in ("no_such", "race_window=fast"):
        with pytest.raises(InvalidArgument):
            Hazards.parse(wrong)


@pytest.mark.parametrize(
    "options", [{"family": "virtex"}, {"release": "2.7"}, {"cma_bytes": 0}, {"cma_bytes": 1 << 40}, {"services": ["x"]}]
)
def test_options_that_cannot_be_right_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        SimBoard(**options)  # type: ignore[arg-type]


async def test_a_server_that_crashed_is_back_after_a_moment() -> None:
    board = SimBoard(hazards=Hazards(crash_out_of_range=True, restart_delay=0.01))

    async with connected(board) as client:
        window = await client.map()
        assert (await refused(client.load(window, 64 << 20)))[0] is grpc.StatusCode.UNAVAILABLE
        await client.until_served()
        assert (await refused(client.load(window)))[0] is grpc.StatusCode.NOT_FOUND
        assert len(board.counters.crashes) == 1
        assert board.counters.starts == 2


@pytest.mark.parametrize("script", ["crashes", "switched_off"])
async def test_crashes_restarts_and_cut_calls_print_nothing(script: str) -> None:
    program = _PREAMBLE + {"crashes": _CRASHES, "switched_off": _SWITCHED_OFF}[script] + _END
    run = await asyncio.create_subprocess_exec(*(sys.executable, "-W", "error", "-c", program), stdout=-1, stderr=-1)
    out, err = await run.communicate()
    assert (run.returncode, out, err) == (0, b"done\n", b"")


_PREAMBLE = """
import asyncio, grpc
from pynq_async.sim import Hazards, SimBoard, serve
from pynq_async.wire import messages as m, methods

async def survive(awaitable):
    try:
        await awaitable
    except grpc.aio.AioRpcError:
        pass

async def drain(call):
    while await call.read():
        pass

FAR = m.ReadRequest(mmio_id="0", offset=1 << 26).SerializeToString()
WINDOW = m.GetMmioRequest(base_addr=1 << 30, length=4096).SerializeToString()
"""

_CRASHES = """
async def main():
    board = SimBoard(hazards=Hazards(crash_out_of_range=True, restart_delay=0.01))
    async with serve(board) as address:
        async with grpc.aio.insecure_channel(address) as channel:
            read = channel.unary_stream(methods.READ_FILE.path)
            write = channel.stream_unary(methods.WRITE_FILE.path)
            peek = channel.unary_unary(methods.MMIO_READ.path)
            get = channel.unary_unary(methods.GET_MMIO.path)
            zero = m.ReadFileRequest(file_path="/dev/zero").SerializeToString()
            for life in range(3):
                calls = [read(zero, wait_for_ready=True) for _ in range(4)]
                upload = write(wait_for_ready=True)
                await upload.write(m.WriteFileRequest(file_path="/tmp/f", data=b"x").SerializeToString())
                for call in calls:
                    await call.read()
                await get(WINDOW, wait_for_ready=True)
                await survive(peek(FAR))
                await survive(upload)
                for call in calls:
                    await survive(drain(call))
                await asyncio.sleep(0.02)
            last = read(zero, wait_for_ready=True)
            await last.read()
        # the channel is closed under the call, and the board switched off under what is left of it
    assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
    assert board.counters.unary_now == board.counters.streams_now == 0
"""

_SWITCHED_OFF = """
async def main():
    for moment in range(40):
        board = SimBoard(hazards=Hazards(crash_out_of_range=True, restart_delay=moment % 3 * 0.001))
        async with serve(board) as address:
            channel = grpc.aio.insecure_channel(address)
            await channel.unary_unary(methods.GET_MMIO.path)(WINDOW, wait_for_ready=True)
            call = channel.unary_unary(methods.MMIO_READ.path)(FAR)
            for _ in range(moment % 7):
                await asyncio.sleep(0)
            await asyncio.sleep(moment % 5 * 0.001)
        await survive(call)
        await channel.close()
        assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
"""

_END = """
asyncio.run(main())
print("done")
"""


async def _drain(call: Any) -> None:
    while await call.read():
        pass
