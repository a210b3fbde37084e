"""Speed beside PYNQ's own client: the same simulated boards, turn by turn, medians and ratios pair by pair.

    PYNQ_REMOTE=1 pip install pynq==4.0.0       # in an environment of its own
    python benchmarks/against_pynq.py --pynq-python PATH/TO/ITS/bin/python

or `nox -s bench`, which does both. What was moved is compared byte for byte; a difference ends the program.
"""

import argparse
import asyncio
import hashlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pynq_async import BoardFarm, Buffer, RemoteDevice, load_bitstream
from pynq_async.bitstream import synthetic_bitstream
from pynq_async.sim import spawn

BOARDS = 4
REGISTERS = 1000
WINDOW = 0x1000_0000
FILE = "/tmp/benchmark.bin"
BITSTREAM = Path(__file__).resolve().parents[2] / "shared" / "overlays" / "zcu104-base" / "base.bit"
SYNTHETIC_BYTES = 19_311_104

Timed = Callable[[int], Awaitable[float]]


class Pynq:
    """PYNQ's client in its own process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, job: str, **arguments: object) -> dict[str, Any]:
        """Have a job done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"job": job, **arguments}).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """The next thing it says."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()

        if not line:
            raise SystemExit("PYNQ's client failed; see above")

        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def pynq_client(python: str, addresses: list[str]) -> AsyncIterator[Pynq]:
    """Start PYNQ's client, and end it."""
    worker = Path(__file__).with_name("pynq_worker.py")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(python, str(worker), *addresses, stdin=pipe, stdout=pipe)
    pynq = Pynq(process)

    try:
        await pynq.answer()
        yield pynq
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.communicate()


class Benchmark:
    """The jobs, each for PYNQ and for us; every job gives seconds and checks what it moved."""

    def __init__(self, options: argparse.Namespace, farm: BoardFarm, pynq: Pynq, folder: Path) -> None:
        self.options = options
        self.farm = farm
        self.board: RemoteDevice = next(iter(farm.values()))
        self.pynq = pynq
        self.folder = folder
        self.buffer: Buffer
        self.size = options.buffer_mb << 20
        self.content = os.urandom(options.file_mb << 20)
        self.bit = BITSTREAM.read_bytes() if BITSTREAM.exists() else synthetic_bitstream(size=SYNTHETIC_BYTES)
        self.numbers = [pow(3, index, 1 << 31) for index in range(REGISTERS)]

    async def prepare(self) -> None:
        """Put on the board what the jobs read."""
        self.buffer = await self.board.allocate(self.size, "u1")
        await self.board.write_file(FILE, self.content)
        await self.board.mmio(WINDOW, 0x1000).write_block(0, np.array(self.numbers, "u4"))

    def random(self, seed: int) -> bytes:
        """The content of a buffer."""
        return np.random.default_rng(seed).bytes(self.size)

    async def their_upload(self, turn: int) -> float:
        return float((await self.pynq("to_board", size=self.size, seed=turn))["seconds"])

    async def our_upload(self, turn: int) -> float:
        self.buffer[:] = np.frombuffer(self.random(turn), "u1")
        start = time.perf_counter()
        await self.buffer.sync_to_device()
        return time.perf_counter() - start

    async def their_fetch(self, turn: int) -> float:
        await self.their_upload(turn)
        answer = await self.pynq("from_board")
        check(answer["digest"] == hashlib.sha256(self.random(turn)).hexdigest(), "PYNQ's buffer")
        return float(answer["seconds"])

    async def our_fetch(self, turn: int) -> float:
        await self.our_upload(turn)
        self.buffer[:] = 0
        start = time.perf_counter()
        await self.buffer.sync_from_device()
        seconds = time.perf_counter() - start
        check(self.buffer.tobytes() == self.random(turn), "our buffer")
        return seconds

    async def their_read(self, turn: int) -> float:
        answer = await self.pynq("read_file", path=FILE)
        check(answer["digest"] == hashlib.sha256(self.content).hexdigest(), "the file that PYNQ read")
        return float(answer["seconds"])

    async def our_read(self, turn: int) -> float:
        start = time.perf_counter()
        found = await self.board.read_file(FILE)
        seconds = time.perf_counter() - start
        check(found == self.content, "the file that we read")
        return seconds

    async def their_download(self, turn: int) -> float:
        path = self.fresh_bitstream(2 * turn)
        # PYNQ sends nothing when there is a file of that name.
        name = f"benchmark-{turn}.bin"
        answer = await self.pynq("download", path=str(path), name=name, loaded=self.options.loaded)
        path.unlink()

        if turn == 0:  # reading back takes longer than all the rest
            content = await self.board.read_file(f"/lib/firmware/{name}")
            check(hashlib.sha256(content).hexdigest() == answer["digest"], "PYNQ's firmware")

        await self.farm.run(lambda board: board.write_file(f"/lib/firmware/{name}", b""))
        return float(answer["seconds"])

    async def our_download(self, turn: int) -> float:
        path = self.fresh_bitstream(2 * turn + 1)
        bitstream = await load_bitstream(path) if self.options.loaded else None
        start = time.perf_counter()
        await self.farm.download(bitstream or path)
        seconds = time.perf_counter() - start

        if turn == 0:
            await self.board.download(path, verify="full")

        path.unlink()
        return seconds

    async def their_registers(self, turn: int) -> float:
        answer = await self.pynq("registers", count=REGISTERS)
        check(answer["sum"] == sum(self.numbers), "the registers that PYNQ read")
        return float(answer["seconds"])

    async def our_registers(self, turn: int) -> float:
        window = self.board.mmio(WINDOW, 0x1000)
        start = time.perf_counter()
        found = [await window.read(4 * index) for index in range(REGISTERS)]
        seconds = time.perf_counter() - start
        check(found == self.numbers, "the registers that we read")
        return seconds

    async def our_block(self, turn: int) -> float:
        window = self.board.mmio(WINDOW, 0x1000)
        start = time.perf_counter()
        found = await window.read_block(0, REGISTERS)
        seconds = time.perf_counter() - start
        check(found.tolist() == self.numbers, "the block that we read")
        return seconds

    def fresh_bitstream(self, number: int) -> Path:
        """A bitstream that no board has: the same size every time, another content."""
        middle = len(self.bit) // 2
        path = self.folder / f"fresh-{number}.bit"
        path.write_bytes(self.bit[:middle] + number.to_bytes(4, "little") + self.bit[middle + 4 :])
        return path


