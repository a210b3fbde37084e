"""Simulated boards for a service: of two families, each with a design that it knows, as fast as boards on a desk."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..bitstream import shipped_description, synthetic_bitstream
from ..concurrency import in_a_thread
from ..config import Address, BoardSpec
from ..sim import spawn
from ..sim.making import MODELS

if TYPE_CHECKING:
    from ..service.service import FarmService
    from ..service.storage import StoredFile

_BITSTREAM_BYTES = 4_000_000  # as much as the bitstream of a Pynq-Z2
_FAST_ETHERNET = 11.5e6  # bytes a second of payload, so that progress can be seen
_PROGRAM_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Kind:
    family: str
    model: str
    tag: str
    design: str
    part: str
    kernels: dict[str, str]


_ZYNQ = _Kind(
    "zynq7000",
    MODELS["zynq7000"],
    "pynq-z2",
    "resizer",
    "7z020clg400",
    {"resize_accel_0": "pynq_async.sim.resizer:resize_accel"},
)
_RFSOC = _Kind("zynqmp", "RFSoC4x2", "rfsoc", "rfsoc_sam", "xczu48dr-ffvg1517-2-e", {})


@asynccontextmanager
async def simulated_boards(count: int) -> AsyncIterator[tuple[list[BoardSpec], list[Path]]]:
    """Run boards sim-1, sim-2, ..., every fourth an UltraScale+; gives them, and the bitstreams that they know.

    The bitstreams are made up, each has its description beside it, and they are gone when the boards are.
    """
    kinds = [_RFSOC if number % 4 == 0 else _ZYNQ for number in range(1, count + 1)]
    specs: dict[int, BoardSpec] = {}
    files = []

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pynq-async-")))

        for kind in {each.design: each for each in kinds}.values():
            file = folder / f"{kind.design}.bit"
            await in_a_thread(partial(_write_files, kind, file))
            numbers = [number for number, each in enumerate(kinds, 1) if each is kind]
            boards = spawn(
                len(numbers),
                family=kind.family,
                model=kind.model,
                seed=numbers,
                designs=[file],
                kernels=kind.kernels,
                bandwidth=_FAST_ETHERNET,
                program_seconds=_PROGRAM_SECONDS,
                drift=True,
            )
            addresses = await stack.enter_async_context(boards)
            files.append(file)

            for number, address in zip(numbers, addresses, strict=True):
                specs[number] = BoardSpec(f"sim-{number}", Address.parse(address), tags=frozenset({kind.tag}))

        yield [specs[number] for number in sorted(specs)], files


async def offer(service: "FarmService", files: Sequence[Path], owner: str) -> None:
    """Have bitstreams and their descriptions uploaded, as if `owner` had done so."""
    for file in files:
        stored = await service.bitstreams.add(await _stored(service, file), file.name, owner)
        description = file.with_suffix(".hwh")
        await service.bitstreams.describe(stored, await _stored(service, description), description.name)


async def _stored(service: "FarmService", file: Path) -> "StoredFile":
    async def pieces() -> AsyncIterator[bytes]:
        yield await in_a_thread(file.read_bytes)

    return await service.storage.receive(pieces(), file.suffix)


def _write_files(kind: _Kind, bitstream: Path) -> None:
    bitstream.write_bytes(synthetic_bitstream(kind.part, _BITSTREAM_BYTES, design=kind.design))
    bitstream.with_suffix(".hwh").write_bytes(shipped_description(kind.design))
