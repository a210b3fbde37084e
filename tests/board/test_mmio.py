"""Registers: words, blocks, masks and waiting for a value."""

from typing import Any

import numpy as np
import pytest

from pynq_async import MMIO, RemoteDevice
from pynq_async.bitstream import SyntheticIp, synthetic_design
from pynq_async.errors import BoardError, ConnectionLostOutcomeUnknown, DeadlineExceeded, Misuse, OutOfRange
from pynq_async.sim import SimBoard

from ..boards import simulated

BASE = 0x4000_0000


async def test_making_a_window_does_no_io(sim: SimBoard, board: RemoteDevice) -> None:
    calls = sum(sim.counters.calls.values())
    window = board.mmio(BASE, 0x1000)
    assert "not mapped yet" in repr(window)
    assert sum(sim.counters.calls.values()) == calls


@pytest.mark.parametrize("value", [0, 1, 0x89AB_CDEF, 0xFFFF_FFFF])
async def test_a_word_comes_back_unsigned(registers: MMIO, value: int) -> None:
    await registers.write(0x10, value)
    assert await registers.read(0x10) == value


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (-1, 0xFFFF_FFFF),
        (-(1 << 31), 0x8000_0000),
        (np.int32(-2), 0xFFFF_FFFE),
        (np.uint8(200), 200),
        (np.int64(5), 5),
        (True, 1),
        (np.uint32(0x89AB_CDEF), 0x89AB_CDEF),
    ],
)
async def test_integers_of_any_type_are_written_as_four_bytes(registers: MMIO, value: Any, stored: int) -> None:
    await registers.write(0, value)
    assert await registers.read(0) == stored
    assert await registers.read(4) == 0


async def test_errors_name_what_the_registers_belong_to(board: RemoteDevice) -> None:
    mixer = board.mmio(BASE, 0x1000, name="audio/mixer")
    assert f"{board.name} audio/mixer: 0x40000000" in repr(mixer)

    for registers, name in ((mixer, "audio/mixer: "), (mixer.lane(), "audio/mixer: "), (board.mmio(BASE), "")):
        for wrong, problem in (
            (registers.read(0x3), "offset 0x3 is no multiple of 4"),
            (registers.write(0x1000, 0), "4 bytes at offset 0x1000 do not lie in"),
            (registers.write(0, 1 << 32), "4294967296 does not fit into 4 bytes"),
            (registers.wait_for(0, 1, 1, timeout=0.01), "the register at 0x40000000 did not become 0x1"),
        ):
            with pytest.raises(BoardError, match=f"^{board.name}: {name}{problem}") as caught:
                await wrong

            assert caught.value.board == board.name


async def test_a_connection_that_breaks_at_a_register_asks_whether_something_is_there() -> None:
    known = synthetic_design({"leds": SyntheticIp("acme.com:user:leds:1.0", BASE)})

    async with simulated(designs=known) as (_, board):
        for wrong in (board.mmio(BASE, 0x1000, name="leds").read(0x10), board.mmio(BASE, 0x1000).write(0x20, 1)):
            with pytest.raises(ConnectionLostOutcomeUnknown, match="perhaps nothing answers at 0x400000[12]0: is its"):
                await wrong


async def test_eight_bytes_are_two_words(sim: SimBoard, registers: MMIO) -> None:
    await registers.write(0x20, 0x1122_3344_5566_7788, length=8)
    assert sim.memory.read(BASE + 0x20, 8) == (0x1122_3344_5566_7788).to_bytes(8, "little")
    assert await registers.read(0x20, 8) == 0x1122_3344_5566_7788
    assert await registers.read(0x20, 8, "big") == 0x5566_7788_1122_3344
    await registers.write(0x20, -1, length=8)
    assert await registers.read(0x20, 8) == (1 << 64) - 1
    await registers.write(0x20, 0x1_0000_0002, length=8, word_order="big")
    assert await registers.read(0x20) == 1


async def test_short_reads_are_the_lowest_bytes(registers: MMIO) -> None:
    await registers.write(0, 0x8899_AABB)
    assert await registers.read(0, 1) == 0xBB
    assert await registers.read(0, 2) == 0xAABB


async def test_bytes_are_written_word_by_word(sim: SimBoard, registers: MMIO) -> None:
    data = bytes(range(16))
    await registers.write(0x40, data)
    assert sim.memory.read(BASE + 0x40, 16) == data
    assert sim.counters.odd_writes == 0


