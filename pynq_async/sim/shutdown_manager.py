"""The shutdown manager IP: stops the traffic of a region before it is reconfigured (PG305)."""

from collections.abc import Mapping
from typing import Protocol

from .bus import Bus

_CONTROL = 0x0
_STOPPED = 0x0F


class Design(Protocol):
    """What a simulated board asks of a parsed hardware description; `pynq_async.bitstream.Design` has it."""

    def shutdown_managers(self) -> Mapping[str, int]:
        """Give the base address of each shutdown manager by its name."""
        ...


def add_shutdown_manager(bus: Bus, base: int, polls: int | None) -> None:
    """Model a shutdown manager: after 1 was written it reads 0x0F, `polls` reads later; None is never."""
    waiting: int | None = None

    def on_store(_: int, word: int) -> int:
        nonlocal waiting
        waiting = polls if word & 1 else None
        return 0

    def on_load(_: int, word: int) -> int:
        nonlocal waiting

        if waiting is None:
            return word

        if waiting > 0:
            waiting -= 1
            return 0

        return _STOPPED

    bus.on_store(base + _CONTROL, on_store)
    bus.on_load(base + _CONTROL, on_load)
