"""The registers of one counter of an AXI timer."""

import asyncio

from ...errors import OutOfRange
from ...hardware import axi_timer as regs
from ..ip import DefaultIP


class Counter:
    """What a counter was told, and whether it has expired.

    Attributes:
        index: 0 or 1.
        control: what was written to TCSR, without what happens by itself; None while that is not known.
        interrupts: its interrupt was enabled, which lasts.
        expired: it was seen to have expired, which was cleared in TCSR, and nobody has been told.
    """

    def __init__(self, ip: DefaultIP, index: int, order: asyncio.Lock) -> None:
        self.index = index
        self.control: int | None = None
        self.interrupts = False
        self.expired = False
        self._ip = ip
        self._order = order
        self._max = (1 << int(ip.parameters.get(regs.COUNT_WIDTH, "32"), 0)) - 1

    def load_for(self, ticks: int, what: str, frequency: float | None) -> int:
        """What is loaded to count down so many ticks; raises `OutOfRange`."""
        most = self._max + regs.EXTRA_CYCLES

        if not regs.EXTRA_CYCLES <= ticks <= most:
            longest = f" ({most / frequency:.3g} s)" if frequency else ""
            raise OutOfRange(
                self._ip.board.name, f"{what}: {regs.EXTRA_CYCLES} to {most} ticks{longest} can be counted, not {ticks}"
            )

        return ticks - regs.EXTRA_CYCLES

    async def load(self, value: int) -> None:
        """Write the load register."""
        await self._ip.write(regs.LOAD_VALUE[self.index], value)

    async def write(self, control: int) -> None:
        """Write TCSR; the caller has the order."""
        self.control = None
        await self._ip.write(regs.CONTROL[self.index], control)
        self.control = control & ~(regs.TINT | regs.ENALL)

    async def run(self, load: int, mode: int) -> None:
        """Load it and let it run."""
        async with self._order:
            await self.load(load)
            await self.write(mode | regs.LOAD | regs.TINT)
            self.expired = False
            await self.write(mode | regs.ENT | (regs.ENIT if self.interrupts else 0))

    async def stop(self) -> None:
        """Stop it."""
        async with self._order:
            await self.write(0)

    async def captured(self) -> int:
        """Read the load register."""
        return await self._ip.read(regs.LOAD_VALUE[self.index])

    async def value(self) -> int:
        """Read the counter."""
        return await self._ip.read(regs.COUNTER[self.index])

    async def look(self) -> None:
        """See whether it has expired, and clear that in TCSR; the caller has the order."""
        status = await self._ip.read(regs.CONTROL[self.index])
        control = status & ~(regs.TINT | regs.ENALL) if self.control is None else self.control
        self.control = control

        if status & regs.TINT:
            self.expired = True
            await self.write(control | regs.TINT)

    async def enable_interrupt(self) -> bool:
        """Enable its interrupt; returns whether it was not known to be enabled."""
        async with self._order:
            if self.control is None:
                return True

            if self.control & regs.ENIT:
                return False

            await self.write(self.control | regs.ENIT)
            self.interrupts = True
            return True
