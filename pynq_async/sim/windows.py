"""Register windows of the server process: mapped for ever, looked up by a counting number."""

from dataclasses import dataclass

from .bus import Bus
from .counters import Counters
from .options import PAGE, Hazards

# Linux hands mappings out downwards from the top.
_TOP = 0xFFFF_A000_0000


@dataclass(eq=False, slots=True)
class Window:
    """One mapping of `/dev/mem`; a dead one has no mapping, reads zero and loses writes (H11)."""

    base: int
    length: int
    virtual: int | None = None

    def address(self, offset: int) -> int:
        """Where an access lands: the server keeps the word index in a signed 32-bit integer (H13, H14)."""
        index = (offset >> 2) & 0xFFFFFFFF

        if index >= 1 << 31:
            index -= 1 << 32

        return self.base + 4 * index


class WindowTable:
    """The windows of one server process."""

    def __init__(self, bus: Bus, counters: Counters, hazards: Hazards) -> None:
        self._bus = bus
        self._counters = counters
        self._hazards = hazards
        self._windows: dict[str, Window] = {}
        self._next_virtual = _TOP
        self._mapped: list[Window] = []
        self.count = 0

    def find(self, window_id: str) -> Window | None:
        """Look a window up; an unknown id is counted."""
        found = self._windows.get(window_id)

        if found is None:
            self._counters.unknown_ids += 1

        return found

    def map(self, base: int, length: int, *, descriptor: bool) -> Window:
        """Map a physical range as far as it can be mapped; never fails, as the real server never does (H11)."""
        window = Window(base, length)

        if descriptor and length and base + length <= 1 << 63:
            size = -(-(base % PAGE + length) // PAGE) * PAGE
            self._next_virtual -= size
            window.virtual = self._next_virtual
            self._mapped.append(window)
        else:
            self._counters.dead_windows += 1

        return window

    def insert(self, window_id: str, window: Window) -> None:
        """Put a window under an id, over whatever was there (H2)."""
        if window_id in self._windows:
            self._counters.duplicate_window_ids += 1

        self._windows[window_id] = window
        self._counters.windows += 1

    def load(self, window: Window, offset: int) -> int | None:
        """Read a register, twice, as the server does (H10); None when the access is beyond everything mapped."""
        self._counters.double_register_loads += 1
        address = self._check(window, offset)

        if window.virtual is None:
            return 0

        if address is None:
            return None

        self._bus.load(address)
        return self._bus.load(address)

    def store(self, window: Window, offset: int, value: int) -> bool:
        """Write a register; False when the access is beyond everything mapped."""
        address = self._check(window, offset)

        if window.virtual is None:
            return True

        if address is None:
            return False

        self._bus.store(address, value)
        return True

    def lines(self) -> list[str]:
        """What `/proc/self/maps` says of the live mappings, lowest first."""
        return [
            f"{window.virtual:x}-{window.virtual + self._size(window):x} rw-s {window.base // PAGE * PAGE:08x} "
            f"00:05 123                        /dev/mem"
            for window in reversed(self._mapped)
            if window.virtual is not None
        ]

    @staticmethod
    def _size(window: Window) -> int:
        return -(-(window.base % PAGE + window.length) // PAGE) * PAGE

    def _check(self, window: Window, offset: int) -> int | None:
        if offset % 4:
            self._counters.unaligned += 1

        if offset + 4 > window.length:
            self._counters.out_of_range += 1

        address = window.address(offset)
        near = window.base - self._hazards.far <= address < window.base + window.length + self._hazards.far
        return address if near and address >= 0 else None
