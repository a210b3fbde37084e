"""The two-field messages of the bulk methods, taken apart and put together without copying the payload twice."""

from functools import lru_cache

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """Encode an unsigned number as protobuf does."""
    out = bytearray()

    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7

    out.append(value)
    return bytes(out)


def text_and_bytes(message: bytes) -> tuple[str, memoryview]:
    """Take field 1 (a string) and field 2 (bytes) out of a message; other fields are skipped.

    Raises `ValueError` where the message is no protobuf, as far as it has to be looked at.
    """
    view = memoryview(message)
    text, data = b"", view[:0]
    at = 0

    while at < len(view):
        tag, at = _read_varint(view, at)
        kind = tag & 7

        if kind == _BYTES:
            length, at = _read_varint(view, at)
            end = at + length

            if end > len(view):
                raise ValueError("a field is longer than its message")

            if tag >> 3 == 1:
                text = bytes(view[at:end])
            elif tag >> 3 == 2:
                data = view[at:end]

            at = end
        elif kind == _VARINT:
            _, at = _read_varint(view, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")

    return text.decode(), data


def bytes_field(number: int, data: bytes | memoryview) -> bytes:
    """Make a message of one bytes field that is present even when it is empty."""
    return b"".join((_header(number, len(data)), data))


@lru_cache(maxsize=256)
def _header(number: int, length: int) -> bytes:
    return varint(number << 3 | _BYTES) + varint(length)


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0

    while at < len(view) and shift < 64:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift

        if byte < 0x80:
            return value, at

        shift += 7

    raise ValueError("a number does not end")
