"""AXI GPIO (PG144)."""

from ...errors import SimulationError
from ...hardware import axi_gpio as gpio
from .model import IpModel
from .site import Site

_WORD = 0xFFFF_FFFF


class GpioModel(IpModel):
    """One or two channels of wires, whose far ends a test or a user holds.

    ::

        sim.ip["btns_gpio"].set_input(1, 0b0001)       # press a button
        assert sim.ip["leds_gpio"].output(1) == 0b1010

    A wire of a channel that is not all inputs or all outputs is a pin: what it drives, it also reads. A change of what
    a channel reads from its pins raises its interrupt; a channel that is all outputs reads no pins.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        dual = _number(site, gpio.IS_DUAL, 0)
        self._channels = {number: _Channel(site, number) for number in ((1, 2) if dual else (1,))}
        self._interrupts = bool(_number(site, gpio.INTERRUPT_PRESENT, 0))
        self._enabled = self._raised = self._global = 0

    def set_input(self, channel: int, value: int, mask: int = _WORD) -> None:
        """Set the levels at the pins of channel 1 or 2, only those under `mask`."""
        wires = self._channel(channel)

        if not 0 <= value & mask <= wires.all:
            raise SimulationError(
                f"{self.site.name}: {value:#x} does not fit the {wires.width} wires of channel {channel}"
            )

        self._change(channel, given=wires.given & ~mask | value & mask)

    def output(self, channel: int) -> int:
        """Give what channel 1 or 2 drives; wires that are inputs count as zero."""
        wires = self._channel(channel)
        return wires.driven & ~wires.tri

    def load(self, offset: int) -> int:
        """Give a register."""
        for number, wires in self._channels.items():
            if offset == gpio.DATA[number]:
                return wires.read()

            if offset == gpio.TRI[number]:
                return wires.tri if wires.mixed else _WORD

        if offset == gpio.GPIO2_TRI:
            return _WORD

        if not self._interrupts:
            return 0

        return {gpio.GIER: self._global, gpio.IP_IER: self._enabled, gpio.IP_ISR: self._raised}.get(offset, 0)

    def store(self, offset: int, word: int) -> None:
        """Take a register."""
        for number, wires in self._channels.items():
            if offset == gpio.DATA[number]:
                self._change(number, driven=word & wires.all)

            if offset == gpio.TRI[number] and wires.mixed:
                self._change(number, tri=word & wires.all)

        if not self._interrupts:
            return

        present = sum(gpio.CHANNEL_INTERRUPT[number] for number in self._channels)

        if offset == gpio.GIER:
            self._global = word & gpio.GLOBAL_ENABLE
        elif offset == gpio.IP_IER:
            self._enabled = word & present
        elif offset == gpio.IP_ISR:
            self._raised ^= word & present

        self._drive()

    def _change(self, number: int, **levels: int) -> None:
        wires = self._channels[number]
        before = wires.pins()

        for name, value in levels.items():
            setattr(wires, name, value)

        if wires.pins() != before and self._interrupts:
            self._raised |= gpio.CHANNEL_INTERRUPT[number]
            self._drive()

    def _drive(self) -> None:
        self.site.line(gpio.INTERRUPT_PIN)(bool(self._global and self._raised & self._enabled))

    def _channel(self, number: int) -> "_Channel":
        try:
            return self._channels[number]
        except KeyError:
            raise SimulationError(
                f"{self.site.name} has no channel {number!r}; there is {' and '.join(map(str, self._channels))}"
            ) from None


class _Channel:
    """The wires of one channel: what it drives, which of them are inputs, and what they are given from outside."""

    def __init__(self, site: Site, number: int) -> None:
        self.width = _number(site, gpio.WIDTH[number], 32)
        self.all = (1 << self.width) - 1
        self.inputs = bool(_number(site, gpio.ALL_INPUTS[number], 0))
        self.outputs = bool(_number(site, gpio.ALL_OUTPUTS[number], 0))
        self.mixed = not self.inputs and not self.outputs
        self.driven = _number(site, gpio.DATA_DEFAULT[number], 0) & self.all
        self.tri = _number(site, gpio.TRI_DEFAULT[number], _WORD) & self.all
        self.given = 0

        if not self.mixed:
            self.tri = self.all if self.inputs else 0

    def pins(self) -> int:
        """The levels that the channel can see."""
        return 0 if self.outputs else self.given & self.tri | self.driven & ~self.tri

    def read(self) -> int:
        """The data register: the pins of inputs, and what outputs are driven to."""
        return self.given & self.tri | self.driven & ~self.tri


def _number(site: Site, name: str, default: int) -> int:
    return int(site.parameters[name], 0) if name in site.parameters else default
