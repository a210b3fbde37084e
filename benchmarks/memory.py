"""What this package costs its program: memory while a buffer is synchronised, import time, lateness of the loop.

    python benchmarks/memory.py

Simulated boards run in processes of their own. Needs Linux, for /proc. Prints each figure with its target.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from pynq_async import RemoteDevice, load_design
from pynq_async.bitstream import shipped_description, synthetic_bitstream
from pynq_async.sim import spawn

TICK = 0.01
UNWANTED = ("pynqmetadata", "IPython", "pydantic")
DESCRIPTION = Path(__file__).resolve().parents[2] / "shared" / "overlays" / "pynq-z2-base" / "base.hwh"
DESCRIPTION_BYTES = 4_500_000
FILE_BYTES = 16 << 20

IMPORT = f"""
import sys, time
start = time.perf_counter()
from pynq_async import *
print(time.perf_counter() - start, *[name for name in {UNWANTED} if name in sys.modules])
"""


def show(what: str, figure: str, target: str) -> None:
    """Print a row."""
    print(f"{what:44}{figure:>14}   target {target}", flush=True)


def resident(field: str) -> float:
    """VmRSS or VmHWM, the present and the highest memory of this process, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024

    raise SystemExit("this system does not tell how much memory a process has")


def forget_peak() -> float:
    """Make the present memory the highest, and give it; see proc(5)."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def import_time() -> None:
    """The median of nine fresh interpreters, and what is loaded that need not be."""
    seconds: list[float] = []
    unwanted: set[str] = set()

    for _ in range(9):
        said = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
        first, *names = said.stdout.split()
        seconds.append(float(first))
        unwanted.update(names)

    show("import pynq_async", f"{median(seconds):.3f} s", "0.35 s")
    show(f"it also imports, of {', '.join(UNWANTED)}", " ".join(sorted(unwanted)) or "none", "none")


async def peak_memory(board: RemoteDevice, size: int) -> None:
    """How far memory rises above the array, all pages of which are there before."""
    async with board.allocate(size, "u1") as buffer:
        buffer[:] = 0x5A
        before = forget_peak()
        await buffer.sync_to_device()
        up = resident("VmHWM") - before
        buffer[:] = 0
        await buffer.sync_from_device()
        both = resident("VmHWM") - before

        if not (buffer == 0x5A).all():
            raise SystemExit("the buffer came back with another content")

    show(f"memory above the array, {size >> 20} MiB to the board", f"{up:.1f} MiB", "16 MiB")
    show("the same, to and from the board", f"{both:.1f} MiB", "16 MiB")


@asynccontextmanager
async def ticker(what: str) -> AsyncIterator[None]:
    """Show how late a task that wants to run every 10 ms ever was, and how late if it had never lacked a processor."""
    loop = asyncio.get_running_loop()
    late, own = [0.0], [0.0]

    async def tick() -> None:
        while True:
            due, waited = loop.time() + TICK, without_processor()
            await asyncio.sleep(TICK)
            late.append(loop.time() - due)
            own.append(late[-1] - (without_processor() - waited))

    async with asyncio.TaskGroup() as group:
        task = group.create_task(tick())
        await asyncio.sleep(5 * TICK)
        started = loop.time()
        yield
        seconds = loop.time() - started
        await asyncio.sleep(2 * TICK)
        task.cancel()

    show(f"{what} ({seconds:.2f} s)", f"{max(late) * 1e3:.1f} ({max(own) * 1e3:.1f}) ms", "50 ms")


def without_processor() -> float:
    """How many seconds this thread was ready to run while others had the processors."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


async def timed(what: str, work: Awaitable[object]) -> object:
    """Do some work under the ticker."""
    async with ticker(what):
        return await work


async def lateness(board: RemoteDevice, size: int, folder: Path) -> None:
    """A 10 ms ticker beside everything that takes long."""
    print(
        "\nworst lateness of a 10 ms ticker (in brackets: without the time in which other programs had the processors)"
    )
    await timed("nothing", asyncio.sleep(1))

    async with board.allocate(size, "u1") as buffer:
        buffer[:] = 1
        await timed(f"{size >> 20} MiB to the board", buffer.sync_to_device())
        await timed(f"{size >> 20} MiB from the board", buffer.sync_from_device())

    description = DESCRIPTION.read_bytes() if DESCRIPTION.exists() else enlarged(shipped_description("resizer"))
    hwh = folder / "large.hwh"
    hwh.write_bytes(description)
    bit = folder / "large.bit"
    bit.write_bytes(synthetic_bitstream("xczu7ev-ffvc1156-2-e", 19_311_104))
    os.environ["PYNQ_ASYNC_CACHE"] = str(folder)
    await timed(f"parse {len(description) / 1e6:.1f} MB of description", load_design(hwh))
    await timed("parse it again, from the cache", load_design(hwh))
    hwh.unlink()
    await timed("download 19.3 MB", board.download(bit))
    content = os.urandom(FILE_BYTES)
    await timed("write a file of 16 MiB", board.write_file("/tmp/benchmark.bin", content))
    found = await timed("read it", board.read_file("/tmp/benchmark.bin"))

    if found != content:
        raise SystemExit("the file came back with another content")


def enlarged(description: bytes) -> bytes:
    """A description of the size of a large one: more of the modules that it has."""
    begin = description.index(b"<MODULES>") + len(b"<MODULES>")
    end = description.index(b"</MODULES>")
    modules = description[begin:end].split(b"</MODULE>")[:-1]
    module = min(modules, key=len) + b"</MODULE>"
    name = module.split(b'FULLNAME="/', 1)[1].split(b'"', 1)[0]
    count = (DESCRIPTION_BYTES - len(description)) // len(module)
    more = b"".join(module.replace(name, name + b"_copy_%d" % index) for index in range(count))
    return description[:end] + more + description[end:]


async def run(options: argparse.Namespace) -> None:
    """Everything, on one simulated board."""
    import_time()
    size = options.buffer_mb << 20

    async with (
        spawn(1, family="zynqmp", model="ZCU104", cma_bytes=2 * size) as addresses,
        RemoteDevice(addresses[0]) as board,
    ):
        await peak_memory(board, size)

        with tempfile.TemporaryDirectory() as folder:
            await lateness(board, size, Path(folder))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--buffer-mb", type=int, default=256)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
