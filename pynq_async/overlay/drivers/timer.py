"""AXI Timer."""

import asyncio
from collections.abc import Collection, Mapping

from ...board.interrupts import InterruptPin
from ...concurrency import deadline
from ...errors import DeadlineExceeded, Misuse, NotInDesign, OutOfRange
from ...hardware import axi_timer as regs
from ..ip import DefaultIP, IpDescription
from .timer_counter import Counter
from .watch import ValueWaiter, Watch

_PWM = regs.PWMA | regs.GENT | regs.ARHT | regs.UDT


class Timer:
    """One of the two counters of an AXI timer.

    ::

        timer = overlay.axi_timer_0.timer0
        await timer.start(0.5)                        # once
        await timer.wait(timeout=1)
        await timer.start(0.01, repeat=True)          # expires every 10 ms
        await timer.start()                           # counts up from 0
        ticks = await timer.value()
    """

    def __init__(self, ip: "AxiTimer", counter: Counter, watch: Watch) -> None:
        self._ip = ip
        self._counter = counter
        self._watch = watch

    def __repr__(self) -> str:
        return f"<Timer {self} of {self._ip.board.name}>"

    def __str__(self) -> str:
        return f"{self._ip.name}.timer{self._counter.index}"

    async def start(self, seconds: float | None = None, *, ticks: int | None = None, repeat: bool = False) -> None:
        """Count down a time in seconds or in ticks of the clock and expire, once or again and again.

        Without a time it counts up from 0, and begins anew after its highest value. What it did before ends. Raises
        `OutOfRange` for less than 2 ticks or more than the counter holds.
        """
        if seconds is not None and ticks is not None:
            raise Misuse(self._ip.board.name, f"{self}: give the time in seconds or in ticks, not both")

        if seconds is not None:
            ticks = self._ip.ticks(seconds)

        if ticks is None:
            await self._run(0, regs.ARHT)
        else:
            load = self._counter.load_for(ticks, str(self), self._ip.frequency)
            await self._run(load, regs.UDT | (regs.ARHT if repeat else 0))

    async def capture(self, *, overwrite: bool = False) -> None:
        """Count up from 0 and take down the count when the capture trigger comes; then `wait` and `captured`.

        Until `captured` was read, a second trigger is ignored, unless `overwrite` is set.
        """
        await self._run(0, regs.MDT | regs.CAPT | (regs.ARHT if overwrite else 0))

    async def captured(self) -> int:
        """Read the count at the capture trigger, in ticks."""
        return await self._counter.captured()

    async def value(self) -> int:
        """Read the counter, in ticks: what is left when it counts down a time, else how far it came."""
        return await self._counter.value()

    async def stop(self) -> None:
        """Stop counting; the counter keeps its value."""
        await self._counter.stop()

    async def wait(self, timeout: float | None) -> None:
        """Wait until the timer has expired, or captured, since it was started or last waited for.

        By interrupt where the design has one, else by polling. Several tasks that wait at once all get the same event,
        and several events before a wait count as one. Raises `DeadlineExceeded` after `timeout` seconds; with 0 it
        looks once, with None it waits for ever.
        """
        if timeout is not None:
            deadline(self._ip.board.name, timeout)

        if not await self._watch.wait(ValueWaiter(self._counter.index, bool), timeout):
            raise DeadlineExceeded(self._ip.board.name, f"{self} did not expire in {timeout:g} s; was it started?")

        self._counter.expired = False

    async def _run(self, load: int, mode: int) -> None:
        await self._counter.run(load, mode)


class AxiTimer(DefaultIP):
    """AXI Timer (PG079): two counters, or a PWM output made from both. The cascade of both is not offered.

        timer = overlay.axi_timer_0
        await timer.timer0.start(0.5)
        await timer.timer0.wait(timeout=1)
        await timer.pwm(period=20e-3, duty=0.075)

    The driver keeps what it told the timers, and an expiry is for those who wait through it. So use a timer through one
    `Overlay`: a second one of the same design takes its expiries away, in the same program too.

    Attributes:
        timer0: the first timer.
        timer1: the second one; raises `NotInDesign` where there is none.
        frequency: of the clock that is counted, in Hz, as the design says; None where it does not. Set it when the
            design's clock was changed.
    """

    bindto = ("xilinx.com:ip:axi_timer",)

    def __init__(self, description: IpDescription) -> None:
        super().__init__(description)
        given = (self.parameters[name] for name in regs.FREQUENCIES if name in self.parameters)
        self.frequency: float | None = next(map(float, given), None)
        self._order = asyncio.Lock()
        alone = int(self.parameters.get(regs.ONE_TIMER_ONLY, "0"), 0)
        self._counters = [Counter(self, index, self._order) for index in range(1 if alone else 2)]
        watch = Watch(self._look, self._enable, self.interrupts.get(regs.INTERRUPT_PIN))
        self._timers = [Timer(self, counter, watch) for counter in self._counters]
        self.timer0 = self._timers[0]

        if not alone:
            self.timer1 = self._timers[1]

    def __getattr__(self, name: str) -> InterruptPin:
        if name == "timer1":
            raise NotInDesign(self.board.name, f"{self.name} has one timer only in this design")

        return super().__getattr__(name)

    async def pwm(self, period: float, duty: float) -> None:
        """Make a PWM output with both timers: a period in seconds, and the part of it for which the output is high.

        A running output changes without a stop, though one period may have the old high time. Raises `OutOfRange` for a
        high time of less than 2 ticks or of the whole period, which the hardware cannot make (PG079, "Pulse Width
        Modulation (PWM) Mode"); `stop` keeps the output low.
        """
        if len(self._counters) < 2 or any(int(self.parameters.get(name, "1"), 0) == 0 for name in regs.ACTIVE_HIGH):
            raise Misuse(
                self.board.name, f"{self.name} lacks what PWM needs in this design: two timers, outputs active high"
            )

        ticks = self.ticks(period)
        high = round(ticks * duty)
        loads = [
            counter.load_for(count, f"{self.name}: {what}", self.frequency)
            for counter, count, what in zip(self._counters, (ticks, high), ("the period", "the high time"), strict=True)
        ]

        if high >= ticks:
            raise OutOfRange(self.board.name, f"{self.name}: the output cannot be high for the whole period")

        first, second = self._counters

        async with self._order:
            await first.load(loads[0])
            await second.load(loads[1])

            if first.control != _PWM | regs.ENT or second.control != first.control:
                await first.write(_PWM | regs.LOAD | regs.TINT)
                await second.write(_PWM | regs.LOAD | regs.TINT)
                await first.write(_PWM)
                await second.write(_PWM | regs.ENT | regs.ENALL)
                first.control = second.control
                first.expired = second.expired = False

    async def stop(self) -> None:
        """Stop both timers; a PWM output stays low."""
        for timer in self._timers:
            await timer.stop()

    def ticks(self, seconds: float) -> int:
        """How many ticks of the clock a time is; raises `Misuse` when the frequency is not known."""
        if self.frequency is None:
            raise Misuse(
                self.board.name,
                f"the design does not say how fast the clock of {self.name} is: set its `frequency`, or give ticks",
            )

        return round(seconds * self.frequency)

    async def _look(self, indices: Collection[int]) -> Mapping[int, int]:
        """See which have expired: those, and whichever can hold up the interrupt pin that both share."""
        async with self._order:
            for counter in self._counters:
                if counter.index in indices or counter.interrupts:
                    await counter.look()

        return {index: self._counters[index].expired for index in indices}

    async def _enable(self, indices: Collection[int]) -> bool:
        return any([await self._counters[index].enable_interrupt() for index in indices])
