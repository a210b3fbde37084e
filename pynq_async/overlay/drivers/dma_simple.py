"""AXI DMA in simple mode: a transfer is an address and a length."""

from ...board.buffer import Buffer
from ...board.mmio import MMIO
from ...errors import HardwareError
from .dma_channel import DmaChannel
from .dma_transfer import Flight


class SimpleChannel(DmaChannel):
    """A channel of a DMA without scatter-gather: a transfer is an address and a length."""

    async def _aim(self, registers: MMIO, part: Buffer) -> None:
        if not self._started:
            await self._run(registers)

        await self._point(registers, self.registers.address, part.physical_address)

    async def _fire(self, registers: MMIO, part: Buffer) -> None:
        await registers.write(self.registers.length, part.nbytes)

    async def _received(self, flight: Flight) -> int:
        count = 0 if flight.was_reset else await self._mmio.read(self.registers.length)

        if flight.was_reset:  # perhaps while it was read
            raise HardwareError(
                self.board.name,
                f"{self}: how much was received went with a reset of the DMA; await transferred() before the next one",
            )

        return count
