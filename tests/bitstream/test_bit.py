import struct

import numpy as np
import pytest

from pynq_async.bitstream import synthetic_bitstream
from pynq_async.bitstream.bit import split_bit
from pynq_async.bitstream.payload import BIT_PREAMBLE, SYNC, swap_words
from pynq_async.errors import BitstreamError, InvalidArgument

PADDED_SYNC = b"\xff" * 16 + SYNC


def field(tag: bytes, text: bytes) -> bytes:
    return tag + struct.pack(">H", len(text)) + text


def bit(
    a: bytes = b"top;UserID=0XFFFFFFFF;Version=2024.1\0",
    b: bytes = b"7z020clg400\0",
    payload: bytes = PADDED_SYNC,
    length: int | None = None,
    tags: bytes = b"abcde",
) -> bytes:
    a_tag, b_tag, c_tag, d_tag, e_tag = (bytes([tag]) for tag in tags)
    header = field(a_tag, a) + field(b_tag, b) + field(c_tag, b"2025/09/29\0") + field(d_tag, b"16:20:13\0")
    return BIT_PREAMBLE + header + e_tag + struct.pack(">I", len(payload) if length is None else length) + payload


def test_header_tells_what_was_built_and_when() -> None:
    header, payload = split_bit("x.bit", bit())

    assert (header.design, header.part, header.version) == ("top", "7z020clg400", "2024.1")
    assert (header.date, header.time, header.partial) == ("2025/09/29", "16:20:13", False)
    assert bytes(payload) == PADDED_SYNC


@pytest.mark.parametrize(
    ("design", "partial"),
    [
        (b"top\0", False),
        (b"top;PARTIAL=TRUE;UserID=0XFFFFFFFF;Version=2019.1\0", True),
        (b"top;PARTIAL=FALSE;UserID=0X12345678\0", False),
    ],
)
def test_header_tells_whether_it_is_partial(design: bytes, partial: bool) -> None:
    header, _ = split_bit("x.bit", bit(a=design))

    assert (header.design, header.partial) == ("top", partial)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"\x7fELF" + bytes(100), "an ELF program"),
        (b"PK\x03\x04" + bytes(100), "a zip archive"),
        (b"\xff" * 16 + SYNC[::-1] + bytes(40), r"configuration data with swapped bytes \(.bin\)"),
        (b"\xff" * 16 + SYNC + bytes(40), "bytes are not swapped"),
        (bit()[:20], "design in its header has a wrong length"),
        (bit()[:13], "no design"),
        (bit(tags=b"bacde"), "no design"),
        (bit(tags=b"abdce"), "no date"),
        (bit(tags=b"abcdf"), "where the payload begins"),
        (bit(b=b"7z020clg400"), "part in its header has a wrong length"),
        (bit(b=b"7z020\0clg400\0"), "part in its header has a wrong length"),
        (bit(b=b"\0"), "part in its header has a wrong length"),
        (bit(b=b"7z020\xffclg400\0"), "no plain text"),
        (bit()[:-4], "promises 20 bytes of payload but 16 follow: it is cut"),
        (bit() + b"\0\0\0\0", "something was appended"),
        (bit(length=0xFFFFFFFF), "it is cut"),
        (bit(payload=b""), "no whole number"),
        (bit(payload=PADDED_SYNC + b"\0"), "no whole number"),
        (bit(payload=b"\xff" * 64), "sync word is missing"),
        (bit(payload=b"\xff" * 2 + SYNC + b"\xff" * 2), "sync word is missing"),
        (bit(payload=bytes(16384) + SYNC), "sync word is missing"),
    ],
)
def test_damaged_files_are_refused_with_the_reason(data: bytes, problem: str) -> None:
    with pytest.raises(BitstreamError, match=f"^x.bit: .*{problem}"):
        split_bit("x.bit", data)


def test_words_are_swapped_at_any_offset() -> None:
    data = bytes(range(13))

    assert swap_words(memoryview(data)[1:]) == bytes([4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9])


def test_synthetic_bitstream_has_the_size_part_and_content_that_were_asked_for() -> None:
    data = synthetic_bitstream("xczu7ev-ffvc1156-2-e", 1024, seed=5, design="demo", partial=True)
    header, payload = split_bit("x.bit", data)

    assert (header.design, header.part, header.partial, len(payload)) == ("demo", "xczu7ev-ffvc1156-2-e", True, 1024)
    assert np.frombuffer(swap_words(payload), "<u4")[12] == 0xAA995566
    assert data == synthetic_bitstream("xczu7ev-ffvc1156-2-e", 1024, seed=5, design="demo", partial=True)
    assert data != synthetic_bitstream("xczu7ev-ffvc1156-2-e", 1024, seed=6, design="demo", partial=True)


def test_smallest_synthetic_bitstream_is_one() -> None:
    header, payload = split_bit("x.bit", synthetic_bitstream(size=76))

    assert (header.part, header.partial, len(payload)) == ("7z020clg400", False, 76)


@pytest.mark.parametrize("size", [0, 72, 1001, 1 << 32])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(InvalidArgument, match="bytes"):
        synthetic_bitstream(size=size)


@pytest.mark.parametrize("part", ["", "7z020\0", "ü"])
def test_texts_that_do_not_fit_a_header_are_refused(part: str) -> None:
    with pytest.raises(InvalidArgument, match="does not fit"):
        synthetic_bitstream(part)
