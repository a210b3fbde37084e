"""Fixtures for all tests: a board, a simulated one and the client connected to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest

from pynq_async import RemoteDevice
from pynq_async.bitstream import synthetic_bitstream
from pynq_async.board import interrupt_service
from pynq_async.sim import SimBoard

from .boards import HASTY, simulated

# Imported now: its plugin would import it for the summary, and CPython 3.11 can fail to parse a module (AST constructor
# recursion depth mismatch) when the garbage collector meets gRPC's coroutines meanwhile.
assert hypothesis


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's cache of parsed descriptions."""
    monkeypatch.setenv("PYNQ_ASYNC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test need not wait for long until a board's interrupt service has been asked once more."""
    monkeypatch.setattr(interrupt_service, "_SLICE", 0.03)


@pytest.fixture
async def connected() -> AsyncIterator[tuple[SimBoard, RemoteDevice]]:
    """A simulated Pynq-Z2 and the client connected to it."""
    async with simulated(timeouts=HASTY) as pair:
        yield pair


@pytest.fixture
def sim(connected: tuple[SimBoard, RemoteDevice]) -> SimBoard:
    """The simulated board."""
    return connected[0]


@pytest.fixture
def board(connected: tuple[SimBoard, RemoteDevice]) -> RemoteDevice:
    """The client connected to `sim`."""
    return connected[1]


@pytest.fixture
def bitfile(tmp_path: Path) -> Path:
    """A small bitstream for a Pynq-Z2."""
    path = tmp_path / "small.bit"
    path.write_bytes(synthetic_bitstream("7z020clg400", 40_000, seed=1))
    return path
