"""AXI GPIO."""

import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import SupportsIndex

from ...board.interrupts import InterruptPin
from ...concurrency import deadline, for_each
from ...errors import DeadlineExceeded, Misuse, NotInDesign, OutOfRange
from ...hardware import axi_gpio as regs
from ..ip import DefaultIP, IpDescription
from .gpio_port import Direction, Port, parameter
from .watch import ValueWaiter, Watch


class Wires:
    """Some neighbouring wires of a channel; bit 0 of their value is the wire with the lowest index.

    ::

        await leds.channel1[0:4].write(0b1010)
        await leds.channel1[2].toggle()
        await buttons.channel1[0].wait_for_value(1, timeout=5)
    """

    def __init__(self, port: Port, watch: Watch, low: int, width: int) -> None:
        self._port = port
        self._watch = watch
        self._low = low
        self._all = (1 << width) - 1
        self.width = width

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}, {self._port.direction}>"

    def __str__(self) -> str:
        high = f":{self._low + self.width}" if self.width > 1 else ""
        return f"{self._port.name}[{self._low}{high}]"

    def __len__(self) -> int:
        return self.width

    async def read(self) -> int:
        """Read the wires: the levels at inputs, and what outputs are driven to.

        Wires that follow their use become inputs.
        """
        return self._own(await self._port.read(self._in_place))

    async def write(self, value: SupportsIndex, mask: SupportsIndex | None = None) -> None:
        """Drive the wires, only those under `mask` if there is one; all others stay as they are.

        Wires that follow their use become outputs. Raises `Misuse` for inputs and `OutOfRange` for a value that does
        not fit, before anything is sent.
        """
        bits = self._all if mask is None else self._value(mask)
        await self._port.write(bits << self._low, (self._value(value) & bits) << self._low)

    async def on(self) -> None:
        """Drive all of the wires high."""
        await self.write(self._all)

    async def off(self) -> None:
        """Drive all of the wires low."""
        await self.write(0)

    async def toggle(self) -> None:
        """Drive each of the wires to the opposite of what it is driven to."""
        await self._port.toggle(self._in_place)

    async def setdirection(self, direction: Direction) -> None:
        """Make inputs (`in`) or outputs (`out`) of the wires, or have them follow their use (`inout`).

        `inout`, as they are at first unless the design says otherwise, makes them inputs when they are read or waited
        for and outputs when they are written. Raises `Misuse` where the design fixed another direction.
        """
        await self._port.setdirection(self._in_place, direction)

    async def wait_for_value(self, value: SupportsIndex, timeout: float | None) -> None:
        """Wait until the wires read as `value`; returns at once if they do.

        By interrupt where the design has one, else by polling, every 50 ms in the end. A value that comes and goes
        between two looks is not seen. Raises `DeadlineExceeded` after `timeout` seconds; with 0 it looks once, with
        None it waits for ever.
        """
        wanted = self._value(value)
        await self._wait(lambda seen: seen == wanted, f"become {wanted:#b}", timeout)

    async def wait_for_change(self, timeout: float | None, since: SupportsIndex | None = None) -> int:
        """Wait until the wires read otherwise than `since`, or than they do at first without it; returns the new value.

        To miss no value that lasts, pass what was returned before: `value = await wires.wait_for_change(9, value)`.
        `timeout` is as in `wait_for_value`.
        """
        known = None if since is None else self._value(since)

        def changed(seen: int) -> bool:
            nonlocal known
            known = seen if known is None else known
            return seen != known

        return await self._wait(changed, "change", timeout)

    @property
    def _in_place(self) -> int:
        return self._all << self._low

    def _own(self, word: int) -> int:
        return word >> self._low & self._all

    def _value(self, value: SupportsIndex) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            raise Misuse(self._port.board, f"{self}: {value!r} is no integer") from None

        if not 0 <= number <= self._all:
            bits = "1 bit" if self.width == 1 else f"{self.width} bits"
            raise OutOfRange(self._port.board, f"{self}: {number:#x} does not fit into {bits}")

        return number

    async def _wait(self, holds: Callable[[int], bool], what: str, timeout: float | None) -> int:
        if self._in_place & self._port.outputs:
            raise Misuse(self._port.board, f"{self} has outputs among its wires: only inputs can be waited for")

        if timeout is not None:
            deadline(self._port.board, timeout)

        waiter = ValueWaiter(self._port.number, lambda word: holds(self._own(word)))
        await self._port.listen(self._in_place)

        if not await self._watch.wait(waiter, timeout):
            last = "it never answered" if waiter.value is None else f"it is {self._own(waiter.value):#b}"
            raise DeadlineExceeded(self._port.board, f"{self} did not {what} in {timeout:g} s; {last}")

        assert waiter.value is not None
        return self._own(waiter.value)


