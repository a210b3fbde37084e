"""Registers: what is refused before anything is sent."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_async import MMIO, RemoteDevice
from pynq_async.errors import Misaligned, Misuse, OutOfRange
from pynq_async.sim import SimBoard

BASE = 0x4000_0000


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


@pytest.mark.parametrize("timeout", [None, "1", float("nan")])
async def test_a_time_is_a_number(registers: MMIO, timeout: Any) -> None:
    with pytest.raises(Misuse, match="a timeout is a number of seconds, not"):
        await registers.wait_for(0, 1, 0, timeout=timeout)


@pytest.mark.parametrize(("mask", "value"), [(0, 0), (0x1, 0x2), (1 << 32, 0)])
async def test_waiting_for_the_impossible_is_refused(registers: MMIO, mask: int, value: int) -> None:
    with pytest.raises(Misuse):
        await registers.wait_for(0, mask, value, timeout=1)


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
