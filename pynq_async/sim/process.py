"""Simulated boards in processes of their own, for farms, benchmarks and the command line."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from os import PathLike
from typing import Any

from ..bitstream import load_design
from ..errors import InvalidArgument, SimulationError

_GRACE = 5.0


class BoardAddress(str):
    """Where a simulated board is reached, `host:port`; `pid` is its process."""

    pid: int
    _input: asyncio.StreamWriter

    def tell(self, command: str) -> None:
        """Do something to the board: `set btns_gpio 1 0b0001` presses a button, `raise mixer/overflow` an interrupt.

        What it cannot do it says on standard error.
        """
        self._input.write(command.encode() + b"\n")


@asynccontextmanager
async def spawn(
    count: int,
    first_port: int = 0,
    *,
    timeout: float = 30.0,
    designs: Sequence[str | PathLike[str]] = (),
    kernels: Mapping[str, str] | None = None,
    **options: object,
) -> AsyncIterator[list[BoardAddress]]:
    """Run `count` simulated boards, each in a process of its own, and give their addresses.

    Ports count up from `first_port`; 0 takes free ones. `options` are those of `python -m pynq_async.sim` with
    underscores (`model="ZCU104", bandwidth=100e6`); a list gives each board its own value. `designs` (files) and
    `kernels` (`{"resize_accel_0": "module:function"}`) are known to every board. The processes end when the block is
    left, and also when this process dies. What happens to a board, such as a bus error, it says on our standard error.

    Raises:
        SimulationError: a board did not start; says why.
        BitstreamError: a design cannot be read, or has no description (`DesignError`).
    """
    if count < 1:
        raise InvalidArgument(f"{count} boards cannot be simulated")

    # Each is parsed once, and its errors are raised here; the boards find it in the cache.
    for path in designs:
        await load_design(path)

    known = [f"--design={os.fspath(path)}" for path in designs]
    known += [f"--kernel={ip}={where}" for ip, where in (kernels or {}).items()]

    async with AsyncExitStack() as stack:
        children = [
            await stack.enter_async_context(_child([*known, *_arguments(options, index, first_port)]))
            for index in range(count)
        ]

        try:
            async with asyncio.timeout(timeout):
                addresses = [await _address(child) for child in children]
        except TimeoutError:
            raise SimulationError(f"{count} simulated boards did not start within {timeout:g} s") from None

        try:
            yield addresses
        finally:
            # All of them before the first is waited for: they end side by side.
            for child in children:
                if child.stdin is not None:
                    child.stdin.close()


def _arguments(options: dict[str, object], index: int, first_port: int) -> list[str]:
    chosen: dict[str, object] = {"port": first_port + index if first_port else 0, "seed": index, **options}
    arguments: list[str] = []

    for name, value in chosen.items():
        one = value[index] if isinstance(value, list | tuple) else value
        flag = f"--{name.replace('_', '-')}"

        if one is True:
            arguments.append(flag)
        elif one is not None and one is not False:
            arguments += [flag, str(one)]

    return arguments


@asynccontextmanager
async def _child(arguments: list[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pynq_async.sim",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # A terminal's Ctrl-C is ours alone: they end with their input, and quietly even while they start.
        process_group=0 if os.name == "posix" else None,
    )

    try:
        yield process
    finally:
        await _reap(process)


async def _address(process: asyncio.subprocess.Process) -> BoardAddress:
    assert process.stdin is not None
    assert process.stdout is not None
    line = await process.stdout.readline()
    ready: dict[str, Any] = json.loads(line or b"{}")

    if "address" not in ready:
        why = ready.get("error") or f"exit code {await process.wait()}"
        raise SimulationError(f"a simulated board did not start: {why}")

    address = BoardAddress(ready["address"])
    address.pid = process.pid
    address._input = process.stdin  # noqa: SLF001 - made here only
    return address


async def _reap(process: asyncio.subprocess.Process) -> None:
    """End a child: it leaves when its input ends, and is killed where it does not."""
    assert process.stdin is not None
    process.stdin.close()

    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                # `communicate` reads what is left, so that a full pipe cannot hold the child.
                await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

            await asyncio.shield(process.wait())
