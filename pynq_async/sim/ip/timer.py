"""AXI Timer (PG079)."""

import asyncio
from collections.abc import Callable

from ...errors import SimulationError
from ...hardware import axi_timer as regs
from .model import IpModel
from .site import Site

_DEFAULT_FREQUENCY = 100e6
_SHORTEST_WAIT = 0.001
_NEVER: Callable[[], None] = lambda: None  # noqa: E731


class TimerModel(IpModel):
    """Two counters that count cycles of a clock; the counter of 64 bits that they can form is not modelled.

    ::

        timer = sim.ip["axi_timer_0"]
        timer.advance(0.5)                # half a second passes now, whatever the clock on the wall says
        timer.capture(0)                  # the capture trigger of timer 0 is pulsed
        timer.pwm()                       # (period, high time) in seconds, or None

    Attributes:
        clock: gives the time in seconds, which must not go back; the event loop's unless a test puts in its own.
        frequency: of the cycles, in Hz; what the design says.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        given = [float(site.parameters[name]) for name in regs.FREQUENCIES if name in site.parameters]
        self.clock: Callable[[], float] = asyncio.get_running_loop().time
        self.frequency = next(iter(given), _DEFAULT_FREQUENCY)
        width = int(site.parameters.get(regs.COUNT_WIDTH, 32))
        alone = int(site.parameters.get(regs.ONE_TIMER_ONLY, 0))
        self._counters = [_Counter((1 << width) - 1) for _ in range(1 if alone else 2)]
        self._skipped = 0.0
        self._cancel = _NEVER

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._skipped += seconds
        self._settle()

    def capture(self, timer: int) -> None:
        """Pulse the capture trigger of timer 0 or 1."""
        if not 0 <= timer < len(self._counters):
            raise SimulationError(f"{self.site.name} has no timer {timer}; it has {len(self._counters)}, from 0 on")

        self._settle()
        self._counters[timer].capture()
        self._settle()

    def pwm(self) -> tuple[float, float] | None:
        """Give the period and high time of the PWM output in seconds; None when it stays low."""
        if len(self._counters) < 2 or not all(counter.makes_pwm for counter in self._counters):
            return None

        period, high = (counter.cycles_from(counter.load_value) for counter in self._counters)
        return (period / self.frequency, high / self.frequency) if high < period else None

    def load(self, offset: int) -> int:
        """Give a register."""
        self._settle()

        for index, counter in enumerate(self._counters):
            if offset == regs.CONTROL[index]:
                return counter.control

            if offset == regs.LOAD_VALUE[index]:
                counter.held = False
                return counter.load_value

            if offset == regs.COUNTER[index]:
                return counter.value

        return 0

    def store(self, offset: int, word: int) -> None:
        """Take a register."""
        self._settle()

        for index, counter in enumerate(self._counters):
            if offset == regs.LOAD_VALUE[index]:
                counter.load_value = word & counter.max

            if offset == regs.CONTROL[index]:
                counter.set_control(word)
                self._enable_all(bool(word & regs.ENALL))

        self._settle()

    def _enable_all(self, enable: bool) -> None:
        for counter in self._counters:
            counter.control = counter.control | regs.ENALL | regs.ENT if enable else counter.control & ~regs.ENALL

    def _settle(self) -> None:
        """Bring everything up to the present, and come back when something will happen by itself."""
        cycle = int((self.clock() + self._skipped) * self.frequency)
        waits = [wait for counter in self._counters if (wait := counter.run_to(cycle)) is not None]
        active = regs.TINT | regs.ENIT
        self.site.line(regs.INTERRUPT_PIN)(any(counter.control & active == active for counter in self._counters))
        self._cancel()
        self._cancel = _NEVER

        if waits:
            self._cancel = self.site.later(max(min(waits) / self.frequency, _SHORTEST_WAIT), self._settle)


class _Counter:
    """One counter, as it was when it was last looked at."""

    def __init__(self, most: int) -> None:
        self.max = most
        self.control = self.load_value = self.value = 0
        self.held = False
        self._cycle = 0
        self._at_end = False

    @property
    def makes_pwm(self) -> bool:
        """Whether it does its half of a PWM output (PG079, "Pulse Width Modulation Mode")."""
        needed = regs.PWMA | regs.GENT | regs.ENT | regs.ARHT
        return self.control & (needed | regs.MDT) == needed

    def cycles_from(self, value: int) -> int:
        """Cycles until it rolls over from a value."""
        return (value if self.control & regs.UDT else self.max - value) + regs.EXTRA_CYCLES

    def set_control(self, word: int) -> None:
        """Take TCSR; a one for the interrupt clears it."""
        raised = self.control & regs.TINT & ~word
        self.control = word & (sum(regs.BITS.values()) & ~regs.TINT) | raised

        if not self.control & regs.ENT:
            self._at_end = False

    def capture(self) -> None:
        """Take the counter's value into the load register, if it is to be captured."""
        needed = regs.MDT | regs.CAPT | regs.ENT

        if self.control & needed != needed or (self.held and not self.control & regs.ARHT):
            return

        self.load_value = self.value
        self.held = True
        self.control |= regs.TINT

    def run_to(self, cycle: int) -> int | None:
        """Count up to a cycle; gives how many there are until its interrupt comes, if that is to come."""
        passed, self._cycle = cycle - self._cycle, cycle

        if self.control & regs.LOAD:
            self.value = self.load_value
            self._at_end = False
            return None

        if not self.control & regs.ENT or self._at_end:
            return None

        if self.control & regs.MDT:
            self._count(passed)
            return None

        left = self.cycles_from(self.value)

        if passed >= left:
            self.control |= regs.TINT
            passed -= left

            if not self.control & regs.ARHT:
                self.value = self.max if self.control & regs.UDT else 0
                self._at_end = True
                return None

            self.value = self.load_value
            passed %= self.cycles_from(self.value)

        self._count(passed)
        return None if self.control & regs.TINT else self.cycles_from(self.value)

    def _count(self, cycles: int) -> None:
        self.value = (self.value - cycles if self.control & regs.UDT else self.value + cycles) & self.max
