"""Block RAM behind an AXI BRAM controller (PG078), as an array of which slices are read and written."""

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import Misuse, OutOfRange
from ..ip import DefaultIP, IpDescription

_WORD = 4


class BlockRAM(DefaultIP):
    """A memory in the fabric, array-like: indexing gives a part of it without I/O, which is then read or written.

        ram = overlay.axi_bram_ctrl_0
        await ram[0:16].write(range(16))                # 32-bit words
        words = await ram[4:8].read()                   # array([4, 5, 6, 7], dtype=uint32)
        samples = ram.view("i2")                        # the same memory as 16-bit samples
        await samples[:1000].write(waveform)
        everything = await ram[:].read()

    Words are moved many at a time, so accesses to one memory are in no particular order among themselves.

    Attributes:
        dtype: of its elements, `uint32` unless viewed as something else.
        nbytes: its size.
    """

    bindto = ("BRAM", "URAM", "xilinx.com:ip:axi_bram_ctrl")

    def __init__(self, description: IpDescription, dtype: npt.DTypeLike = "<u4") -> None:
        super().__init__(description)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.nbytes = self.mmio.length

    def __len__(self) -> int:
        return self.nbytes // self.dtype.itemsize

    def view(self, dtype: npt.DTypeLike) -> "BlockRAM":
        """The same memory as elements of another type; raises `Misuse` where they are no plain bytes."""
        try:
            kind = np.dtype(dtype)
        except TypeError as error:
            raise Misuse(self.board.name, f"{dtype!r} is no numpy dtype ({error})") from None

        if kind.hasobject or not kind.itemsize:
            raise Misuse(self.board.name, f"elements of {kind} cannot lie in a memory")

        return type(self)(self.description, kind)

    def __getitem__(self, key: int | slice) -> "MemorySlice":
        """A part of the memory; raises `OutOfRange` for one outside of it."""
        if not isinstance(key, slice):
            index = self._index(key)
            index += len(self) if index < 0 else 0

            if not 0 <= index < len(self):
                raise OutOfRange(self.board.name, f"{self.name} has {len(self)} elements of {self.dtype}, no {key}")

            return MemorySlice(self, index, index + 1)

        if key.step not in (None, 1):
            raise Misuse(self.board.name, f"{self.name}: a memory is sliced in steps of 1, not {key.step}")

        for end in (key.start, key.stop):
            if end is not None and not -len(self) <= self._index(end) <= len(self):
                raise OutOfRange(self.board.name, f"{self.name} has {len(self)} elements of {self.dtype}, not {end}")

        start, stop, _ = key.indices(len(self))
        return MemorySlice(self, start, max(start, stop))

    def _index(self, value: object) -> int:
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise Misuse(self.board.name, f"{self.name}: {value!r} is no index") from None


class MemorySlice:
    """Some elements of a memory: `start` to `stop`."""

    def __init__(self, memory: BlockRAM, start: int, stop: int) -> None:
        self.memory = memory
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __repr__(self) -> str:
        return f"<MemorySlice {self.memory.name}[{self.start}:{self.stop}] of {self.memory.dtype}>"

    async def read(self) -> npt.NDArray[Any]:
        """Read the elements; returns an array of shape (len,) and the memory's dtype."""
        first, last, head = self._words()
        words = await self.memory.read_block(first, (last - first) // _WORD)
        held = words.astype("<u4", copy=False).view(np.uint8)[head : head + self._nbytes]
        return held.copy().view(self.memory.dtype)

    async def write(self, values: npt.ArrayLike) -> None:
        """Write the elements, given as as many values or one for all of them.

        A word of which only a part belongs to the slice is read first. Raises `Misuse` for another number of values or
        values that the elements cannot hold, before anything is sent.
        """
        data = self._elements(values).tobytes()

        if not data:
            return

        first, _, head = self._words()
        memory, begin, end = self.memory, head, head + len(data)

        # Words of which only a part is ours are changed one by one, so that nobody's part is lost.
        for offset in sorted({begin // _WORD, (end - 1) // _WORD}):
            low, high = max(begin - offset * _WORD, 0), min(end - offset * _WORD, _WORD)

            if high - low < _WORD:
                at = offset * _WORD + low - begin
                value = int.from_bytes(data[at : at + high - low], "little")
                mask = (1 << 8 * (high - low)) - 1
                await memory.update(first + offset * _WORD, mask << 8 * low, value << 8 * low)

        whole = range(-(-begin // _WORD), end // _WORD)

        if whole:
            words = np.frombuffer(data[whole.start * _WORD - begin : whole.stop * _WORD - begin], "<u4")
            await memory.write_block(first + whole.start * _WORD, words, ordered=False)

    @property
    def _nbytes(self) -> int:
        return len(self) * self.memory.dtype.itemsize

    def _words(self) -> tuple[int, int, int]:
        """Offsets of the first word and behind the last, and how far into the first one the slice begins."""
        begin = self.start * self.memory.dtype.itemsize
        first = begin - begin % _WORD
        last = -(-(begin + self._nbytes) // _WORD) * _WORD
        return first, last, begin - first

    def _elements(self, values: npt.ArrayLike) -> npt.NDArray[Any]:
        memory = self.memory

        try:
            given = np.asarray(
                values if not isinstance(values, range) else np.arange(values.start, values.stop, values.step)
            )
            elements = given.astype(memory.dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise Misuse(memory.board.name, f"{self!r}: cannot hold these values ({error})") from None

        if memory.dtype.kind in "iu" and not np.array_equal(elements, given):
            raise OutOfRange(memory.board.name, f"{self!r}: some values do not fit into {memory.dtype}")

        if elements.ndim == 0:
            elements = np.full(len(self), elements[()], memory.dtype)

        if elements.size != len(self):
            raise Misuse(memory.board.name, f"{self!r}: takes {len(self)} values, not {elements.size}")

        return np.ascontiguousarray(elements)
