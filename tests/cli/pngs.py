"""Reading back what `write_png` writes."""

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt


def read_png(path: Path) -> npt.NDArray[np.uint8]:
    """The image of shape (rows, cols, 3) in an RGB file without filters; every checksum is looked at."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8

    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(name + content),)
        chunks[name] = content
        at += 12 + length

    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    cols, rows, *kind = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert kind == [8, 2, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, 1 + 3 * cols)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(rows, cols, 3)
