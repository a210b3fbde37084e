"""What the two channels of an AXI DMA share: its registers, and the reset, which is always of both."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ...board.mmio import MMIO
from ...errors import DeadlineExceeded
from ...hardware.axi_dma import HALTED, RESET, DmaRegisters
from ...wire.locks import SharedLock

_HALT = 0.1  # for a channel to end what it has under way
_RESET = 1.0


@dataclass(eq=False, slots=True)
class Half:
    """What the engine knows of a channel.

    Attributes:
        name: the channel's, for errors.
        registers: where its registers are.
        halted: told why when the channel was stopped: what was under way is not carried out any more.
        reset: told why when the DMA was reset: the channel is as after power-up.
        broken: whether only a reset can put it right.
    """

    name: str
    registers: DmaRegisters
    halted: Callable[[str], None]
    reset: Callable[[str], None]
    broken: bool = False

    def __str__(self) -> str:
        return self.name


class DmaEngine:
    """Resets and halts; what is known of the hardware's state holds for one life of the board server.

    Attributes:
        board: the board's name.
        name: the DMA's full path.
        mmio: its registers.
        halves: the channels that the design includes.
    """

    def __init__(self, board: str, name: str, mmio: MMIO) -> None:
        self.board = board
        self.name = name
        self.mmio = mmio
        self.halves: list[Half] = []
        self._turn = SharedLock()  # shared while a channel's registers are written, held alone to halt or reset
        self._known = False
        self._life: str | None = None

    @asynccontextmanager
    async def ready(self, channel: Half, life: str | None = None) -> AsyncIterator[None]:
        """A block in which `channel` can be used and is not reset by another.

        The DMA is reset first if `channel` is broken, or if what it was doing in another life of the server is unknown.
        That is so for the first use too, and after a restart: it may be writing to memory that was freed with the old
        server.
        """
        while True:
            async with self._turn.shared():
                if self._usable(channel, life):
                    self._life = life or self._life
                    yield
                    return

            async with self._turn.alone():
                if not self._usable(channel, life):
                    await self._reset(f"{self.name} was reset to make {channel} usable again")

    async def halt(self, channel: Half, reason: str) -> None:
        """Stop one channel; if it has not halted in time, as with a stream that stalls, reset the DMA."""
        async with self._turn.alone():
            if self._known and not channel.broken:
                channel.broken = True  # until it is known to have halted
                await self.mmio.write(channel.registers.control, 0)
                status: int | None = await self.mmio.read(channel.registers.status)

                if status is not None and not status & HALTED:
                    status = await self.mmio.poll(channel.registers.status, lambda word: bool(word & HALTED), _HALT)

                if status is not None and status & HALTED:
                    channel.broken = False
                    channel.halted(reason)
                    return

            await self._reset(f"{self.name} was reset to stop {channel}")

    async def settled(self) -> None:
        """Wait for a halt or reset that is under way."""
        async with self._turn.shared():
            pass

    def _usable(self, channel: Half, life: str | None) -> bool:
        return self._known and not channel.broken and life in (None, self._life or life)

    async def _reset(self, reason: str) -> None:
        """Reset both channels (PG021: DMACR.Reset of either resets the whole DMA)."""
        self._known = False
        self._life = None
        control = self.halves[0].registers.control
        await self.mmio.write(control, RESET)
        word = await self.mmio.poll(control, lambda word: not word & RESET, _RESET)

        if word is None or word & RESET:
            raise DeadlineExceeded(
                self.board,
                f"{self.name} was not reset within {_RESET:g} s; is the clock of its streams or of its memory running?",
            )

        for half in self.halves:
            half.broken = False
            half.reset(reason)

        self._known = True
