"""What is written to registers, as 32-bit words; errors begin with `subject` after the board's name."""

import operator
from collections.abc import Iterable
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import Misaligned, Misuse, OutOfRange

WordOrder: TypeAlias = Literal["little", "big"]


def words_of(board: str, subject: str, data: object, length: int, word_order: WordOrder) -> list[int]:
    """An integer as one word or two, or bytes as words, in the order in which they are written; raises `Misuse`."""
    if isinstance(data, bytes | bytearray | memoryview):
        return block_of(board, subject, data)

    if length not in (4, 8):
        raise Misuse(board, f"{subject}an integer is written as 4 or 8 bytes, not {length}")

    try:
        value = operator.index(data)  # type: ignore[arg-type]
    except TypeError:
        raise Misuse(board, f"{subject}registers hold integers or bytes, not {type(data).__name__}") from None

    bits = 8 * length

    if not -(1 << bits - 1) <= value < 1 << bits:
        more = "; pass length=8 to write it as two words" if length == 4 and -(1 << 63) <= value < 1 << 64 else ""
        raise OutOfRange(board, f"{subject}{value} does not fit into {length} bytes{more}")

    value %= 1 << bits
    words = [value & 0xFFFF_FFFF, value >> 32][: length // 4]
    return words if word_order == "little" else words[::-1]


def block_of(
    board: str, subject: str, words: Iterable[int] | npt.NDArray[np.integer] | bytes | bytearray | memoryview
) -> list[int]:
    """Integers or bytes as words; raises `Misuse`."""
    if isinstance(words, bytes | bytearray | memoryview):
        data = bytes(words)

        if len(data) % 4 or not data:
            raise Misaligned(board, f"{subject}{len(data)} bytes are no whole number of 32-bit words")

        return [int(word) for word in np.frombuffer(data, "<u4")]

    return [word for value in words for word in words_of(board, subject, value, 4, "little")]


def integer(board: str, value: object) -> int:
    """A Python integer: numpy's own wrap around in arithmetic, and past a bounds check."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise Misuse(board, f"{value!r} is no integer") from None
