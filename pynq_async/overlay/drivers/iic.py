"""AXI IIC."""

import operator
from asyncio import Lock
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import SupportsIndex

import anyio

from ...concurrency import acquired, deadline, to_the_end
from ...errors import BoardError, DeadlineExceeded, HardwareError, Misuse, OutOfRange
from ...hardware import axi_iic as regs
from ..ip import DefaultIP, IpDescription

_TRANSFER = regs.FIFO_DEPTH - 3  # bytes written before a read: the FIFO holds two addresses and a count as well
_SLOW_HZ = 12_500  # for the low half of SCL alone; with the high half the bus keeps above the 10 kHz of SMBus
_PATIENCE = 10  # milliseconds for a byte that is on its way
_SETTLING = 1.0  # seconds at most for leaving the bus in order after an error


class AxiIIC(DefaultIP):
    """A master on an I2C bus (PG090).

        iic = overlay.axi_iic_0
        await iic.send(0x50, [0x10, 1, 2, 3])
        data = await iic.transfer(0x50, [0x10], 3)    # write a register's number, then read with no STOP in between

    One transaction at a time: calls of several tasks wait for each other. A device that does not acknowledge is a
    `HardwareError`.

    The board server loads a register twice for one read, and the receive FIFO gives up a byte at each load. So the core
    is made to stop the bus after every byte, which is taken while it is alone in the FIFO: the second load finds it
    empty, and an empty FIFO goes on showing its last byte. Should the server be held up between its two loads for as
    long as the next byte takes on the bus, one is lost. Then fewer arrive than the core received, and there is a
    `HardwareError` instead of wrong data. To make that rare, the first read slows the bus down to 10 to 12 kHz where
    the design lets it (from version 2.1 of the IP on) until `reset`. Reads of a single byte are always safe.
    """

    bindto = ("xilinx.com:ip:axi_iic",)

    def __init__(self, description: IpDescription) -> None:
        super().__init__(description)
        self._bus = Lock()
        self._can_be_slow = self.parameters.get(regs.TIMING_WIDTH) == "32"
        self._is_slow = not self._can_be_slow

    async def send(self, address: SupportsIndex, data: Iterable[int], *, timeout: float = 1.0) -> None:
        """Write one or more bytes to the device at a 7-bit address.

        `timeout` is for each step, once it is this call's turn among those of our tasks: until the bus is free, and
        while nothing moves. Raises `Misuse` before anything is sent, `HardwareError` when the device does not
        acknowledge or another master interferes, `DeadlineExceeded`.
        """
        head, content = self._head(address), self._bytes(data)
        program = [regs.START | head, *content[:-1], regs.STOP | content[-1]]

        async with self._transaction(timeout):
            await self._start(program[: regs.FIFO_DEPTH])

            for first in range(regs.FIFO_DEPTH, len(program), regs.FIFO_DEPTH):
                await self._until(lambda status: bool(status & regs.TX_EMPTY), head, timeout)
                await self._fill(program[first : first + regs.FIFO_DEPTH])

            sent = regs.TX_EMPTY
            await self._until(lambda status: status & (regs.TX_EMPTY | regs.BUS_BUSY) == sent, head, timeout)
            self._judge(await self.read(regs.ISR), head)

    async def receive(self, address: SupportsIndex, length: SupportsIndex, *, timeout: float = 1.0) -> bytes:
        """Read 1 to 255 bytes from the device at a 7-bit address; raises as `send`, or when a byte was lost."""
        head, count = self._head(address), self._length(length)

        async with self._transaction(timeout):
            await self._slow_down()
            await self._start([regs.START | head | regs.READ, regs.STOP | count])
            return await self._take(count, head, timeout)

    async def transfer(
        self, address: SupportsIndex, data: Iterable[int], length: SupportsIndex, *, timeout: float = 1.0
    ) -> bytes:
        """Write 1 to 13 bytes, then read 1 to 255 without letting go of the bus; raises as `receive`."""
        head, count, content = self._head(address), self._length(length), self._bytes(data)

        if len(content) > _TRANSFER:
            raise OutOfRange(
                self.board.name, f"{self.name} writes at most {_TRANSFER} bytes before a read, not {len(content)}"
            )

        async with self._transaction(timeout):
            await self._slow_down()

            if count == 1:
                # The core does not acknowledge the only byte, which would look as if the device refused one.
                await self._start([regs.START | head, *content])
                await self._until_held(head, timeout)
                await self._fill([regs.START | head | regs.READ])  # without a count the core reads one byte
                return await self._take(1, head, timeout)

            await self._start([regs.START | head, *content, regs.START | head | regs.READ, regs.STOP | count])
            return await self._take(count, head, timeout, written=True)

    async def wait(self, timeout: float = 1.0) -> None:
        """Wait until our other tasks have had their turn and the bus is free; with 0 it looks once.

        Raises `DeadlineExceeded` after `timeout` seconds. Transactions of other tasks may begin meanwhile.
        """
        end = deadline(self.board.name, timeout)

        if not await acquired(self._bus, timeout):
            raise DeadlineExceeded(
                self.board.name, f"{self.name}: another task still uses the bus after {max(timeout, 0):g} s"
            )

        self._bus.release()
        await self._until_free(end, timeout)

    async def reset(self) -> None:
        """Reset the core: it lets go of the bus, and its outputs (`GPO`) and timing are as the design says again."""
        async with self._bus:
            await self.write(regs.SOFTR, regs.RESET_KEY)
            self._is_set_up = False
            self._is_slow = not self._can_be_slow

    async def _setup(self) -> None:
        """Let a transaction that an earlier program left behind come to its end, and enable the core."""
        idle = 0
        await self.write(regs.RX_FIFO_PIRQ, regs.FIFO_DEPTH - 1)

        for _ in range(2 * regs.MOST_READ):
            status = await self.read(regs.SR)

            if not status & regs.RX_EMPTY:
                await self.read(regs.RX_FIFO)
                idle = 0
            elif status & regs.BUS_BUSY and idle < _PATIENCE:
                await anyio.sleep(0.001)
                idle += 1
            else:
                break

        await self.write(regs.CR, regs.TX_FIFO_RESET)
        await self.write(regs.CR, regs.ENABLE)
        await self.write(regs.RX_FIFO_PIRQ, 0)

    @asynccontextmanager
    async def _transaction(self, timeout: float) -> AsyncIterator[None]:
        """Have the bus, which must be free; after an error leave it so."""
        deadline(self.board.name, timeout)

        async with self._bus:
            if not await self._until_free(anyio.current_time() + timeout, timeout) & regs.RX_EMPTY:
                self._is_set_up = False  # something is left of what another program did

            try:
                yield
            except BaseException:
                self._is_set_up = False

                with suppress(BoardError):  # then whoever comes next tries again
                    await to_the_end(self._settle())

                raise

    async def _settle(self) -> None:
        with anyio.move_on_after(_SETTLING):
            await self._ready()

    async def _slow_down(self) -> None:
        if not self._is_slow:
            await self.write(regs.TLOW, int(self.parameters.get(regs.CLOCK_HZ, 100_000_000)) // _SLOW_HZ)
            self._is_slow = True

    async def _start(self, program: list[int]) -> None:
        """Put up to 16 words into the FIFO and let the core carry them out.

        Meanwhile it is disabled: the number of bytes to read must be there when the address has gone out, which on a
        running bus is long before the next call arrives.
        """
        await self.write(regs.CR, 0)

        if events := await self.read(regs.ISR) & (regs.ARBITRATION_LOST | regs.TRANSMIT_ERROR | regs.TRANSMIT_EMPTY):
            await self.write(regs.ISR, events)

        await self._fill(program)
        await self.write(regs.CR, regs.ENABLE)

    async def _fill(self, words: list[int]) -> None:
        for word in words:
            await self.write(regs.TX_FIFO, word)

    async def _take(self, count: int, head: int, timeout: float, *, written: bool = False) -> bytes:
        """Take the bytes that the core receives, each while it is alone in the FIFO."""
        data = bytearray()

        while len(data) < count:
            status = await self._until(
                lambda status: not status & regs.RX_EMPTY or bool(data and not status & regs.BUS_BUSY), head, timeout
            )

            if status & regs.RX_EMPTY:
                raise HardwareError(
                    self.board.name,
                    f"{self.name} received {count} bytes, but {count - len(data)} were lost: the board loads a "
                    "register twice for one read, and was too slow this time; read again if the device allows it",
                )

            if written and not data:
                self._judge(await self.read(regs.ISR), head)

            data.append(await self.read(regs.RX_FIFO) & 0xFF)

        await self._until(lambda status: not status & regs.BUS_BUSY, head, timeout)
        return bytes(data)

    async def _until(self, holds: Callable[[int], bool], head: int, timeout: float) -> int:
        """Wait for a status; raises `HardwareError` when the transaction came to another end."""
        end = anyio.current_time() + timeout

        while True:
            status = await self._poll(
                regs.SR, lambda status: holds(status) or not status & regs.BUS_BUSY, end, timeout, head
            )

            if holds(status):
                return status

            self._judge(await self.read(regs.ISR), head)  # the bus is free: over, or not begun yet
            await anyio.sleep(0.001)

    async def _until_held(self, head: int, timeout: float) -> None:
        """Wait until the core holds the bus for want of something to send, all that was sent being acknowledged."""
        ends = regs.TRANSMIT_EMPTY | regs.TRANSMIT_ERROR | regs.ARBITRATION_LOST
        end = anyio.current_time() + timeout
        self._judge(await self._poll(regs.ISR, lambda events: bool(events & ends), end, timeout, head), head)

    async def _until_free(self, end: float, timeout: float) -> int:
        return await self._poll(regs.SR, lambda status: not status & regs.BUS_BUSY, end, timeout)

    async def _poll(
        self, offset: int, holds: Callable[[int], bool], end: float, timeout: float, head: int | None = None
    ) -> int:
        """Poll a register until the time `end`, which began `timeout` seconds earlier."""
        await self._ready()
        word = await self.mmio.poll(offset, holds, end - anyio.current_time())

        if word is not None and holds(word):
            return word

        what = "the bus is not free" if head is None else f"nothing came of a transfer with {_shown(head)}"
        last = "it never answered" if word is None else f"its register at {offset:#x} is {word:#04x}"
        raise DeadlineExceeded(
            self.board.name,
            f"{self.name}: {what} after {timeout:g} s; {last}; reset() lets go of a bus that hangs",
        )

    def _judge(self, events: int, head: int) -> None:
        if events & regs.ARBITRATION_LOST:
            raise HardwareError(self.board.name, f"{self.name}: another master has the bus (arbitration lost)")

        if events & regs.TRANSMIT_ERROR:
            raise HardwareError(
                self.board.name, f"{self.name}: the device at {_shown(head)} is not there or refused a byte (no ACK)"
            )

    def _head(self, address: SupportsIndex) -> int:
        """The first byte of a transaction, but for the bit that says read."""
        return self._number(address, range(0x80), "an I2C address") << 1

    def _length(self, length: SupportsIndex) -> int:
        return self._number(length, range(1, regs.MOST_READ + 1), "the number of bytes to read")

    def _number(self, value: SupportsIndex, allowed: range, what: str) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            raise Misuse(self.board.name, f"{self.name}: {what} is a number, not {value!r}") from None

        if number not in allowed:
            raise OutOfRange(
                self.board.name, f"{self.name}: {what} is {allowed.start:#x} to {allowed.stop - 1:#x}, not {number:#x}"
            )

        return number

    def _bytes(self, data: Iterable[int]) -> bytes:
        try:
            content = bytes(tuple(data))
        except (TypeError, ValueError) as error:
            raise Misuse(self.board.name, f"{self.name}: {data!r} are no bytes ({error})") from None

        if not content:
            raise Misuse(self.board.name, f"{self.name}: give at least one byte to write")

        return content


def _shown(head: int) -> str:
    return f"{head >> 1:#04x}"
