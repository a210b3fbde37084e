"""Bulk messages written and read by hand, so that a payload is copied once and not three times.

protobuf's `bytes` fields copy on the way in and on the way out, and grpc.aio takes only `bytes`. A message with one
bulk field is its other fields, then a tag, a length and the payload: that is all this file knows of protobuf.
"""

from collections.abc import Callable, Iterator

from google.protobuf.message import Message

from ..errors import ProtocolViolation

CHUNK = 1 << 20  # the server takes at most 4 MiB a message and sends 1 MiB itself
_LENGTH_DELIMITED = 2


def frames(
    head: Message, field: int, payload: memoryview, progress: Callable[[int], None], *, first: int = CHUNK
) -> Iterator[bytes]:
    """Cut `payload` into messages of `head`'s fields plus bytes field number `field`; at least one, even if empty.

    `progress` is told how many bytes have been handed on, each time the next message is asked for. The `first` message
    may be smaller than `CHUNK`; those after it are twice as large each.
    """
    prefix = head.SerializeToString() + bytes([field << 3 | _LENGTH_DELIMITED])
    start, size = 0, first

    while True:
        chunk = payload[start : start + size]
        yield b"".join((prefix, _varint(len(chunk)), chunk))
        start += len(chunk)
        size = min(2 * size, CHUNK)
        progress(start)

        if start >= len(payload):
            return


def payload(board: str, message: bytes, field: int) -> tuple[memoryview, bytes]:
    """Split a message into the payload of bytes field number `field` and the bytes of all other fields.

    The payload is a view of `message`: nothing is copied. Raises `ProtocolViolation` when the bytes are no message.
    """
    tag = field << 3 | _LENGTH_DELIMITED
    view = memoryview(message)
    position, start, end = 0, 0, 0
    rest = bytearray()

    try:
        if message and message[0] == tag:  # the usual case, 16,000 times a file: the bulk field alone
            length, begin = _read_varint(message, 1)

            if begin + length == len(message):
                return view[begin:], b""

        while position < len(message):
            key, after_key = _read_varint(message, position)
            kind = key & 7

            if kind == _LENGTH_DELIMITED:
                length, begin = _read_varint(message, after_key)
                after = begin + length
            elif kind == 0:
                _, after = _read_varint(message, after_key)
            else:
                after = after_key + {1: 8, 5: 4}[kind]

            if after > len(message):
                raise IndexError

            if key == tag:
                start, end = begin, after
            else:
                rest += view[position:after]

            position = after
    except (IndexError, KeyError):
        raise ProtocolViolation(board, "the board server sent bytes that are no message") from None

    return view[start:end], bytes(rest)


def _varint(value: int) -> bytes:
    out = bytearray()

    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7

    out.append(value)
    return bytes(out)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0

    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift

        if byte < 0x80:
            return value, position

        shift += 7

        if shift > 63:
            raise IndexError
