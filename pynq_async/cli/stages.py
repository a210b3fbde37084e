"""The stages of a self test: what a new board must do before anything is built on it."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import numpy as np

from ..bitstream import Bitstream
from ..board.device import RemoteDevice
from ..board.fabric import MANAGER
from ..board.firmware import FOLDER
from ..config import BoardSpec
from ..errors import PynqError, RemoteFileNotFound
from .output import bytes_text, sentence

_PROBE = "pynq_async.selftest"
_FILE_BYTES = 1 << 16
_BUFFER_WORDS = 1 << 18
_DEV_MEM = re.compile(r" /dev/mem$", re.MULTILINE)


class StageFailed(Exception):
    """A stage found something wrong; the message is the cause."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a stage ended: `passed` is None when it was skipped; `detail` says what was found, or why not."""

    stage: str
    passed: bool | None
    detail: str
    seconds: float = 0.0


class SelfTest:
    """The stages in order, each given to `report` when it has ended."""

    def __init__(self, spec: BoardSpec, bitstream: Bitstream | None) -> None:
        self._board = RemoteDevice(spec)
        self._bitstream = bitstream
        self._outcomes: dict[str, Outcome] = {}

    async def run(self, report: Callable[[Outcome], None]) -> list[Outcome]:
        """Run all stages; leaves nothing on the board but two empty files."""
        board = self._board
        no_bitstream = None if self._bitstream else "no --bitstream was given"
        stages: tuple[tuple[str, tuple[str, ...], Callable[[RemoteDevice], Awaitable[str]], str | None], ...] = (
            ("network", (), self._reach, None),
            ("server", ("network",), self._identify, None),
            ("files", ("server",), _files, None),
            ("buffers", ("server",), _buffers, None),
            ("registers", ("server",), _registers, None),
            ("FPGA manager", ("server",), _manager, None),
            ("firmware", ("server",), _firmware, None),
            ("download", ("FPGA manager", "firmware"), self._download, no_bitstream),
        )

        try:
            for name, needs, check, reason in stages:
                outcome = self._outcomes[name] = await self._stage(name, needs, check, board, reason)
                report(outcome)
        finally:
            await board.aclose()

        return list(self._outcomes.values())

    async def _stage(
        self,
        name: str,
        needs: tuple[str, ...],
        check: Callable[[RemoteDevice], Awaitable[str]],
        board: RemoteDevice,
        reason: str | None,
    ) -> Outcome:
        missing = [need for need in needs if not self._outcomes[need].passed]

        if reason or missing:
            return Outcome(name, None, reason or f"needs {' and '.join(missing)}")

        begun = time.perf_counter()

        try:
            detail = await check(board)
        except (PynqError, StageFailed) as error:
            return Outcome(name, False, sentence(error, board=board.name), time.perf_counter() - begun)

        return Outcome(name, True, detail, time.perf_counter() - begun)

    async def _reach(self, board: RemoteDevice) -> str:
        address, limit = board.address, board.timeouts.connect
        host, port = address.host, address.port

        try:
            async with asyncio.timeout(limit):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
                _, writer = await asyncio.open_connection(host, port)
        except socket.gaierror as error:
            raise StageFailed(f"the name {host} cannot be resolved ({error.strerror})") from None
        except TimeoutError:
            raise StageFailed(
                f"no answer from {address.target} within {limit:g} s; is the board on, and on this network?"
            ) from None
        except ConnectionRefusedError:
            raise StageFailed(f"port {port} of {host} is closed; is pynq-remote running on the board?") from None
        except OSError as error:
            raise StageFailed(f"{address.target} cannot be reached ({error.strerror or error})") from None

        writer.close()
        ip = found[0][4][0]
        return f"port {port} of {host} is open" + (f" ({ip})" if ip != host else "")

    async def _identify(self, board: RemoteDevice) -> str:
        await board
        services = f"{len(board.services)} services" if board.services else "services not listed"
        return f"{board.model}, {board.family}, {board.arch}, {services}"

    async def _download(self, board: RemoteDevice) -> str:
        assert self._bitstream is not None, "the stage is skipped without one"
        loaded = await board.download(self._bitstream, verify="full")
        return f"{loaded.name} is loaded; all of its {bytes_text(len(self._bitstream.data))} were read back"


async def _files(board: RemoteDevice) -> str:
    await _round_trip(board, f"/tmp/{_PROBE}")
    return f"{bytes_text(_FILE_BYTES)} written to /tmp and read back"


async def _buffers(board: RemoteDevice) -> str:
    words = await anyio.to_thread.run_sync(_random_words, _BUFFER_WORDS)

    async with board.allocate(_BUFFER_WORDS, "u4") as buffer:
        buffer[:] = words
        await buffer.sync_to_device()
        buffer[:] = 0
        await buffer.sync_from_device()

        if wrong := int(np.count_nonzero(buffer != words)):
            raise StageFailed(f"{wrong} of {_BUFFER_WORDS} words came back wrong")

        return f"{bytes_text(buffer.nbytes)} at {buffer.physical_address:#x} sent and read back"


async def _registers(board: RemoteDevice) -> str:
    mhz = await board.clocks.get_pl_clk(0)  # a register of the processing system, there on every board
    used = len(_DEV_MEM.findall((await board.read_file("/proc/self/maps")).decode("ascii", "replace")))
    clock = f"PL clock 0 runs at {mhz:g} MHz" if mhz else "PL clock 0 is not set up"
    return f"{used} of {board.limits.windows} register windows in use; {clock}"


async def _manager(board: RemoteDevice) -> str:
    try:
        state = (await board.read_file(f"{MANAGER}/state")).decode("ascii", "replace").strip()
    except RemoteFileNotFound:
        raise StageFailed(f"there is no {MANAGER}; does the board's kernel have the FPGA manager?") from None

    if "error" in state:
        raise StageFailed(f"the last programming of the fabric ended in {state!r}; download a design, or see dmesg")

    return "nothing was programmed since the board booted" if state == "unknown" else f"its state is {state!r}"


async def _firmware(board: RemoteDevice) -> str:
    await _round_trip(board, f"{FOLDER}/{_PROBE}")
    return f"{FOLDER} can be written"


async def _round_trip(board: RemoteDevice, path: str) -> None:
    content = os.urandom(_FILE_BYTES)
    await board.write_file(path, content)
    found = await board.read_file(path)
    await board.write_file(path, b"")  # nothing can be deleted

    if len(found) < len(content):
        raise StageFailed(f"only {len(found)} of {len(content)} bytes arrived in {path}; is its disk full?")

    if found != content:
        raise StageFailed(f"what was read from {path} is not what was written")


def _random_words(count: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.random.default_rng(0).integers(0, 1 << 32, count, np.uint32)
