import asyncio
import random
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_async import MMIO, RemoteDevice
from pynq_async.bitstream import SyntheticIp, synthetic_design
from pynq_async.errors import BoardError, ConnectionLostOutcomeUnknown, DeadlineExceeded, Misaligned, Misuse, OutOfRange
from pynq_async.sim import SimBoard

from ..boards import simulated

BASE = 0x4000_0000


@pytest.fixture
def registers(board: RemoteDevice) -> MMIO:
    return board.mmio(BASE, 0x1000)


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


@pytest.mark.parametrize("offset", [-4, 0x1000, 0xFFC + 4, 1 << 40])
async def test_an_offset_outside_is_refused_before_anything_is_sent(
    sim: SimBoard, registers: MMIO, offset: int
) -> None:
    calls = sum(sim.counters.calls.values())

    for attempt in (registers.read(offset), registers.write(offset, 1), registers.read_block(offset, 1)):
        with pytest.raises(OutOfRange, match="do not lie in"):
            await attempt

    assert sum(sim.counters.calls.values()) == calls


@pytest.mark.parametrize("offset", [1, 2, 3, 0xFFD])
async def test_an_unaligned_offset_is_refused(registers: MMIO, offset: int) -> None:
    with pytest.raises(Misaligned):
        await registers.read(offset)

    with pytest.raises(Misaligned):
        await registers.write(offset, 1)


async def test_the_last_word_is_inside_and_eight_bytes_there_are_not(registers: MMIO) -> None:
    await registers.write(0xFFC, 1)
    assert await registers.read(0xFFC) == 1

    with pytest.raises(OutOfRange):
        await registers.read(0xFFC, 8)


@pytest.mark.parametrize("value", [1 << 32, -(1 << 31) - 1, np.int64(1 << 40)])
async def test_a_value_that_does_not_fit_says_how_to_write_it(registers: MMIO, value: Any) -> None:
    with pytest.raises(OutOfRange, match="length=8"):
        await registers.write(0, value)


@pytest.mark.parametrize("value", [1.5, "1", None, np.float32(1), [1]])
async def test_what_is_no_integer_is_refused(registers: MMIO, value: Any) -> None:
    with pytest.raises(Misuse):
        await registers.write(0, value)


@pytest.mark.parametrize("data", [b"", b"123", bytes(5)])
async def test_bytes_that_are_no_words_are_refused(registers: MMIO, data: bytes) -> None:
    with pytest.raises(Misaligned):
        await registers.write(0, data)


@pytest.mark.parametrize("length", [0, 3, 16, -1])
async def test_other_lengths_are_refused(registers: MMIO, length: int) -> None:
    with pytest.raises(Misuse):
        await registers.read(0, length)


@pytest.mark.parametrize(
    ("base", "length"), [(-4, 4), (1 << 63, 4), ((1 << 63) - 4, 8), (0, 0), (0, -4), (0, (1 << 31) + 4)]
)
async def test_an_impossible_window_is_refused(board: RemoteDevice, base: int, length: int) -> None:
    with pytest.raises(OutOfRange):
        board.mmio(base, length)


@pytest.mark.parametrize(("base", "length"), [(2, 4), (0, 6)])
async def test_an_unaligned_window_is_refused(board: RemoteDevice, base: int, length: int) -> None:
    with pytest.raises(Misaligned):
        board.mmio(base, length)


@given(offset=st.integers(-(1 << 40), 1 << 40), length=st.sampled_from([1, 2, 4, 8]))
def test_no_offset_whatever_reaches_the_wire_from_outside(offset: int, length: int) -> None:
    class Windows:
        def window(self, address: int, size: int) -> None:
            return None

    class Connection:
        board = "b"

        def check_loop(self) -> None:
            return None

    window = MMIO(Connection(), Windows(), BASE, 0x100)  # type: ignore[arg-type]
    inside = offset % 4 == 0 and 0 <= offset <= 0x100 - max(length, 4)

    if inside:
        window._check(offset, max(length, 4))
    else:
        with pytest.raises((OutOfRange, Misaligned)):
            window._check(offset, max(length, 4))


async def test_gathered_writes_are_applied_in_call_order(sim: SimBoard, registers: MMIO) -> None:
    seen: list[int] = []

    def note(_: int, word: int) -> int:
        seen.append(word)
        return word

    sim.on_write(BASE, note)
    await asyncio.gather(*(registers.write(0, value) for value in range(64)))
    assert seen == list(range(64))


async def test_a_read_waits_for_the_writes_before_it(registers: MMIO) -> None:
    results = await asyncio.gather(registers.write(0, 1), registers.read(0), registers.write(0, 2), registers.read(0))
    assert list(results) == [None, 1, None, 2]


