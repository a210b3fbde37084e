"""`pynq-async serve` in a process of its own, and a client of it."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

from .command import COMMAND, command_environment


@asynccontextmanager
async def serving(*arguments: object) -> AsyncIterator[tuple[asyncio.subprocess.Process, Any]]:
    """Run the command with --json on a free port; gives the process and what its first line says."""
    command = [*COMMAND, "serve", *map(str, arguments), "--json", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1, env=command_environment())

    try:
        with anyio.fail_after(40):
            assert process.stdout is not None and process.stderr is not None
            line = await process.stdout.readline()
            assert line, (await process.stderr.read()).decode()
            yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.kill()

        await process.communicate()


async def stopped(process: asyncio.subprocess.Process, number: signal.Signals) -> str:
    """Stop the command; returns what it said on standard error after checking that it ended well."""
    process.send_signal(number)
    return await ended(process)


async def ended(process: asyncio.subprocess.Process) -> str:
    """Wait for the end of a command that was stopped; as `stopped`."""
    out, err = await process.communicate()
    assert (process.returncode, out) == (0, b""), err
    return err.decode()


def client(start: Any, secret: str | None = None, **options: Any) -> httpx.AsyncClient:
    """A client with the token that the service made, or another one."""
    headers = {"Authorization": f"Bearer {secret or start['token']}"}
    return httpx.AsyncClient(base_url=start["url"], headers=headers, timeout=30, **options)
