"""GPIO pins of the processing system and interrupt lines, as far as a client can tell."""

import asyncio
from dataclasses import dataclass, field

from .options import Family, GpioChip


class Pins:
    """The GPIO pins of a board by their Linux number; tests set inputs and look at outputs."""

    def __init__(self, family: Family) -> None:
        self._chips = family.gpio
        self._values: dict[int, int] = {}

    def read(self, pin: int) -> int:
        """Give the level of a pin, 0 or 1."""
        return self._values.get(pin, 0)

    def write(self, pin: int, value: int) -> None:
        """Set the level of a pin."""
        self._values[pin] = int(bool(value))

    def exists(self, pin: int) -> bool:
        """Whether a chip of this board has the pin."""
        return any(chip.base <= pin < chip.base + chip.pins for chip in self._chips)

    def chip(self, label: str | None) -> GpioChip | None:
        """Find a chip by its label; without one it is the first."""
        return next((chip for chip in self._chips if label is None or chip.label == label), None)

    def reset(self) -> None:
        """Set every pin low, as after a reboot."""
        self._values.clear()


@dataclass(eq=False, slots=True)
class Interrupt:
    """A registered interrupt: raised while nobody waits, it stays pending once."""

    pin_name: str
    pin_index: int
    raw_irq: int
    pending: asyncio.Event = field(default_factory=asyncio.Event)

    def matches(self, source: str | int) -> bool:
        """Whether `source` names this interrupt: the pin's name, the pin's index or the raw interrupt number."""
        return source in (self.pin_name, self.pin_index, self.raw_irq)