@pytest.mark.parametrize("kind", [list, np.array, lambda values: np.array(values, "u4"), lambda v: np.array(v, "i8")])
async def test_blocks_of_any_kind_round_trip(registers: MMIO, kind: Any) -> None:
    values = [7, 0xFFFF_FFFF, 3, 4]
    await registers.write_block(0, kind(values))
    words = await registers.read_block(0, 4)
    assert words.dtype == np.uint32
    assert words.tolist() == values


async def test_a_large_block_round_trips_unordered(registers: MMIO) -> None:
    values = np.random.default_rng(1).integers(0, 1 << 32, 256, dtype=np.uint32)
    await registers.write_block(0, values, ordered=False)
    assert np.array_equal(await registers.read_block(0, 256), values)


async def test_an_empty_block_is_nothing(registers: MMIO) -> None:
    await registers.write_block(0, [])
    assert (await registers.read_block(0, 0)).shape == (0,)


async def test_waiting_for_a_register_returns_it(sim: SimBoard, registers: MMIO) -> None:
    polls = 0

    def count(_: int, __: int) -> int:
        nonlocal polls
        polls += 1
        return 0x8000_0001 if polls > 6 else 0  # the server loads a register twice a read

    await registers.read(0)
    sim.on_read(BASE, count)
    assert await registers.wait_for(0, 0x8000_0000, 0x8000_0000, timeout=5) == 0x8000_0001


async def test_waiting_in_vain_ends_with_the_last_value(sim: SimBoard, registers: MMIO) -> None:
    await registers.write(0, 0x1234)
    before = sim.counters.calls["mmio.read"]

    with pytest.raises(DeadlineExceeded, match="it is 0x00001234"):
        await registers.wait_for(0, 0xFF, 0xFF, timeout=0.2)

    assert sim.counters.calls["mmio.read"] - before < 20, "polls must not flood the board"


async def test_no_time_at_all_is_one_look(sim: SimBoard, registers: MMIO) -> None:
    await registers.write(0, 5)
    reads = sim.counters.calls["mmio.read"]

    for timeout in (0, -1):
        assert await registers.wait_for(0, 0xF, 5, timeout=timeout) == 5

        with pytest.raises(DeadlineExceeded, match="it is 0x00000005"):
            await registers.wait_for(0, 0xF, 6, timeout=timeout)

    assert sim.counters.calls["mmio.read"] == reads + 4


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_bytes_of_any_kind_are_a_block_of_words(registers: MMIO, kind: Any) -> None:
    await registers.write_block(0, kind(b"\1\2\3\4\5\6\7\x08"))
    assert (await registers.read_block(0, 3)).tolist() == [0x0403_0201, 0x0807_0605, 0]


async def test_update_replaces_the_bits_under_a_mask_only() -> None:
    async with simulated() as (sim, board):
        registers = board.mmio(BASE, 64)
        sim.memory.store(BASE + 8, 0x1234_5678)
        assert await registers.update(8, 0xFF00, 0xAB00) == sim.memory.load(BASE + 8) == 0x1234_AB78
        calls = sim.counters.calls.total()

        for mask, value in ((0, 0), (0xF0, 0x1F0), (1 << 32, 0)):
            with pytest.raises(OutOfRange):
                await registers.update(8, mask, value)

        assert sim.counters.calls.total() == calls


async def test_a_window_is_checked_before_each_access() -> None:
    async with simulated() as (sim, board):
        allowed = True

        def check() -> None:
            if not allowed:
                raise Misuse("board", "not now")

        registers = board.mmio(BASE, 64, check=check)
        await registers.write(0, 1)
        allowed = False

        for access in (registers.read(0), registers.write(0, 2), registers.update(0, 1, 0), registers.read_block(0, 4)):
            with pytest.raises(Misuse, match="not now"):
                await access

        assert sim.memory.load(BASE) == 1


async def test_polling_ends_with_what_was_read_last(sim: SimBoard, board: RemoteDevice) -> None:
    window = board.mmio(BASE, 0x1000)
    await window.write(0, 5)
    assert await window.poll(0, lambda word: word == 5, 5.0) == 5
    assert await window.poll(0, lambda word: word == 6, 0.02) == 5
