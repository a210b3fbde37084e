"""What a board object knows without asking: what it was told before it was opened, what is loaded, its traffic."""

from pathlib import Path
from typing import Any

import pytest

from pynq_async import Address, BoardSpec, Limits, Loaded, Progress, RemoteDevice, Timeouts, Tls
from pynq_async.bitstream import parse_bitstream, synthetic_bitstream
from pynq_async.errors import BoardError, ProgrammingFailed
from pynq_async.sim import SimBoard, serve

from ..boards import simulated


def known(board: RemoteDevice) -> Loaded | None:
    """Asked anew each time, in the eyes of a type checker too."""
    return board.last_loaded


def test_a_spec_gives_all_that_is_not_told() -> None:
    spec = BoardSpec("left", Address("10.0.0.1"), tls=Tls(), timeouts=Timeouts(call=1), limits=Limits(calls=2))
    board = RemoteDevice(spec)
    assert (board.name, board.address, board.tls) == ("left", spec.address, spec.tls)
    assert (board.timeouts, board.limits) == (spec.timeouts, spec.limits)
    board = RemoteDevice(spec, name="mine", timeouts=Timeouts(call=9), limits=Limits())
    assert (board.name, board.timeouts.call, board.limits) == ("mine", 9, Limits())
    assert str(spec) == "10.0.0.1" and RemoteDevice(BoardSpec("a", spec.address)).timeouts == Timeouts()


async def test_what_is_loaded_is_known_as_far_as_this_object_has_seen(bitfile: Path) -> None:
    part = parse_bitstream("part.bit", synthetic_bitstream(seed=5, partial=True))

    async with simulated() as (sim, board):
        assert known(board) is None
        loaded = await board.download(bitfile)
        assert known(board) is loaded
        await board.download(part, partial=True, ranges=[range(0x4000_0000, 0x4001_0000)])
        after = known(board)
        assert after is not None and (after.name, after.partials) == ("small.bit", ("part.bit",))

        async with RemoteDevice(sim.address) as other:
            assert known(other) is None
            assert await other.loaded() == known(other) is not None

        sim.faults.program_state = "write error"

        with pytest.raises(ProgrammingFailed):
            await board.download(bitfile)

        assert known(board) is None, "nobody knows"

    assert known(board) is None and not board.traffic.sent == board.traffic.received == 0


async def test_bytes_that_go_and_come_are_counted() -> None:
    async with serve(SimBoard()) as address:
        board = RemoteDevice(address)
        assert (board.traffic.sent, board.traffic.received) == (0, 0)

        async with board, board.allocate(1 << 20, "u1") as buffer:
            before = board.traffic
            await buffer.sync_to_device()
            half = board.traffic
            await buffer.sync_from_device()
            after = board.traffic

    assert 0 < half.sent - before.sent - (1 << 20) < 4096 and half.received - before.received < 4096
    assert 0 < after.received - half.received - (1 << 20) < 65536 and after.sent - half.sent < 4096


async def test_an_observer_is_told_how_every_download_goes_and_ends(bitfile: Path) -> None:
    told: list[Any] = []

    class Observer:
        def progressed(self, step: Progress) -> None:
            told.append(step.stage)

        def loaded(self, board: str, loaded: Loaded) -> None:
            told.append(loaded)

        def failed(self, board: str, error: BaseException) -> None:
            told.append(error)

    async with simulated() as (sim, board):
        board.observer = Observer()

        loaded = await board.download(bitfile)
        assert told[-2:] == ["done", loaded] and "upload" in told
        told.clear()
        sim.faults.program_state = "write error"

        with pytest.raises(BoardError) as caught:
            await board.download(bitfile)

        assert told == ["program", caught.value]