class Channel(Wires):
    """All wires of one channel; `channel[2]` and `channel[4:8]` are some of them, without any I/O.

    Attributes:
        width: number of wires, as the design says.
    """

    def __init__(self, port: Port, watch: Watch) -> None:
        super().__init__(port, watch, 0, port.width)

    def __str__(self) -> str:
        return self._port.name

    def __iter__(self) -> Iterator[Wires]:
        return (self[index] for index in range(self.width))

    def __getitem__(self, index: SupportsIndex | slice) -> Wires:
        try:
            picked = range(self.width)[index if isinstance(index, slice) else operator.index(index)]
        except (IndexError, TypeError):
            picked = range(0)

        wires = range(picked, picked + 1) if isinstance(picked, int) else picked
        ends = (index.start, index.stop) if wires and isinstance(index, slice) else ()
        beyond = any(end is not None and end > self.width for end in ends)

        if not wires or wires.step != 1 or beyond:
            raise OutOfRange(
                self._port.board, f"{self} has wires 0 to {self.width - 1}, one or in a row, not {index!r}"
            )

        return Wires(self._port, self._watch, wires.start, len(wires))

    @property
    def direction(self) -> Direction:
        """Which way the wires go; `inout` when they differ or follow their use."""
        return self._port.direction

    async def trimask(self) -> int:
        """Read which wires are inputs now: their bits are 1. No I/O where the design or this driver set it."""
        return await self._port.tristates()


class AxiGPIO(DefaultIP):
    """AXI GPIO (PG144): one or two channels of up to 32 wires.

        leds, buttons = overlay.leds_gpio, overlay.btns_gpio
        await leds.channel1.write(0b1010)
        await leds.channel1[0:2].on()
        await buttons.channel1[0].wait_for_value(1, timeout=5)

    Width and direction of a channel are what the design says. The driver keeps what it wrote and which interrupts it
    enabled, and does not follow anyone else: a write of some wires sets the others back to what it knows, and who else
    acknowledges an interrupt takes it away. So drive and wait through one `Overlay`: a second one of the same design is
    someone else, in the same program too.

    Attributes:
        channel1: the first channel.
        channel2: the second one; raises `NotInDesign` where there is none.
    """

    bindto = ("xilinx.com:ip:axi_gpio",)

    def __init__(self, description: IpDescription) -> None:
        super().__init__(description)
        self._enabled = 0
        dual = parameter(self, regs.IS_DUAL, 0)
        ports = [Port(self, number) for number in ((1, 2) if dual else (1,))]
        present = parameter(self, regs.INTERRUPT_PRESENT, 0)
        pin = self.interrupts.get(regs.INTERRUPT_PIN) if present else None
        watch = Watch(self._look, self._enable, pin)
        self.channel1 = Channel(ports[0], watch)

        if dual:
            self.channel2 = Channel(ports[1], watch)

    def __getattr__(self, name: str) -> InterruptPin:
        if name == "channel2":
            raise NotInDesign(self.board.name, f"{self.name} has one channel only in this design")

        return super().__getattr__(name)

    def __getitem__(self, index: SupportsIndex | slice) -> Wires:
        """Wires of the first channel."""
        return self.channel1[index]

    def __iter__(self) -> Iterator[Wires]:
        return iter(self.channel1)

    async def setdirection(self, direction: Direction, channel: int = 1) -> None:
        """Set the direction of a whole channel; as `Wires.setdirection`."""
        if channel not in (1, 2):
            raise Misuse(self.board.name, f"{self.name} has channels 1 and 2, not {channel!r}")

        await (self.channel2 if channel == 2 else self.channel1).setdirection(direction)

    async def _look(self, numbers: Collection[int]) -> Mapping[int, int]:
        """Acknowledge the interrupts and read the channels, in this order: what changes later raises a new one."""
        values: dict[int, int] = {}

        async def read(number: int) -> None:
            values[number] = await self.read(regs.DATA[number])

        if self._enabled:
            await self._acknowledge()

        await for_each(numbers, read, width=len(numbers))
        return values

    async def _acknowledge(self) -> None:
        # Writing a one toggles the bit: a bit that is not set must not be written.
        if raised := await self.read(regs.IP_ISR):
            await self.write(regs.IP_ISR, raised)

    async def _enable(self, numbers: Collection[int]) -> bool:
        mask = self._enabled

        for number in numbers:
            mask |= regs.CHANNEL_INTERRUPT[number]

        if mask == self._enabled:
            return False

        await self.write(regs.IP_IER, mask)
        await self.write(regs.GIER, regs.GLOBAL_ENABLE)
        self._enabled = mask
        return True
