"""Running a program once, its input and output as bytes, so that it never outlives the caller."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from subprocess import PIPE

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended and what it wrote."""

    code: int
    output: bytes
    errors: bytes


async def run_child(command: Sequence[str], data: bytes) -> Ended:
    """Give `data` to a program and wait for its end; it is killed when the caller is cancelled.

    Raises:
        OSError: the program cannot be started.
        NotImplementedError: the event loop cannot start programs.
    """
    output: list[bytes] = []
    errors: list[bytes] = []

    async with await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdin and process.stdout and process.stderr

        # anyio.run_process leaves the child running to its end when asyncio, and not a scope of anyio, cancels.
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_drain, process.stdout, output)
                group.start_soon(_drain, process.stderr, errors)
                await _feed(process.stdin, data)

            code = await process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

            raise

    return Ended(code, b"".join(output), b"".join(errors))


async def _drain(stream: ByteReceiveStream, chunks: list[bytes]) -> None:
    chunks += [chunk async for chunk in stream]


async def _feed(stream: ByteSendStream, data: bytes) -> None:
    # A program that ends early says why by its code and its errors.
    with contextlib.suppress(anyio.BrokenResourceError, ConnectionError):
        await stream.send(data)
        await stream.aclose()
