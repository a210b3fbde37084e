"""The bus between the processor and the registers: single loads and stores, and models that watch them."""

from collections.abc import Callable

from .memory import Memory
from .options import PAGE

Hook = Callable[[int, int], int]


class Bus:
    """Loads and stores 32-bit words, and lets hooks stand in for registers that do more than remember.

    A hook is called with the address and a word: on a load the word in memory, on a store the word written. What it
    returns is what the load sees or what the store puts into memory.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._loads: dict[int, list[tuple[range, Hook]]] = {}
        self._stores: dict[int, list[tuple[range, Hook]]] = {}

    def load(self, address: int) -> int:
        """Read the word at an aligned address, as the processor does."""
        value = self._memory.load(address)

        for covered, hook in self._loads.get(address // PAGE, ()):
            if address in covered:
                value = hook(address, value) & 0xFFFFFFFF

        return value

    def store(self, address: int, value: int) -> None:
        """Write the word at an aligned address, as the processor does."""
        for covered, hook in self._stores.get(address // PAGE, ()):
            if address in covered:
                value = hook(address, value) & 0xFFFFFFFF

        self._memory.store(address, value)

    def on_load(self, address: int, hook: Hook, length: int = 4) -> Callable[[], None]:
        """Call `hook` for every load in a range; calling what is returned ends it."""
        return _attach(self._loads, range(address, address + length), hook)

    def on_store(self, address: int, hook: Hook, length: int = 4) -> Callable[[], None]:
        """Call `hook` for every store in a range; calling what is returned ends it."""
        return _attach(self._stores, range(address, address + length), hook)


def _attach(table: dict[int, list[tuple[range, Hook]]], covered: range, hook: Hook) -> Callable[[], None]:
    entry = (covered, hook)
    pages = range(covered.start // PAGE, (covered.stop - 1) // PAGE + 1)

    for page in pages:
        table.setdefault(page, []).append(entry)

    def detach() -> None:
        for page in pages:
            if entry in table.get(page, ()):
                table[page].remove(entry)

    return detach
