"""One direction of an AXI DMA: what simple and scatter-gather mode have in common."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, SupportsIndex

from ...board.buffer import Buffer, board_side, prefix, server_life
from ...board.device import RemoteDevice
from ...board.mmio import MMIO
from ...concurrency import deadline
from ...errors import (
    BoardError,
    BoardRebooted,
    DeadlineExceeded,
    DesignReplaced,
    HardwareError,
    Misuse,
    OutcomeUnknown,
    StaleHandle,
)
from ...hardware.axi_dma import ERRORS, HALTED, IDLE, RUN
from .dma_engine import DmaEngine, Half
from .dma_errors import explain, explain_lateness
from .dma_transfer import ChannelSettings, Flight, checked_part

TIMEOUT = 10.0
_RUN = 1.0


class DmaChannel:
    """A channel of a DMA; made by `DMA`, as its `sendchannel` and `recvchannel`.

    A transfer is one packet of the stream. The buffer is pinned while it is in flight, also when waiting for it timed
    out or was cancelled: freeing it stops the channel first. Whatever is wrong with a transfer is said before any
    register is written. After an error, the next `transfer` or `start` resets the DMA, which is always both channels:
    what the other one had under way then ends in a `HardwareError`.

        await dma.recvchannel.transfer(output)
        await dma.sendchannel.transfer(input)
        await dma.sendchannel.wait()
        await dma.recvchannel.wait(timeout=1.0)
    """

    def __init__(
        self, board: RemoteDevice, engine: DmaEngine, settings: ChannelSettings, ready: Callable[[], Awaitable[None]]
    ) -> None:
        self.board = board
        self.settings = settings
        self.registers = settings.registers
        self.sends = settings.sends
        self._engine = engine
        self._ready = ready  # what the driver, or one made from it, does before its first access
        self._mmio = engine.mmio.lane()  # neither channel's registers wait for the other's
        self._started = False
        self._flight: Flight | None = None
        self._turn = asyncio.Lock()
        self._high: dict[int, int] = {}
        self._half = Half(settings.name, settings.registers, self._was_halted, self._was_reset)
        engine.halves.append(self._half)

    def __str__(self) -> str:
        return self.settings.name

    def __repr__(self) -> str:
        state = "started" if self._started else "not started"
        state = "broken" if self._half.broken else "in flight" if self.in_flight else state
        return f"<{type(self).__name__} {self} of {self.board.name}, {state}>"

    @property
    def in_flight(self) -> bool:
        """Whether a transfer was begun, or may have been, whose end is not known yet; no I/O."""
        return self._flight is not None and not self._flight.landed and self._flight.end is None

    async def transfer(self, array: Buffer, start: SupportsIndex = 0, nbytes: SupportsIndex = 0) -> None:
        """Begin to move a buffer, or `nbytes` of it from byte `start` on (0: all that follows).

        What is sent is synchronised to the board first; the board takes a buffer from its start only, so that what lies
        before the part is written too. Starts the channel if need be. Raises `Misuse` for what cannot be transferred,
        while another transfer is in flight, and when something was received before the part that was not read yet.
        """
        part = checked_part(self.board, self.settings, array, start, nbytes)
        await self._ready()

        async with self._turn:
            await self._vacate()

            if self.sends:
                await self._upload(part)

            await self._launch(part)

    async def launch(self, array: Buffer, start: SupportsIndex = 0, nbytes: SupportsIndex = 0) -> None:
        """Begin to move what is on the board as it is: `transfer` without synchronising the data."""
        part = checked_part(self.board, self.settings, array, start, nbytes)
        await self._ready()

        async with self._turn:
            await self._vacate()
            await self._launch(part)

    async def wait(self, timeout: float = TIMEOUT) -> None:
        """Wait for the last transfer; what was received is then in the array it was given.

        Exactly the bytes that were asked for are synchronised, whether or not the packet had as many (`transferred`
        says). Raises `DeadlineExceeded` after `timeout` seconds without completion, with 0 after one look: the transfer
        stays in flight, and may be waited for again or stopped. Raises `HardwareError` when the DMA reports an error or
        was stopped. Many may wait, each with a timeout of its own.
        """
        flight = self._last()
        await self._land(flight, timeout)

        if self.sends:
            return

        async with flight.turn:
            if not flight.synced:
                await flight.part.sync_from_device()
                flight.synced = True

    async def finish(self, timeout: float = TIMEOUT) -> None:
        """Wait until the hardware has done its part of the last transfer: `wait` without synchronising the data."""
        await self._land(self._last(), timeout)

    async def transferred(self) -> int:
        """How many bytes the last transfer moved; a packet that was received may have been shorter than its buffer.

        In simple mode this reads the DMA once. Raises `HardwareError` when the DMA was reset before that.
        """
        flight = self._last()

        if not flight.landed:
            raise Misuse(self.board.name, f"{self}: the transfer is not complete; await wait() first")

        if flight.moved is None:
            flight.moved = flight.part.nbytes if self.sends else await self._received(flight)

        return flight.moved

    async def start(self) -> None:
        """Start the channel if it does not run, after a reset if it has failed; `transfer` does so by itself."""
        await self._ready()

        async with self._turn:
            registers = await self._to_start()

            async with self._engine.ready(self._half):
                if not self._started:
                    await self._run(registers)

    async def stop(self) -> None:
        """Stop the channel and give up what is in flight; resets the DMA when it does not halt by itself."""
        await self._ready()
        await self._halt()

    async def running(self) -> bool:
        """Whether the channel runs; one read of DMASR, as `idle` and `error`."""
        return not await self._status() & HALTED

    async def idle(self) -> bool:
        """Whether the channel runs and has completed what it was given; False before the first transfer."""
        return bool(await self._status() & IDLE)

    async def error(self) -> bool:
        """Whether the channel is in an error state, which a reset ends."""
        return bool(await self._status() & ERRORS)

    def _was_halted(self, reason: str) -> None:
        self._started = False
        flight = self._flight

        if flight is not None and not flight.landed:
            flight.end = flight.end or self._why_given_up(flight, reason)
            flight.release()

    def _was_reset(self, reason: str) -> None:
        self._high.clear()

        if self._flight is not None:
            self._flight.was_reset = True

        self._was_halted(reason)

    async def _halt(self) -> None:
        await self._engine.halt(self._half, f"{self} was stopped")

    async def _upload(self, part: Buffer) -> None:
        memory, start = board_side(part)

        if memory.awaits_reading(start):
            raise Misuse(
                self.board.name,
                f"{self}: the board takes a buffer from its start only, and what is received before byte {start} of "
                "this one would be written over: read that first (await the receiving channel's wait, or "
                "sync_from_device), or send from another buffer",
            )

        await prefix(part).sync_to_device()

    async def _to_start(self) -> MMIO:
        """Bring to the board what starting needs; the registers, for as long as it is there."""
        return self._mmio

    async def _prepare(self, part: Buffer) -> None:
        """Bring to the board what the transfer needs beside its data."""

    async def _run(self, registers: MMIO) -> None:
        """Start the channel."""
        await registers.write(self.registers.control, RUN)
        status = await registers.poll(self.registers.status, lambda word: not word & HALTED, _RUN)

        if status is None or status & HALTED:
            self._half.broken = True
            raise DeadlineExceeded(self.board.name, f"{self} did not start within {_RUN:g} s")

        self._started = True

    async def _aim(self, registers: MMIO, part: Buffer) -> None:
        """Write everything but what begins the transfer."""
        raise NotImplementedError

    async def _fire(self, registers: MMIO, part: Buffer) -> None:
        """Write what begins the transfer."""
        raise NotImplementedError

    def _kept(self, part: Buffer) -> list[Buffer]:
        """The memory that the hardware uses for a transfer."""
        return [part]

    def _done(self, status: int) -> bool:
        """Whether a status means that the transfer is complete."""
        return bool(status & IDLE)

    async def _collect(self, flight: Flight) -> None:
        """Look at what the hardware left behind of a transfer that is complete."""

    async def _received(self, flight: Flight) -> int:
        """How many bytes came."""
        raise NotImplementedError

    async def _vacate(self) -> None:
        """Raise unless a transfer may be begun: the last one is complete, or will be cleared away by a reset."""
        flight = self._flight

        if flight is None or flight.landed or flight.end is not None or not flight.begun or self._half.broken:
            return

        try:
            await self._land(flight, 0)
        except StaleHandle:
            pass
        except DeadlineExceeded:
            raise Misuse(
                self.board.name, f"{self} has a transfer in flight; wait for it, or stop the channel"
            ) from None

    async def _launch(self, part: Buffer) -> None:
        life = server_life(part)

        async with self._engine.ready(self._half, life):
            pass  # what may still be running is stopped before anything of it is written over

        await self._prepare(part)

        async with self._engine.ready(self._half, life):
            flight = Flight(part, self._mmio.guarded(lambda: self.board.check_buffer(part)))
            await self._aim(flight.registers, part)
            flight.unpin.extend(each.pin(self._quiesce) for each in self._kept(part))

            if not self.sends:
                flight.expect()

            self._flight = flight
            self._half.broken = True  # until it is known that it was begun, only a reset makes sure that it was not
            await self._fire(flight.registers, part)
            self._half.broken = False
            flight.begun = True

    async def _land(self, flight: Flight, timeout: float) -> None:
        """Wait until the hardware has done its part."""
        deadline(self.board.name, timeout)

        if self._settled(flight):
            return

        if not flight.begun:
            raise OutcomeUnknown(
                self.board.name,
                f"{self}: whether the last transfer was begun is unknown; transfer again, or stop the channel",
            )

        status = await self._look(flight, timeout)

        async with flight.turn:
            if self._settled(flight):  # by somebody else who waited
                return

            if status is None or not self._over(flight, status):
                late = explain_lateness(self.registers, status, flight.part.nbytes, timeout)
                raise DeadlineExceeded(self.board.name, f"{self}: {late}")

            if status & ERRORS or not self._done(status):
                await self._engine.settled()  # it may be another task of ours that stops it
                self._settled(flight)
                self._half.broken = True
                said = explain(self.registers, status, flight.part.nbytes)
                self._fail(flight, f"{said}; the next transfer or start resets the DMA", halted=bool(status & HALTED))

            await self._collect(flight)

            if not self._settled(flight):
                flight.land()

    @staticmethod
    def _settled(flight: Flight) -> bool:
        """Whether a transfer has landed; raises why it will not."""
        if flight.end is not None:
            raise flight.end

        return flight.landed

    def _over(self, flight: Flight, status: int) -> bool:
        over = flight.landed or flight.end is not None
        return over or self._done(status) or bool(status & (ERRORS | HALTED))

    async def _look(self, flight: Flight, timeout: float) -> int | None:
        """Read the status until it says that the transfer is over; it may also be that others have learned that."""
        try:
            return await flight.registers.poll(self.registers.status, lambda word: self._over(flight, word), timeout)
        except BoardError as error:
            if self._settled(flight):
                return None

            if isinstance(error, DesignReplaced | BoardRebooted):
                self._was_halted("its design left the fabric")
            elif isinstance(error, StaleHandle):  # the memory went with its server; what the hardware does is unknown
                flight.end = error
                self._half.broken = True

            raise

    def _fail(self, flight: Flight, problem: str, *, halted: bool = True) -> NoReturn:
        """End a transfer with an error; until the channel has halted, the memory is not let go."""
        flight.end = HardwareError(self.board.name, f"{self}: {problem}")

        if halted:
            flight.release()

        raise flight.end

    def _why_given_up(self, flight: Flight, reason: str) -> BoardError:
        try:
            self.board.check_buffer(flight.part)
        except StaleHandle as stale:
            return stale
        except BoardError:  # it is being freed, or the board closed
            pass

        return HardwareError(self.board.name, f"{self}: {reason} before the transfer was done")

    def _last(self) -> Flight:
        if self._flight is None:
            raise Misuse(self.board.name, f"{self}: there is nothing to wait for; await transfer(buffer) first")

        return self._flight

    async def _quiesce(self) -> None:
        """Stop, since the memory of a transfer is to be freed."""
        try:
            await self._halt()
        except (DesignReplaced, BoardRebooted):
            self._was_halted("its design left the fabric")

    async def _status(self) -> int:
        await self._ready()
        return await self._mmio.read(self.registers.status)

    async def _point(self, registers: MMIO, offset: int, address: int) -> None:
        """Write an address; its upper half only where it changes."""
        await registers.write(offset, address & 0xFFFF_FFFF)

        if self.settings.wide and self._high.get(offset, 0) != address >> 32:
            self._high.pop(offset, None)
            await registers.write(offset + 4, address >> 32)
            self._high[offset] = address >> 32
