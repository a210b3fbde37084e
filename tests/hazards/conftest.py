"""A simulated board with its destructive behaviours switched on, and a careless and a real client to meet it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pynq_async import Bitstream, Limits, RemoteDevice, Timeouts
from pynq_async.errors import ConnectError, ConnectionLost
from pynq_async.sim import Hazards, SimBoard, serve

from ..boards import settled
from ..sim.conftest import RawClient

PS = 0xF800_0000  # a register of the Zynq's processing system: there whatever the fabric holds
PL = 0x4000_0000  # the first address of the programmable logic
QUICK = Timeouts(connect=5, call=5, allocate=5, stall=5, program=5, shutdown=0.2, grace=0.05)

# Everything that does damage and that a right client may meet at any time; the rest is switched on test by test.
DANGER = Hazards(
    crash_on_race=True,
    race_window=0.0005,
    reorder=True,
    reorder_window=0.001,
    crash_on_use_after_free=True,
    crash_out_of_range=True,
    far=0,
    crash_on_long_name=True,
    restart_delay=0.01,
    manager_polls=1,
)
_SYNC = bytes.fromhex("665599aa")


def danger(**changes: Any) -> Hazards:
    """`DANGER` with some switches set otherwise."""
    return replace(DANGER, **changes)


@asynccontextmanager
async def careless(hazards: Hazards | None = None, **options: Any) -> AsyncIterator[tuple[SimBoard, RawClient]]:
    """A simulated board and a client without any defence; what happens to it is nobody's business."""
    sim = SimBoard(hazards=hazards or Hazards(restart_delay=0.01), **options)

    async with serve(sim) as address, neighbour(address) as raw:
        yield sim, raw


@asynccontextmanager
async def neighbour(address: str) -> AsyncIterator[RawClient]:
    """Another user of a board, without any defence."""
    raw = RawClient(address)

    try:
        yield raw
    finally:
        await raw.channel.close()


@asynccontextmanager
async def endangered(
    hazards: Hazards | None = None,
    *,
    timeouts: Timeouts = QUICK,
    limits: Limits | None = None,
    deaths: int = 0,
    **options: Any,
) -> AsyncIterator[tuple[SimBoard, RemoteDevice]]:
    """A dangerous board and the real client; on leaving, nothing may have happened and nothing may be left.

    `deaths` is how often the server may have died by itself, because of somebody else.
    """
    async with (
        served(hazards, deaths=deaths, **options) as sim,
        RemoteDevice(sim.address, timeouts=timeouts, limits=limits) as board,
    ):
        yield sim, board


@asynccontextmanager
async def served(hazards: Hazards | None = None, *, deaths: int = 0, **options: Any) -> AsyncIterator[SimBoard]:
    """A dangerous board; on leaving, nothing may have happened to it and nothing may be left."""
    before = asyncio.all_tasks()
    sim = SimBoard(hazards=hazards or DANGER, **options)

    async with serve(sim):
        yield sim
        await settled(sim)

    assert_unharmed(sim, deaths)
    left = asyncio.all_tasks() - before
    assert not left, left


def assert_unharmed(sim: SimBoard, deaths: int = 0) -> None:
    """Nothing is left on the board, and it was never led into one of its traps."""
    seen = sim.counters
    assert seen.live_buffers == 0, "a buffer leaked on the board"
    assert seen.races == 0, seen.race_log
    assert len(seen.crashes) == deaths, seen.crashes
    assert seen.use_after_free == seen.duplicate_window_ids == 0
    assert seen.out_of_range == seen.unaligned == seen.odd_writes == 0
    assert seen.runaway_reads == seen.overflows == seen.long_names == 0


async def assert_works(sim: SimBoard, board: RemoteDevice) -> None:
    """The board is usable: registers, buffers and files."""
    registers = board.mmio(PS, 64)
    await registers.write(8, 0x1234_5678)
    assert await registers.read(8) == sim.memory.load(PS + 8) == 0x1234_5678

    async with board.allocate(3000, "u1") as buffer:
        buffer[:] = 0x5A
        await buffer.sync_to_device()
        assert sim.memory.read(buffer.physical_address, 3000) == b"\x5a" * 3000
        buffer[:] = 0
        await buffer.sync_from_device()
        assert (buffer == 0x5A).all()

    await board.write_file("/tmp/works", b"yes")
    assert await board.read_file("/tmp/works") == b"yes"


async def reached(board: RemoteDevice) -> None:
    """Wait until the client is connected again; reading twice is all it does by itself."""
    async with asyncio.timeout(15):
        while True:
            try:
                await board.exists_file("/tmp")
            except (ConnectionLost, ConnectError):  # gRPC itself waits up to two seconds between attempts
                await asyncio.sleep(0.01)
            else:
                return


@contextmanager
def nothing_sent(sim: SimBoard) -> Iterator[None]:
    """What happens inside must not reach the board."""
    before = sim.counters.calls.total()
    yield
    assert sim.counters.calls.total() == before, dict(sim.counters.calls)


@cache
def firmware(size: int = 40_000, seed: int = 0, *, partial: bool = False, name: str = "") -> Bitstream:
    """A bitstream for a Pynq-Z2 that the simulated FPGA manager accepts."""
    data = b"\xff" * 32 + _SYNC + seed.to_bytes(4, "little") * ((size - 36) // 4)
    digest = sha256(data).hexdigest()
    name = name or f"design{seed}.bit"
    return Bitstream(name=name, path=Path(name), data=data, digest=digest, family="zynq7000", partial=partial)


def only_whole(sim: SimBoard, *designs: Bitstream) -> bool:
    """Whether nothing but these bitstreams was ever given to the fabric, each of them complete."""
    return {event.digest for event in sim.counters.programmed} <= {design.digest for design in designs}
