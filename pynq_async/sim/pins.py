"""Interrupt lines, as far as a client can tell."""

import asyncio
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Interrupt:
    """A registered interrupt: raised while nobody waits, it stays pending once."""

    pin_name: str
    pin_index: int
    raw_irq: int
    controller: int = 0
    pending: asyncio.Event = field(default_factory=asyncio.Event)

    def matches(self, source: str | int) -> bool:
        """Whether `source` names this interrupt: the pin's name, the pin's index or the raw interrupt number."""
        return source in (self.pin_name, self.pin_index, self.raw_irq)
