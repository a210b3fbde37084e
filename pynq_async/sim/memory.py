"""The physical memory of a simulated board: sparse, zero where nothing was written."""

from bisect import bisect_right, insort

from .options import PAGE


class Memory:
    """Physical memory in pages of 4 KiB, made when first written; contiguous buffers lie in it with their own bytes.

    ::

        board.memory.write(0x4000_0000, (42).to_bytes(4, "little"))
        assert board.memory.load(0x4000_0000) == 42
    """

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._regions: dict[int, bytearray] = {}
        self._starts: list[int] = []

    def read(self, address: int, length: int) -> bytes:
        """Read `length` bytes at a physical address."""
        out = bytearray(length)
        done = 0

        while done < length:
            part, offset, room = self._locate(address + done, length - done, make=False)

            if part is not None:
                out[done : done + room] = memoryview(part)[offset : offset + room]

            done += room

        return bytes(out)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write bytes at a physical address."""
        view = memoryview(data).cast("B")
        done = 0

        while done < len(view):
            part, offset, room = self._locate(address + done, len(view) - done, make=True)
            assert part is not None
            part[offset : offset + room] = view[done : done + room]
            done += room

    def load(self, address: int) -> int:
        """Read the little-endian 32-bit word at `address`."""
        part, offset, room = self._locate(address, 4, make=False)

        if room < 4:
            return int.from_bytes(self.read(address, 4), "little")

        return 0 if part is None else int.from_bytes(part[offset : offset + 4], "little")

    def store(self, address: int, value: int) -> None:
        """Write the little-endian 32-bit word at `address`."""
        self.write(address, value.to_bytes(4, "little"))

    def attach(self, address: int, data: bytearray) -> None:
        """Let the bytes from `address` on be those of `data`, both ways."""
        self._regions[address] = data
        insort(self._starts, address)

    def detach(self, address: int) -> None:
        """Take the bytes attached at `address` away; what lay there reads as zero."""
        del self._regions[address]
        self._starts.remove(address)

    def clear(self, *ranges: range) -> None:
        """Zero what lies in `ranges`, page by page, or everything when none is given; attached bytes stay."""
        if not ranges:
            self._pages.clear()
            return

        for page in [page for page in self._pages if any(page * PAGE in part for part in ranges)]:
            del self._pages[page]

    def _locate(self, address: int, length: int, *, make: bool) -> tuple[bytearray | None, int, int]:
        """Find what holds `address`: the bytes, the offset in them, and how many of `length` lie there."""
        at = bisect_right(self._starts, address) - 1

        if at >= 0:
            start = self._starts[at]
            data = self._regions[start]

            if address < start + len(data):
                return data, address - start, min(length, start + len(data) - address)

        number, offset = divmod(address, PAGE)
        room = min(length, PAGE - offset)

        if at + 1 < len(self._starts):
            room = min(room, self._starts[at + 1] - address)

        page = self._pages.get(number)

        if page is None and make:
            page = self._pages[number] = bytearray(PAGE)

        return page, offset, room
