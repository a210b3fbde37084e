"""Physically contiguous memory and the buffers the server process holds in it."""

from bisect import insort
from dataclasses import dataclass

from .counters import Counters
from .memory import Memory
from .options import PAGE

# Where malloc puts the server's buffer objects: all of one size, so the block freed last is handed out next (H3).
_HEAP = 0x55D0_C0DE_12A0
_OBJECT = 0x50
_VIRTUAL = 0xFFFF_8000_0000


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


class ContiguousMemory:
    """The kernel's contiguous memory area: page ranges handed out first fit."""

    def __init__(self, base: int, size: int) -> None:
        self.base = base
        self.size = size
        self._taken: list[tuple[int, int]] = []

    @property
    def free(self) -> int:
        """Bytes not handed out."""
        return self.size - sum(length for _, length in self._taken)

    def holds(self, address: int, length: int) -> bool:
        """Whether all these addresses are handed out."""
        return any(start <= address and address + length <= start + taken for start, taken in self._taken)

    def reserve(self, size: int) -> int | None:
        """Take `size` bytes, rounded up to pages; None when no gap is large enough."""
        need = _pages(size)
        at = self.base

        for start, length in self._taken:
            if start - at >= need:
                break

            at = start + length

        if at + need > self.base + self.size:
            return None

        insort(self._taken, (at, need))
        return at

    def release(self, address: int) -> None:
        """Give back what was reserved at `address`."""
        self._taken = [(start, length) for start, length in self._taken if start != address]


@dataclass(eq=False, slots=True)
class BoardBuffer:
    """A buffer of the server process: `data` is what the processor sees, `device` what the logic sees."""

    id: str
    physical: int
    virtual: int
    cacheable: bool
    data: bytearray
    device: bytearray
    freed: bool = False
    streams: int = 0

    def flush(self) -> None:
        """Make the processor's bytes the device's."""
        if self.device is not self.data:
            self.device[:] = self.data

    def invalidate(self) -> None:
        """Make the device's bytes the processor's."""
        if self.device is not self.data:
            self.data[:] = self.device


class BufferTable:
    """The buffers of one server process by their id, the heap address of the server's object."""

    def __init__(self, area: ContiguousMemory, memory: Memory, counters: Counters, *, model_cache: bool) -> None:
        self._area = area
        self._memory = memory
        self._counters = counters
        self._model_cache = model_cache
        self._buffers: dict[str, BoardBuffer] = {}
        self._freed_objects: list[int] = []
        self._objects = 0

    @property
    def held(self) -> list[BoardBuffer]:
        """The buffers that were allocated and not freed, oldest first."""
        return list(self._buffers.values())

    def find(self, buffer_id: str) -> BoardBuffer | None:
        """Look a buffer up; an unknown id is counted."""
        found = self._buffers.get(buffer_id)

        if found is None:
            self._counters.unknown_ids += 1

        return found

    def allocate(self, size: int, *, cacheable: bool) -> BoardBuffer | None:
        """Make a zeroed buffer; None where the real server swallows the exception (H20)."""
        physical = self._area.reserve(size) if size > 0 else None

        if physical is None:
            return None

        if self._freed_objects:
            address = self._freed_objects.pop()
        else:
            address = _HEAP + self._objects * _OBJECT
            self._objects += 1

        device = bytearray(size)
        data = bytearray(size) if cacheable and self._model_cache else device
        virtual = _VIRTUAL + physical - self._area.base
        buffer = BoardBuffer(f"{address:#x}", physical, virtual, cacheable, data, device)
        self._memory.attach(physical, device)
        self._buffers[buffer.id] = buffer
        self._counters.live_buffers += 1
        return buffer

    def free(self, buffer: BoardBuffer) -> None:
        """Erase a buffer; its id is the next one given out (H3)."""
        if buffer.streams:
            self._counters.freed_in_use += 1

        del self._buffers[buffer.id]
        self._freed_objects.append(int(buffer.id, 16))
        buffer.freed = True
        self._memory.detach(buffer.physical)
        self._area.release(buffer.physical)
        self._counters.live_buffers -= 1

    def close(self) -> None:
        """Free everything, as the kernel does when the process dies."""
        for buffer in self.held:
            buffer.streams = 0
            self.free(buffer)
