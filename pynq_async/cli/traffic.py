"""What the demo does with its boards: stage after stage, each on all boards at once, timed and verified."""

import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
import numpy as np
import numpy.typing as npt

from ..bitstream import Bitstream, Design
from ..board.device import RemoteDevice
from ..errors import PynqError
from ..farm import BoardFarm
from ..progress import Progress, ProgressCallback
from .output import rate, sentence

if TYPE_CHECKING:
    from ..board.buffer import Buffer

STAGES = {
    "upload": "bitstream",
    "verify": "read back",
    "to board": "to board",
    "from board": "from board",
    "compare": "compare",
    "registers": "registers",
}
_PIECE = 1 << 17  # 64-bit words: 1 MiB, short enough to hold the interpreter for
_MOST_REGISTERS = 256
_BLOCK = 64

# Where a simulated board of each family has fabric and nothing in it: UG585 table 4-1, UG1085 table 10-1, AM011.
_SIMULATED_REGISTERS = {"zynq7000": 0x4000_0000, "zynqmp": 0xA000_0000, "versal": 0xA400_0000}


@dataclass(slots=True)
class Report:
    """What one board did; rates are bytes or registers a second, None where there was nothing to measure."""

    design: str | None = None
    uploaded_bytes: int = 0
    upload: float | None = None
    to_board: float | None = None
    from_board: float | None = None
    registers: float | None = None
    problem: str | None = None


