"""AXI DMA in scatter-gather mode: a transfer is a chain of descriptors in the board's memory, of any length."""

import weakref
from collections.abc import Awaitable, Callable

import numpy as np
import numpy.typing as npt

from ...board.buffer import Buffer, attached, prefix, server_life
from ...board.device import RemoteDevice
from ...board.mmio import MMIO
from ...errors import StaleHandle
from ...hardware.axi_dma import (
    BUFFER,
    BYTES_MASK,
    CONTROL_WORD,
    DESCRIPTOR_BYTES,
    DESCRIPTOR_COMPLETE,
    FIRST,
    IDLE,
    IOC_IRQ,
    LAST,
    NEXT,
    STATUS_WORD,
)
from .dma_channel import DmaChannel
from .dma_engine import DmaEngine
from .dma_transfer import ChannelSettings, Flight

_WORDS = DESCRIPTOR_BYTES // 4
_FEWEST = 16  # descriptors of a chain


class ScatterGatherChannel(DmaChannel):
    """A channel whose transfers are split into descriptors.

    There are two chains, used in turns, and the last descriptor of a transfer points to the first of the other chain:
    so the engine goes on from one transfer to the next by its tail pointer alone, without being halted in between.
    """

    def __init__(
        self, board: RemoteDevice, engine: DmaEngine, settings: ChannelSettings, ready: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(board, engine, settings, ready)
        self._chains: Buffer | None = None  # uint32 of shape (2, descriptors, 16)
        self._forget: Callable[[], object] = int
        self._next = 0  # the chain that the engine goes on with
        self._which = 0  # the chain of the last transfer, and how many descriptors it has
        self._count = 0
        self._left_over = False
        # Parts of whole descriptor sizes, so that none begins where memory cannot be read without realignment.
        self._step = settings.longest - settings.longest % max(settings.data_bytes, DESCRIPTOR_BYTES)

    async def start(self) -> None:
        """Start the channel if it does not run, after a reset if it has failed; `transfer` does so by itself."""
        try:
            await super().start()
        except StaleHandle:  # the chains went with a server that was restarted
            await super().start()

    def _was_halted(self, reason: str) -> None:
        self._left_over = False
        super()._was_halted(reason)

    async def _prepare(self, part: Buffer) -> None:
        """Write the descriptors; they are in use only once the tail pointer is written."""
        if self._left_over:
            await self._halt()

        count = -(-part.nbytes // self._step)
        chains = await self._room(count, server_life(part))
        self._which, self._count = self._next, count
        used = self._used()
        at, begins = np.arange(count, dtype=np.uint64), np.arange(0, part.nbytes, self._step, dtype=np.uint64)
        followers = used.physical_address + DESCRIPTOR_BYTES * (at + 1)
        followers[-1] = chains[1 - self._which].physical_address
        words = used.view(np.ndarray)
        words[:] = 0
        _put(words, NEXT, followers)
        _put(words, BUFFER, part.physical_address + begins)
        words[:, CONTROL_WORD // 4] = np.minimum(part.nbytes - begins, self._step)

        if self.sends:
            words[0, CONTROL_WORD // 4] |= FIRST
            words[-1, CONTROL_WORD // 4] |= LAST

        await prefix(used).sync_to_device()

    async def _to_start(self) -> MMIO:
        chains = await self._room(1)
        return self._mmio.guarded(lambda: self.board.check_buffer(chains))

    async def _run(self, registers: MMIO) -> None:
        assert self._chains is not None, "they are made before they are used"
        await self._point(registers, self.registers.current, self._chains[self._next].physical_address)
        await super()._run(registers)

    async def _aim(self, registers: MMIO, part: Buffer) -> None:
        if not self._started:
            await self._run(registers)

        if self._count > 1 and not self.sends:
            await registers.write(self.registers.status, IOC_IRQ)  # so that it tells when the packet has ended

    async def _fire(self, registers: MMIO, part: Buffer) -> None:
        address = self._used()[-1].physical_address
        self._next = 1 - self._which  # whatever comes of it, these descriptors are not written over next
        await registers.write(self.registers.tail, address & 0xFFFF_FFFF)

        if self.settings.wide:  # then this is what begins the transfer, and it is always written
            await registers.write(self.registers.tail + 4, address >> 32)

    def _kept(self, part: Buffer) -> list[Buffer]:
        return [part, self._used()]

    def _done(self, status: int) -> bool:
        # A packet may end before the last descriptor, and the engine then waits for the next packet.
        return bool(status & IDLE) or (not self.sends and self._count > 1 and bool(status & IOC_IRQ))

    async def _collect(self, flight: Flight) -> None:
        if self.sends:
            return

        chain = self._used()
        await chain.sync_from_device()
        statuses = [int(word) for word in chain[:, STATUS_WORD // 4]]
        flight.moved = sum(status & BYTES_MASK for status in statuses if status & DESCRIPTOR_COMPLETE)
        self._left_over = not statuses[-1] & DESCRIPTOR_COMPLETE

        if not any(status & LAST for status in statuses):
            self._half.broken = True
            self._fail(
                flight,
                f"the packet was too long for the {flight.part.nbytes} bytes it may fill; give it a buffer for the "
                "longest packet. The next transfer or start resets the DMA",
            )

    def _used(self) -> Buffer:
        """The descriptors of the last transfer."""
        assert self._chains is not None, "they are made before they are used"
        used: Buffer = self._chains[self._which, : self._count]
        return used

    async def _room(self, count: int, life: str | None = None) -> Buffer:
        """Memory for two chains of so many descriptors, in a life of the board server, or in the one that is known."""
        chains = self._chains

        if chains is not None and chains.shape[1] >= count:
            try:
                self.board.check_buffer(chains)
            except StaleHandle:
                pass
            else:
                if life in (None, server_life(chains)):
                    return chains

        if chains is not None:
            # The engine has fetched the address of the chain that it would go on with.
            await self._halt()
            self._chains = None
            self._forget()

        self._chains = await self.board.allocate((2, max(2 * count, _FEWEST), _WORDS), "<u4")
        forget = weakref.finalize(self, attached(self._chains).abandon)
        forget.atexit = False
        self._forget = forget
        return self._chains


def _put(words: npt.NDArray[np.uint32], offset: int, addresses: npt.NDArray[np.uint64]) -> None:
    """Write an address into each descriptor."""
    words[:, offset // 4] = addresses & 0xFFFF_FFFF
    words[:, offset // 4 + 1] = addresses >> 32