async def test_windows_of_one_range_keep_one_order(board: RemoteDevice) -> None:
    first, second = board.mmio(BASE, 0x1000), board.mmio(BASE + 0x10, 4)
    results = await asyncio.gather(first.write(0x10, 9), second.read())
    assert list(results) == [None, 9]


async def test_reads_overlap_reads_and_windows_do_not_wait_for_each_other() -> None:
    async with simulated() as (sim, board):
        one, other = board.mmio(BASE, 0x1000), board.mmio(BASE + 0x10_0000, 0x1000)
        await one.read(0)
        await other.read(0)
        sim.faults.latency = 0.02
        sim.counters.unary_peak = 0
        await asyncio.gather(*(one.read(0) for _ in range(8)), *(other.write(0, 1) for _ in range(2)))
        assert sim.counters.unary_peak >= 9


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


@pytest.mark.parametrize("timeout", [None, "1", float("nan")])
async def test_a_time_is_a_number(registers: MMIO, timeout: Any) -> None:
    with pytest.raises(Misuse, match="a timeout is a number of seconds, not"):
        await registers.wait_for(0, 1, 0, timeout=timeout)


@pytest.mark.parametrize(("mask", "value"), [(0, 0), (0x1, 0x2), (1 << 32, 0)])
async def test_waiting_for_the_impossible_is_refused(registers: MMIO, mask: int, value: int) -> None:
    with pytest.raises(Misuse):
        await registers.wait_for(0, mask, value, timeout=1)


async def test_many_tasks_use_many_windows(board: RemoteDevice) -> None:
    seeded = random.Random(3)
    windows = [board.mmio(BASE + 0x1_0000 * index, 0x100) for index in range(4)]

    async def use(window: MMIO, offset: int) -> None:
        for _ in range(10):
            value = seeded.randrange(1 << 32)
            await window.write(offset, value)
            assert await window.read(offset) == value

    async with anyio.create_task_group() as group:
        for window in windows:
            for offset in range(0, 16, 4):
                group.start_soon(use, window, offset)


async def test_numpy_integers_do_not_wrap_around_the_bounds_check(sim: SimBoard, board: RemoteDevice) -> None:
    window = board.mmio(BASE, 128)
    calls = sum(sim.counters.calls.values())

    for attempt in (
        window.read(np.uint32(0xFFFF_FFFC)),  # type: ignore[arg-type]
        window.write(np.uint8(252), 1),  # type: ignore[arg-type]
        window.read_block(np.uint16(0), np.uint8(64)),  # type: ignore[arg-type]
    ):
        with pytest.raises(OutOfRange):
            await attempt

    for nonsense in ("0x10", 4.0, None):
        with pytest.raises(Misuse):
            await window.read(nonsense)  # type: ignore[arg-type]

    assert sum(sim.counters.calls.values()) == calls


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


async def test_updates_that_overlap_lose_none() -> None:
    async with simulated() as (sim, board):
        registers = board.mmio(BASE, 64)

        async with asyncio.TaskGroup() as group:
            for bit in range(32):
                group.create_task(registers.update(0, 1 << bit, 1 << bit))

        assert sim.memory.load(BASE) == 0xFFFF_FFFF


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


async def test_writing_many_keeps_the_order_of_its_lane(sim: SimBoard, board: RemoteDevice) -> None:
    window = board.mmio(BASE, 0x1000)
    await window.read()
    lane = window.lane()
    seen: list[int] = []

    def see(_: int, word: int) -> int:
        seen.append(word)
        return word

    sim.on_write(BASE, see, 16)
    sim.faults.delay("mmio.write", 0.002)

    async with asyncio.TaskGroup() as group:
        group.create_task(lane.write_many({0: 1, 4: 2, 8: 3}))
        group.create_task(lane.write(12, 4))

    assert seen == [1, 2, 3, 4]


async def test_lanes_of_a_window_overlap_and_each_keeps_its_order(sim: SimBoard, board: RemoteDevice) -> None:
    window = board.mmio(BASE, 0x1000)
    await window.read()
    lanes = [window.lane() for _ in range(3)]
    sim.faults.delay("mmio.write", 0.02)
    before = sim.counters.unary_peak
    seen: list[int] = []

    def see(_: int, word: int) -> int:
        seen.append(word)
        return word

    sim.on_write(BASE, see, 12)

    async def write(number: int) -> None:
        for step in range(3):
            await lanes[number].write(4 * number, 10 * number + step)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(write(number))

    assert sim.counters.unary_peak >= max(before, 3)
    assert all(
        [word for word in seen if word // 10 == number] == [10 * number + step for step in range(3)]
        for number in range(3)
    )


async def test_polling_ends_with_what_was_read_last(sim: SimBoard, board: RemoteDevice) -> None:
    window = board.mmio(BASE, 0x1000)
    await window.write(0, 5)
    assert await window.poll(0, lambda word: word == 5, 5.0) == 5
    assert await window.poll(0, lambda word: word == 6, 0.02) == 5
