"""The .bit format: a header of tagged fields, then the payload with its length.

A preamble of fixed bytes is followed by the fields `a` (design), `b` (part), `c` (date) and `d` (time), each a 16-bit
length and text that ends with NUL, and by `e` with a 32-bit length and the payload. All numbers are big-endian.
"""

import struct
from dataclasses import dataclass

from ..errors import BitstreamError
from .payload import BIT_PREAMBLE, SYNC, has_sync, kind_of


@dataclass(frozen=True, slots=True)
class BitHeader:
    """What Vivado wrote in front of the payload of a .bit file.

    Attributes:
        design: name of the top module.
        part: device and package, with or without `xc`: `7z020clg400`, `xczu7ev-ffvc1156-2-e`.
        date: day it was built, as Vivado writes it: `2025/09/29`.
        time: time of day it was built: `16:20:13`.
        version: version of the tool, empty where the header has none.
        partial: whether it configures only a part of the fabric.
    """

    design: str
    part: str
    date: str
    time: str
    version: str = ""
    partial: bool = False


def split_bit(source: object, data: bytes) -> tuple[BitHeader, memoryview]:
    """The header and the payload of a .bit file, the payload in the file's own order of bytes.

    Raises:
        BitstreamError: any field is missing, out of order, of a wrong length, or not text; the payload is cut, has
            something behind it, or holds no sync word.
    """
    if not data.startswith(BIT_PREAMBLE):
        raise BitstreamError(source, f"is no .bit file: it is {kind_of(data)}")

    fields = {}
    at = len(BIT_PREAMBLE)

    for tag, meaning in (("a", "design"), ("b", "part"), ("c", "date"), ("d", "time")):
        fields[meaning], at = _text(source, data, at, tag, meaning)

    payload = _payload(source, data, at)
    design, *attributes = fields.pop("design").split(";")
    named = dict(attribute.partition("=")[::2] for attribute in attributes)
    header = BitHeader(
        design=design, version=named.get("Version", ""), partial=named.get("PARTIAL", "").upper() == "TRUE", **fields
    )
    return header, payload


def _text(source: object, data: bytes, at: int, tag: str, meaning: str) -> tuple[str, int]:
    start = at + 3

    if len(data) < start or data[at] != ord(tag):
        raise BitstreamError(source, f"its header has no {meaning} where one must be: it is cut or damaged")

    (length,) = struct.unpack_from(">H", data, at + 1)
    text = data[start : start + length]

    if len(text) < length or length < 2 or text.find(0) != length - 1:
        raise BitstreamError(source, f"the {meaning} in its header has a wrong length: it is cut or damaged")

    if not all(0x20 <= character < 0x7F for character in text[:-1]):
        raise BitstreamError(source, f"the {meaning} in its header is no plain text: it is damaged")

    return text[:-1].decode("ascii"), start + length


def _payload(source: object, data: bytes, at: int) -> memoryview:
    start = at + 5

    if len(data) < start or data[at] != ord("e"):
        raise BitstreamError(source, "its header does not say where the payload begins: it is cut or damaged")

    (length,) = struct.unpack_from(">I", data, at + 1)
    present = len(data) - start

    if present != length:
        state = "it is cut" if present < length else "something was appended to it"
        raise BitstreamError(source, f"its header promises {length} bytes of payload but {present} follow: {state}")

    if not length or length % 4:
        raise BitstreamError(source, f"its {length} bytes of payload are no whole number of 32-bit words")

    payload = memoryview(data)[start:]

    if not has_sync(payload, SYNC):
        raise BitstreamError(source, "its payload is no configuration data: the sync word is missing")

    return payload
