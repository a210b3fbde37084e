"""`pynq-async sim`."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from pynq_async import BoardFarm, RemoteDevice
from pynq_async.bitstream import shipped_description, synthetic_bitstream
from pynq_async.errors import ConnectionLost

from .command import COMMAND, command_environment, heed_interrupts, pynq_async
from .conftest import Here

RESIZE = 0x43C0_0000


def two_free_ports() -> int:
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]

            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port


@contextlib.asynccontextmanager
async def running(*arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "sim",
        *map(str, arguments),
        stdin=-1,
        stdout=-1,
        stderr=-1,
        env=command_environment(),
        preexec_fn=heed_interrupts,
    )

    try:
        with anyio.fail_after(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
async def test_sim_runs_boards_until_interrupted() -> None:
    port = two_free_ports()
    addresses = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]

    async with running("--boards", 2, "--port", port, "--family", "zynqmp") as process:
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode().strip() for _ in range(4)]

        assert lines == [
            "2 simulated boards (ZCU104, zynqmp) until Ctrl-C:",
            *addresses,
            f"export PYNQ_REMOTE_DEVICES={','.join(addresses)}",
        ]

        async with BoardFarm(addresses) as farm:
            assert [board.model for board in farm.values()] == ["ZCU104", "ZCU104"]

        taken = await pynq_async("sim", "--port", port)
        assert taken.code == 1
        assert taken.only_error.startswith(f"port {port} cannot be used")

        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

        assert (process.returncode, out, err) == (0, b"", b"")

    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.1", port)), "a board outlived the command"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
async def test_sim_knows_designs_and_takes_the_family_from_them(tmp_path: Path) -> None:
    port = two_free_ports()
    path = tmp_path / "part.hwh"
    path.write_bytes(shipped_description("rfsoc_sam"))

    async with running("--port", port, "--design", path) as process:
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode().strip()
        assert first == "1 simulated board (ZCU104, zynqmp) until Ctrl-C:"
        process.send_signal(signal.SIGINT)
        await process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
async def test_sim_says_what_it_expects_and_what_happens_and_obeys(tmp_path: Path) -> None:
    port = two_free_ports()
    bit, hwh = tmp_path / "resizer.bit", tmp_path / "resizer.hwh"
    bit.write_bytes(synthetic_bitstream("7z020clg400", 4_000))
    hwh.write_bytes(shipped_description("resizer"))

    async with running("--port", port, "--design", bit, "--design", hwh) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        lines = [(await process.stdout.readline()).decode().rstrip() for _ in range(7)]
        endless = "  kernels without a function, busy for ever once started: resize_accel_0 (--kernel)"

        assert lines[3:] == [
            "resizer.bit: its IP answers once this bitstream is programmed",
            endless,
            "resizer.hwh: its IP answers once any bitstream is programmed",
            endless,
        ]

        async def said() -> str:
            assert process.stderr is not None
            return (await process.stderr.readline()).decode().strip().removeprefix(f"127.0.0.1:{port}: ")

        async with RemoteDevice(f"127.0.0.1:{port}") as board:
            with pytest.raises(ConnectionLost):
                await board.mmio(0x4121_0000).read()

            assert await said() == "bus error at 0x41210000: nothing is programmed; the server died and comes back"
            await board.download(bit)
            await board.mmio(RESIZE).write(0, 1)
            assert "resize_accel_0: a kernel without a function was started and is busy" in await said()

        process.stdin.write(b"set leds 1 0b1\nraise the roof\n")
        assert await said() == "the simulated board has no IP 'leds' now; there is axi_dma_0, resize_accel_0"
        assert await said() == "'raise the roof' is no command; write set IP CHANNEL VALUE, or raise IP/PIN"
        process.stdin.close()
        process.send_signal(signal.SIGINT)
        assert await process.communicate() == (b"", b"")


def test_sim_says_what_is_wrong_with_a_kernel(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "resizer.hwh"
    path.write_bytes(shipped_description("resizer"))
    port = two_free_ports()

    shape = here("sim", "--port", port, "--design", path, "--kernel", "core")
    assert (shape.code, "write IP=module:function" in shape.err) == (2, True)

    unknown = here("sim", "--port", port, "--design", path, "--kernel", "core=operator:add")
    assert unknown.code == 1
    assert "'core': no design has this IP for a kernel" in unknown.only_error