def check(right: bool, what: str) -> None:
    """End the program when something was not moved as it was."""
    if not right:
        raise SystemExit(f"{what}: the content is wrong")


async def compare(theirs: Timed, ours: Timed, repeats: int) -> tuple[float, float, float]:
    """Medians of both in seconds, and of the ratios of the turns; who begins alternates."""
    pairs: list[tuple[float, float]] = []

    for turn in range(repeats):
        if turn % 2:
            mine = await ours(turn)
            pairs.append((await theirs(turn), mine))
        else:
            pairs.append((await theirs(turn), await ours(turn)))

    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)


async def run(options: argparse.Namespace) -> None:
    """Start boards and PYNQ's client, do every job that was asked for, print the table."""
    memory = 1 << 30

    async with (
        spawn(BOARDS, family="zynqmp", model="ZCU104", cma_bytes=memory, firmware_bytes=memory) as addresses,
        BoardFarm(addresses) as farm,
        pynq_client(options.pynq_python, [str(address) for address in addresses]) as pynq,
    ):
        with tempfile.TemporaryDirectory() as folder:
            b = Benchmark(options, farm, pynq, Path(folder))
            await b.prepare()
            bulk, sent = b.size, BOARDS * len(b.bit)
            jobs: dict[str, tuple[str, Timed, Timed, int, float]] = {
                "from": (f"buffer from the board, {bulk >> 20} MiB", b.their_fetch, b.our_fetch, bulk, 8),
                "to": (f"buffer to the board, {bulk >> 20} MiB", b.their_upload, b.our_upload, bulk, 2),
                "file": (f"file from the board, {options.file_mb} MiB", b.their_read, b.our_read, len(b.content), 8),
                "bitstream": (
                    f"bitstream of {len(b.bit) / 1e6:.1f} MB to {BOARDS} boards",
                    b.their_download,
                    b.our_download,
                    sent,
                    1.5,
                ),
                "registers": ("registers one by one", b.their_registers, b.our_registers, 0, 0),
                "pipelined": ("registers pipelined (PYNQ: one by one)", b.their_registers, b.our_block, 0, 0),
            }
            print(f"{'':42}{'pynq 4.0.0':>13}{'pynq_async':>13}{'ratio':>8}{'target':>8}", flush=True)

            for name, (title, theirs, ours, size, target) in jobs.items():
                if options.only and name not in options.only:
                    continue

                slow, fast, ratio = await compare(theirs, ours, options.repeats)
                goal = f"{target:g}" if target else ""
                print(f"{title:42}{shown(slow, size):>13}{shown(fast, size):>13}{ratio:8.1f}{goal:>8}", flush=True)

            await b.buffer.free()


def shown(seconds: float, size: int) -> str:
    """A speed for bytes, a time for a register."""
    return f"{size / seconds / 1e6:,.1f} MB/s" if size else f"{seconds / REGISTERS * 1e6:,.0f} us"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pynq-python", required=True, help="the interpreter of an environment with pynq 4.0.0")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--buffer-mb", type=int, default=64)
    parser.add_argument("--file-mb", type=int, default=16)
    parser.add_argument("--only", nargs="+", choices=["from", "to", "file", "bitstream", "registers", "pipelined"])
    parser.add_argument(
        "--loaded",
        action="store_true",
        help="bitstreams are read before the time is taken, by PYNQ once for all boards",
    )
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
