"""Telling configuration data by its first words, so that a wrong file is refused before it reaches a board.

Sources: 7 Series Configuration (UG470) and UltraScale Configuration (UG570) for the sync word and the .bit order of
bytes; Versal boot header (AM011, "Boot Header Format") and the PLM's xilpdi.h for images of a Versal.
"""

import numpy as np

from ..errors import BitstreamError

SYNC = bytes.fromhex("aa995566")
SYNC_SWAPPED = SYNC[::-1]
BIT_PREAMBLE = bytes.fromhex("0009 0ff00ff00ff00ff000 0001")

# Vivado puts the sync word behind 48 to 80 bytes of padding.
_SYNC_WITHIN = 8192

# Little-endian words as they lie in the file: "XLNX" of a boot header, "PPDI" of a partial image's header table.
_IDENTIFICATION = bytes.fromhex("584e4c58")
_PARTIAL_IDENTIFICATION = bytes.fromhex("49445050")
_PARTIAL_IDENTIFICATION_AT = 0x28
_BUS_WIDTH_LENGTH = 16


def swap_words(payload: bytes | memoryview) -> bytes:
    """The payload of a .bit in the order of bytes that Linux's FPGA manager takes; its length is a multiple of 4."""
    return np.frombuffer(payload, np.uint32).byteswap().tobytes()


def has_sync(payload: bytes | memoryview, word: bytes) -> bool:
    """Whether the sync word lies on a word boundary near the start."""
    head = bytes(payload[:_SYNC_WITHIN])
    at = head.find(word)

    while at >= 0 and at % 4:
        at = head.find(word, at + 1)

    return at >= 0


def check_bin(source: object, data: bytes) -> None:
    """Raise `BitstreamError` unless `data` is what Vivado writes as .bin with swapped bytes."""
    # A program or a document may hold the sync word by chance.
    known = data.startswith(tuple(start for start, _ in _KINDS))

    if known or is_boot_image(data) or not has_sync(data, SYNC_SWAPPED):
        raise BitstreamError(source, f"is no .bin for the FPGA manager: it is {kind_of(data)}")

    if len(data) % 4:
        raise BitstreamError(source, f"its {len(data)} bytes are no whole number of 32-bit words: it is cut or damaged")


def check_pdi(source: object, data: bytes) -> bool:
    """Raise `BitstreamError` unless `data` is a Versal image; True if it is a partial one."""
    if data[0x10:0x18] == SYNC_SWAPPED + _IDENTIFICATION:
        partial = False
    elif any(_is_partial_at(data, start) for start in (0, _BUS_WIDTH_LENGTH)):
        partial = True
    else:
        raise BitstreamError(source, f"is no Versal image (.pdi): it is {kind_of(data)}")

    if len(data) % 4:
        raise BitstreamError(source, f"its {len(data)} bytes are no whole number of 32-bit words: it is cut or damaged")

    return partial


def is_boot_image(data: bytes) -> bool:
    """Whether this is a boot image: at 0x10 on a Versal, at 0x20 (BOOT.BIN) on its predecessors."""
    return any(data[at : at + 8] == SYNC_SWAPPED + _IDENTIFICATION for at in (0x10, 0x20))


def kind_of(data: bytes) -> str:
    """What a file looks like, for an error message."""
    if not data:
        return "empty"

    for start, kind in _KINDS:
        if data.startswith(start):
            return kind

    if is_boot_image(data):
        return "a Versal image (.pdi)" if data[0x10:0x14] == SYNC_SWAPPED else "a boot image (BOOT.BIN)"

    if any(_is_partial_at(data, start) for start in (0, _BUS_WIDTH_LENGTH)):
        return "a partial Versal image (.pdi)"

    if has_sync(data, SYNC):
        return "configuration data whose bytes are not swapped; use the .bit file instead"

    if has_sync(data, SYNC_SWAPPED):
        return "configuration data with swapped bytes (.bin)"

    return "no configuration data: the sync word is missing"


def _is_partial_at(data: bytes, start: int) -> bool:
    at = start + _PARTIAL_IDENTIFICATION_AT
    return data[at : at + 4] == _PARTIAL_IDENTIFICATION


_KINDS = (
    (BIT_PREAMBLE, "a .bit file"),
    (b"\x7fELF", "an ELF program"),
    (b"PK\x03\x04", "a zip archive, perhaps an .xsa"),
    (b"xclbin2\0", "an .xclbin container"),
    (b"<", "a text file"),
    (b"\xef\xbb\xbf<", "a text file"),
)
