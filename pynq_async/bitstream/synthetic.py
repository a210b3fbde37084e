"""Making bitstreams for demonstrations and tests: the right form, meaningless content."""

import random
import struct

from ..errors import InvalidArgument
from .payload import BIT_PREAMBLE, SYNC

_PADDING = b"\xff" * 32 + bytes.fromhex("000000bb11220044") + b"\xff" * 8
_DESYNC = bytes.fromhex("300080010000000d") + bytes.fromhex("20000000") * 4
_FRAME = len(_PADDING) + len(SYNC) + len(_DESYNC)


def synthetic_bitstream(
    part: str = "7z020clg400",
    size: int = 4096,
    seed: int = 0,
    *,
    design: str = "synthetic",
    partial: bool = False,
) -> bytes:
    """A .bit file as bytes, the same for the same arguments; it must never be programmed into a real device.

    Args:
        part: device and package for the header.
        size: bytes of payload, which is what a board is sent; a multiple of 4, at least 76.
        seed: chooses the content.
        design: name of the top module for the header.
        partial: marks it as configuring a part of the fabric only.

    Raises:
        InvalidArgument: the size cannot be had, or a text does not fit the header.
    """
    if size < _FRAME or size % 4 or size >= 1 << 32:
        raise InvalidArgument(f"a bitstream cannot have {size} bytes; give a multiple of 4 from {_FRAME} on")

    attributes = f"{';PARTIAL=TRUE' if partial else ''};UserID=0XFFFFFFFF;Version=2024.1"
    header = b"".join(
        _field(tag, text)
        for tag, text in ((b"a", design + attributes), (b"b", part), (b"c", "2025/01/01"), (b"d", "12:00:00"))
    )
    content = random.Random(seed).randbytes(size - _FRAME)
    payload = _PADDING + SYNC + content + _DESYNC
    return BIT_PREAMBLE + header + b"e" + struct.pack(">I", size) + payload


def _field(tag: bytes, text: str) -> bytes:
    if not text.isascii() or not text.isprintable() or not 0 < len(text) < 0xFFFF:
        raise InvalidArgument(f"{text!r} does not fit the header of a bitstream")

    return tag + struct.pack(">H", len(text) + 1) + text.encode("ascii") + b"\0"
