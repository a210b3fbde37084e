"""Fixtures for the tests of a board."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pynq_async import MMIO, RemoteDevice
from pynq_async.bitstream import synthetic_bitstream

from .interrupt_bench import Bench, bench

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes bitstreams, each of another content."""

    def make(seed: int = 0, *, part: str = "7z020clg400", size: int = 40_000, partial: bool = False) -> Path:
        path = tmp_path / f"design{seed}.bit"
        path.write_bytes(synthetic_bitstream(part, size, seed, partial=partial))
        return path

    return make


@pytest.fixture
def registers(board: RemoteDevice) -> MMIO:
    """The first registers of the fabric."""
    return board.mmio(0x4000_0000, 0x1000)


@pytest.fixture(params=[False, True], ids=["polled", "service"])
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """A board full of interrupts, waited for by polling and through the service."""
    async with bench(service=request.param) as made:
        yield made
