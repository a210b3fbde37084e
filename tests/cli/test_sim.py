"""`pynq-async sim`."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator

import anyio
import pytest

from pynq_async import BoardFarm

from .command import COMMAND, command_environment, heed_interrupts, pynq_async


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
