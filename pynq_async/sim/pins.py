"""Interrupt lines, as far as a client can tell."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from ..errors import SimulationError
from .wiring import Wiring


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


def raise_interrupt(registered: Collection[Interrupt], wiring: Wiring, source: str | int) -> int:
    """Raise the interrupts that `source` names, those registered and the pin of the design; as `SimBoard` has it."""
    raised = [interrupt for interrupt in registered if interrupt.matches(source)]

    for interrupt in raised:
        interrupt.pending.set()

    there = isinstance(source, str) and wiring.pulse(source)

    if not raised and not there and wiring.pins:
        raise SimulationError(
            f"the simulated design has no interrupt {source!r}; it has {', '.join(sorted(wiring.pins))}"
        )

    return max(len(raised), there)
