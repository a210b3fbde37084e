"""Arrays as bytes that come and go in pieces: as they lie in memory, or as a file of numpy's format, `.npy`."""

import io
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .problems import Refusal

RAW = "application/octet-stream"
NPY = "application/x-npy"
BYTES = {"type": "string", "format": "binary"}
_PIECE = 1 << 18
LARGEST_HEADER = 10_000  # as numpy's own limit for files that are not trusted
_READERS = {
    (1, 0): (10, np.lib.format.read_array_header_1_0),
    (2, 0): (12, np.lib.format.read_array_header_2_0),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says: shape and dtype of the array, which is C-contiguous."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"shape {self.shape} and dtype {self.dtype.str if self.dtype.names is None else self.dtype}"

    @property
    def nbytes(self) -> int:
        """How many bytes follow the header."""
        return math.prod(self.shape) * self.dtype.itemsize


def layout(array: npt.NDArray[Any]) -> Layout:
    """The layout of an array."""
    return Layout(array.shape, array.dtype)


def header(array: npt.NDArray[Any]) -> bytes:
    """What stands before the array's bytes in a file."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    return file.getvalue()


async def unpacked(stream: AsyncIterator[bytes]) -> tuple[Layout, bytes]:
    """The layout of an array that comes as a file, and the first of its bytes; raises `Refusal`."""
    head = bytearray()

    async for piece in stream:
        head += piece

        if (length := _header_length(head)) and len(head) >= length:
            return _parsed(bytes(head[:length])), bytes(head[length:])

    raise Refusal(422, "not-npy", f"a file of numpy's format does not end after {len(head)} bytes")


class Filling:
    """Writes bytes, as they come, into the memory of a C-contiguous array."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._place = _memory(array)
        self._filled = 0

    def add(self, piece: bytes) -> None:
        """Write the next bytes; raises `Refusal` when there is no room for them."""
        end = self._filled + len(piece)

        if end > len(self._place):
            raise wrong_length(len(self._place), f"{end} or more")

        self._place[self._filled : end] = piece
        self._filled = end

    def check_full(self) -> None:
        """Raise `Refusal` when bytes are missing."""
        if self._filled < len(self._place):
            raise wrong_length(len(self._place), str(self._filled))


def slices(array: npt.NDArray[Any]) -> Iterator[bytes]:
    """The bytes of a C-contiguous array in pieces, each a copy of its own."""
    place = _memory(array)
    return (bytes(place[start : start + _PIECE]) for start in range(0, len(place), _PIECE))


def wrong_length(wanted: int, got: str) -> Refusal:
    """What is said about a body of another length."""
    return Refusal(422, "wrong-length", f"this takes exactly {wanted} bytes, not {got}")


def _memory(array: npt.NDArray[Any]) -> memoryview:
    return array.view(np.ndarray).reshape(-1).view(np.uint8).data


def _header_length(head: bytearray) -> int | None:
    """How long a header is, once enough of it is there to say so."""
    magic = np.lib.format.MAGIC_PREFIX

    if bytes(head[: len(magic)]) != magic[: len(head)]:
        raise Refusal(422, "not-npy", "this is no file of numpy's format; send one as numpy.save writes it")

    if len(head) < 8:
        return None

    if (version := (head[6], head[7])) not in _READERS:
        raise Refusal(422, "not-npy", f"a file of numpy's format {version[0]}.{version[1]} is not understood")

    before, _ = _READERS[version]
    length = before + int.from_bytes(head[8:before], "little")

    if len(head) >= before and length > LARGEST_HEADER:
        raise Refusal(422, "not-npy", f"the header of this file has {length} bytes; {LARGEST_HEADER} are the most")

    return length if len(head) >= before else None


def _parsed(head: bytes) -> Layout:
    _, read = _READERS[head[6], head[7]]

    try:
        shape, fortran, dtype = read(io.BytesIO(head[8:]))  # type: ignore[no-untyped-call,unused-ignore]
    except Exception as error:  # numpy raises whatever its parser does
        raise Refusal(422, "not-npy", f"the header of this file cannot be read ({type(error).__name__})") from None

    if fortran and len(shape) > 1:
        raise Refusal(422, "not-npy", "this array is in Fortran order; save numpy.ascontiguousarray(array)")

    if dtype.hasobject or any(type(extent) is not int or extent < 0 for extent in shape):
        raise Refusal(422, "not-npy", f"an array of shape {shape} and dtype {dtype} cannot be taken")

    return Layout(shape, dtype)
