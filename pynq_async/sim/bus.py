"""The bus between the processor and the registers: single loads and stores, and models that watch them."""

from collections.abc import Callable

from .fabric import Fabric
from .ip import IpModel
from .memory import Memory
from .options import PAGE

Hook = Callable[[int, int], int]


class BusError(Exception):
    """Nothing answers at an address."""

    def __init__(self, address: int, why: str) -> None:
        super().__init__(f"bus error at {address:#x}: {why}")
        self.address = address


class Bus:
    """Loads and stores 32-bit words: at the IP whose range it is, else in memory.

    A hook is called with the address and a word: on a load what was loaded, on a store the word written. What it
    returns is what the load sees or what is stored.
    """

    def __init__(self, memory: Memory, fabric: Fabric) -> None:
        self._memory = memory
        self._fabric = fabric
        self._loads: dict[int, list[tuple[range, Hook]]] = {}
        self._stores: dict[int, list[tuple[range, Hook]]] = {}

    def load(self, address: int) -> int:
        """Read the word at an aligned address, as the processor does; raises `BusError` where nothing answers."""
        model = self._model(address)
        value = self._memory.load(address) if model is None else model.load(address - model.site.base) & 0xFFFFFFFF

        for covered, hook in self._loads.get(address // PAGE, ()):
            if address in covered:
                value = hook(address, value) & 0xFFFFFFFF

        return value

    def store(self, address: int, value: int) -> None:
        """Write the word at an aligned address, as the processor does; raises `BusError` where nothing answers."""
        model = self._model(address)

        for covered, hook in self._stores.get(address // PAGE, ()):
            if address in covered:
                value = hook(address, value) & 0xFFFFFFFF

        if model is None:
            self._memory.store(address, value)
        else:
            model.store(address - model.site.base, value)

    def on_load(self, address: int, hook: Hook, length: int = 4) -> Callable[[], None]:
        """Call `hook` for every load in a range; calling what is returned ends it."""
        return _attach(self._loads, range(address, address + length), hook)

    def on_store(self, address: int, hook: Hook, length: int = 4) -> Callable[[], None]:
        """Call `hook` for every store in a range; calling what is returned ends it."""
        return _attach(self._stores, range(address, address + length), hook)

    def _model(self, address: int) -> IpModel | None:
        model = self._fabric.at(address)

        if model is None and self._fabric.forbids(address):
            raise BusError(address, self._fabric.content)

        return model


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