class Traffic:
    """Runs the stages; a board in which one fails takes no part in the later ones.

    Attributes:
        reports: what each board did, by name.
        totals: bytes or registers a second of all boards together, by stage.
    """

    def __init__(self, farm: BoardFarm, nbytes: int, progress: ProgressCallback, *, simulated: bool) -> None:
        self.reports = {name: Report() for name in farm}
        self.totals: dict[str, float | None] = {}
        self._farm = farm
        self._words = nbytes // 8
        self._progress = progress
        self._simulated = simulated
        self._buffers: dict[str, Buffer] = {}
        self._memories: dict[str, tuple[int, int]] = {}

    async def run(self, bitstream: Bitstream | None, design: Design | None) -> None:
        """Do all of it."""
        if bitstream is not None:
            await self._together("download", partial(self._download, bitstream, design))
        else:
            await self._together("what is loaded", self._look)

        await self._together("allocate", self._allocate)
        self.totals["to_board"] = await self._together("to board", self._to_board)
        await self._together("clear", self._clear)
        self.totals["from_board"] = await self._together("from board", self._from_board)
        await self._together("compare", self._compare)
        self.totals["registers"] = await self._together("registers", self._registers)
        await self._together("free", self._free)

    async def _together(self, stage: str, work: Callable[[RemoteDevice], Awaitable[float]]) -> float | None:
        """Run a stage on all boards that are well; returns how much was moved a second, of what `work` counts."""
        well = [name for name, report in self.reports.items() if report.problem is None]
        begun = time.perf_counter()
        results = await self._farm.run(work, to=well, check=False)
        seconds = time.perf_counter() - begun

        for name, error in results.failures.items():
            if not isinstance(error, PynqError):
                raise error

            self.reports[name].problem = f"{stage}: {sentence(error, board=name)}"

        return rate(sum(results.values()), seconds)

    async def _download(self, bitstream: Bitstream, design: Design | None, board: RemoteDevice) -> float:
        begun = uploaded = time.perf_counter()

        def step(progress: Progress) -> None:
            nonlocal uploaded

            if progress.stage == "upload":
                uploaded = time.perf_counter()
            elif progress.stage == "done":
                progress = Progress(board.name, "upload", 1, 1)  # it was there already, perhaps

            self._progress(progress)

        loaded = await board.download(bitstream, design=design, verify="full", progress=step)
        report = self.reports[board.name]
        report.design, report.uploaded_bytes = loaded.name, loaded.uploaded_bytes
        report.upload = rate(loaded.uploaded_bytes, uploaded - begun)

        if memory := _block_ram(loaded.design):
            self._memories[board.name] = memory
        elif self._simulated:
            self._memories[board.name] = _SIMULATED_REGISTERS[board.family], 4 * _MOST_REGISTERS

        return loaded.uploaded_bytes

    async def _look(self, board: RemoteDevice) -> float:
        loaded = await board.loaded()
        self.reports[board.name].design = loaded.name if loaded else None
        return 0

    async def _allocate(self, board: RemoteDevice) -> float:
        buffer = self._buffers[board.name] = await board.allocate(self._words, "u8")
        self._progress(Progress(board.name, "to board", 0, 0))
        await anyio.to_thread.run_sync(_fill, np.asarray(buffer), _seed(board.name))
        return buffer.nbytes

    async def _to_board(self, board: RemoteDevice) -> float:
        buffer = self._buffers[board.name]
        begun = time.perf_counter()
        await buffer.sync_to_device(progress=self._progress)
        self.reports[board.name].to_board = rate(buffer.nbytes, time.perf_counter() - begun)
        return buffer.nbytes

    async def _clear(self, board: RemoteDevice) -> float:
        await anyio.to_thread.run_sync(np.asarray(self._buffers[board.name]).fill, 0)
        return 0

    async def _from_board(self, board: RemoteDevice) -> float:
        buffer = self._buffers[board.name]
        begun = time.perf_counter()
        await buffer.sync_from_device(progress=self._progress)
        self.reports[board.name].from_board = rate(buffer.nbytes, time.perf_counter() - begun)
        return buffer.nbytes

    async def _compare(self, board: RemoteDevice) -> float:
        array = np.asarray(self._buffers[board.name])

        def step(done: int) -> None:
            self._progress(Progress(board.name, "compare", done, len(array)))

        wrong = await anyio.to_thread.run_sync(_first_difference, array, _seed(board.name), step)

        if wrong is not None:
            self.reports[board.name].problem = f"compare: the buffer came back wrong from byte {8 * wrong} on"

        return array.nbytes

    async def _registers(self, board: RemoteDevice) -> float:
        """Write a memory of 32-bit words and read it back; only where it is known to be one."""
        if board.name not in self._memories:
            return 0

        base, length = self._memories[board.name]
        count = min(length // 4, _MOST_REGISTERS)
        words = np.random.default_rng(_seed(board.name)).integers(0, 1 << 32, count, np.uint32)
        found = np.zeros(count, np.uint32)
        window = board.mmio(base, 4 * count)
        seconds = 0.0

        for first in range(0, count, _BLOCK):
            await window.write_block(4 * first, words[first : first + _BLOCK], ordered=False)
            self._progress(Progress(board.name, "registers", first, 2 * count))

        for first in range(0, count, _BLOCK):
            begun = time.perf_counter()
            found[first : first + _BLOCK] = await window.read_block(4 * first, min(_BLOCK, count - first))
            seconds += time.perf_counter() - begun
            self._progress(Progress(board.name, "registers", count + first + _BLOCK, 2 * count))

        report = self.reports[board.name]
        report.registers = rate(count, seconds)

        if wrong := np.flatnonzero(found != words).tolist():
            at = base + 4 * wrong[0]
            report.problem = f"registers: {at:#x} reads {found[wrong[0]]:#010x}, not {words[wrong[0]]:#010x}"

        return count

    async def _free(self, board: RemoteDevice) -> float:
        await self._buffers[board.name].free()
        return 0


def _block_ram(design: Design | None) -> tuple[int, int] | None:
    """Address and length of a block memory of a design that may be overwritten right after programming."""
    for memory in design.mem_dict.values() if design else ():
        if memory.get("type") == "BRAM" and memory.get("phys_addr") is not None and memory.get("addr_range", 0) >= 4:
            return memory["phys_addr"], memory["addr_range"]

    return None


def _seed(board: str) -> int:
    """Another one for every board, so that boards that are mixed up are noticed."""
    return zlib.crc32(board.encode())


def _fill(array: npt.NDArray[np.uint64], seed: int) -> None:
    random = np.random.default_rng(seed)

    for first in range(0, len(array), _PIECE):
        piece = array[first : first + _PIECE]
        piece[:] = random.integers(0, 1 << 64, len(piece), np.uint64)


def _first_difference(array: npt.NDArray[np.uint64], seed: int, step: Callable[[int], None]) -> int | None:
    """Index of the first word that `_fill` did not put there; None when all are right."""
    random = np.random.default_rng(seed)

    for first in range(0, len(array), _PIECE):
        piece = array[first : first + _PIECE]
        wrong = piece != random.integers(0, 1 << 64, len(piece), np.uint64)

        if wrong.any():
            return first + int(wrong.argmax())

        step(first + len(piece))

    return None
