"""AXI DMA in simple mode: a transfer is an address and a length."""

from ...board.buffer import Buffer
from ...board.mmio import MMIO
from .dma_channel import DmaChannel
from .dma_transfer import Flight


class SimpleChannel(DmaChannel):
    """A channel of a DMA without scatter-gather: a transfer is an address and a length."""

    async def _aim(self, registers: MMIO, part: Buffer) -> None:
        if not self._started:
            await self._run()

        await self._point(registers, self.registers.address, part.physical_address)

    async def _fire(self, registers: MMIO, part: Buffer) -> None:
        await registers.write(self.registers.length, part.nbytes)

    async def _received(self, flight: Flight) -> int:
        return await self._mmio.read(self.registers.length)
