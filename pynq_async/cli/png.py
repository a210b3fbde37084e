"""Writing PNG files (ISO/IEC 15948), as much of it as pictures of this command line need."""

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = bytes([8, 2, 0, 0, 0])  # bits a sample, colour type; the usual compression, filters and no interlace
_LEVEL = 4


def write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write an RGB image of shape (rows, cols, 3); raises `OSError`."""
    rows, cols, _ = image.shape
    lines = np.zeros((rows, 1 + 3 * cols), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = image.reshape(rows, -1)
    pixels = zlib.compress(lines.tobytes(), _LEVEL)
    chunks = ((b"IHDR", struct.pack(">2I", cols, rows) + _RGB), (b"IDAT", pixels), (b"IEND", b""))
    path.write_bytes(_SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
