"""The AXI IIC Bus Interface as a master (PG090), in dynamic and in standard mode."""

from collections import deque
from collections.abc import Callable

from ...hardware import axi_iic as regs
from .iic_device import IicDevice
from .model import IpModel
from .site import Site

_TIMING = range(regs.TSUSTA, regs.THDDAT + 4, 4)


class IicModel(IpModel):
    """A master on a simulated I2C bus, with the devices that are attached to it.

    Every byte takes as long on the bus as the design's clock, or the timing registers, make it. Where software is too
    slow, the core holds SCL low: with nothing to send, and with `RX_FIFO_PIRQ` + 1 bytes received. One thing does not
    wait: the number of bytes to read must be in the transmit FIFO before the address has gone out, or the core
    receives a single one.

    A read of the receive FIFO takes a byte out, and a client's read loads it twice (H10). An empty FIFO goes on
    showing the last byte received.

    Attributes:
        devices: by their 7-bit addresses.
        interrupted: True lets a whole byte arrive between the two loads of one read of the receive FIFO, as when the
            board server is interrupted between them.
        gpo: the general purpose outputs.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.devices: dict[int, IicDevice] = {}
        self.interrupted = False
        self._clock = int(site.parameters.get(regs.CLOCK_HZ, 100_000_000))
        self._half = self._clock // int(site.parameters.get(regs.BUS_HZ, 100_000)) // 2
        self._timing_mask = (1 << int(site.parameters.get(regs.TIMING_WIDTH, self._half.bit_length() + 1))) - 1
        self._line = site.line(regs.INTERRUPT_PIN)
        self._under_way: tuple[Callable[[], None], Callable[[], None]] | None = None
        self._last = 0  # the receive FIFO's output, which an empty one keeps
        self._occupied = False
        self._events = self._control = 0
        self._reset()

    def attach(self, address: int, device: IicDevice) -> None:
        """Connect a device at a 7-bit address."""
        self.devices[address] = device

    def occupy(self, occupied: bool) -> None:
        """Let another master have the bus, or leave it; it wins the arbitration of what is under way."""
        self._occupied = occupied
        self._go_on()

    def load(self, offset: int) -> int:
        """Read a register."""
        if offset == regs.RX_FIFO:
            return self._take()

        values = {
            regs.GIE: regs.GLOBAL_ENABLE if self._global else 0,
            regs.ISR: self._events,
            regs.IER: self._enabled,
            regs.CR: self._control,
            regs.SR: self._status(),
            regs.TX_FIFO: self._to_send[0] & 0xFF if self._to_send else 0,
            regs.TX_FIFO_OCY: max(len(self._to_send) - 1, 0),
            regs.RX_FIFO_OCY: max(len(self._received) - 1, 0),
            regs.RX_FIFO_PIRQ: self._most_received,
            regs.GPO: self.gpo,
        }
        return values[offset] if offset in values else self.words.get(offset, 0)

    def store(self, offset: int, word: int) -> None:
        """Write a register."""
        if offset == regs.SOFTR:
            if word & 0xF == regs.RESET_KEY:
                self._reset()
        elif offset == regs.GIE:
            self._global = bool(word & regs.GLOBAL_ENABLE)
        elif offset == regs.ISR:
            self._events ^= word & 0xFF
        elif offset == regs.IER:
            self._enabled = word & 0xFF
        elif offset == regs.CR:
            self._store_control(word & 0x7F)
        elif offset == regs.TX_FIFO:
            if len(self._to_send) < regs.FIFO_DEPTH and not self._control & regs.TX_FIFO_RESET:
                self._to_send.append(word & 0x3FF)
        elif offset == regs.RX_FIFO_PIRQ:
            self._most_received = word & 0xF
        elif offset == regs.GPO:
            self.gpo = word & (1 << int(self.site.parameters.get("C_GPO_WIDTH", 1))) - 1
        elif offset in _TIMING:
            self.words[offset] = word & self._timing_mask
        elif offset in (regs.ADR, regs.TEN_ADR):
            self.words[offset] = word

        self._go_on()

    def _reset(self) -> None:
        self._abort()
        self._global = False
        self._events = self._enabled = self._control = self._most_received = 0
        self.gpo = int(self.site.parameters.get("C_DEFAULT_VALUE", "0"), 0)
        self._to_send: deque[int] = deque()
        self._received: deque[int] = deque()
        self.words = dict.fromkeys(_TIMING, self._half)
        self._update()

    def _abort(self) -> None:
        """Let go of the bus, without a STOP."""
        if self._under_way is not None:
            self._under_way[0]()

        self._under_way = None
        self._busy = self._dynamic = self._reading = self._done = self._starved = False
        self._device: IicDevice | None = None
        self._message = bytearray()
        self._left = 0

    def _store_control(self, word: int) -> None:
        self._control = word

        if not word & regs.ENABLE:
            self._abort()

        if word & regs.TX_FIFO_RESET:
            self._to_send.clear()

    def _take(self) -> int:
        """Read the receive FIFO: what it shows, and the oldest byte is gone."""
        if not self._received:
            return self._last

        byte = self._received.popleft()
        self._go_on()

        if self.interrupted and self._under_way is not None:
            cancel, deed = self._under_way
            cancel()
            deed()

        return byte

    @property
    def _throttled(self) -> bool:
        return bool(self._received) and len(self._received) - 1 == self._most_received

    def _status(self) -> int:
        flags = {
            regs.BUS_BUSY: self._busy or self._occupied,
            regs.SLAVE_READ: self._reading,
            regs.TX_FULL: len(self._to_send) == regs.FIFO_DEPTH,
            regs.RX_FULL: len(self._received) == regs.FIFO_DEPTH,
            regs.RX_EMPTY: not self._received,
            regs.TX_EMPTY: not self._to_send,
        }
        return sum(bit for bit, holds in flags.items() if holds)

    def _update(self, *events: int) -> None:
        """Note what happened and what lasts, and drive the interrupt line."""
        lasting = {
            regs.TRANSMIT_EMPTY: self._starved,
            regs.RECEIVE_FULL: self._throttled,
            regs.NOT_BUSY: not (self._busy or self._occupied),
            regs.NOT_ADDRESSED: True,
            regs.TRANSMIT_HALF: len(self._to_send) <= regs.FIFO_DEPTH // 2,
        }
        self._events |= sum(events) | sum(bit for bit, holds in lasting.items() if holds)
        self._line(self._global and bool(self._events & self._enabled))

    def _go_on(self) -> None:
        """Do what comes next on the bus, unless something is under way or the core has to wait."""
        self._starved = False

        if self._control & regs.ENABLE and self._under_way is None:
            if not self._busy:
                self._begin()
            elif self._reading:
                self._go_on_reading()
            else:
                self._go_on_writing()

        self._update()

    def _begin(self) -> None:
        if self._to_send and not self._occupied and (self._control & regs.MASTER or self._to_send[0] & regs.START):
            self._busy = True
            self._control |= regs.MASTER
            self._send_address()

    def _send_address(self) -> None:
        word = self._to_send.popleft()
        self._dynamic = bool(word & regs.START)
        self._control &= ~regs.REPEATED_START
        self._end_message()
        self._later(lambda: self._addressed(word))

    def _addressed(self, word: int) -> None:
        self._reading = bool(word & regs.READ)
        self._device = self.devices.get(word >> 1 & 0x7F)

        if self._dynamic:
            self._control = self._control & ~regs.TRANSMIT | (0 if self._reading else regs.TRANSMIT)

        # The count is fetched now, whether it is there or not; without one a single byte is received.
        if self._dynamic and self._reading:
            self._left = max(self._to_send.popleft() & 0xFF, 1) if self._to_send else 1

        if self._occupied:
            self._abort()
            self._control &= ~regs.MASTER
            self._update(regs.ARBITRATION_LOST)
        elif self._device is None or not self._device.acknowledge(b""):
            self._refuse()
        elif self._dynamic and word & regs.STOP and not self._reading:
            self._stop()

    def _go_on_writing(self) -> None:
        if not self._control & regs.MASTER:
            self._stop()
        elif not self._to_send:
            self._starved = True
        elif self._to_send[0] & regs.START or self._control & regs.REPEATED_START:
            self._send_address()
        else:
            word = self._to_send.popleft()
            self._later(lambda: self._sent(word))

    def _sent(self, word: int) -> None:
        assert self._device is not None
        self._message.append(word & 0xFF)

        if not self._device.acknowledge(bytes(self._message)):
            self._message.pop()
            self._refuse()
        elif word & regs.STOP:
            self._stop()

    def _go_on_reading(self) -> None:
        if not self._dynamic and not self._control & regs.MASTER:
            self._stop()  # asked for while SCL is held, which ends the holding
        elif self._throttled:
            pass
        elif self._done:
            self._stop()
        elif not self._dynamic and self._control & regs.REPEATED_START and self._to_send:
            self._send_address()
        else:
            self._later(self._receive)

    def _receive(self) -> None:
        assert self._device is not None
        byte = self._device.read(1)[0]

        if len(self._received) < regs.FIFO_DEPTH:
            self._received.append(byte)
            self._last = byte

        if self._dynamic:
            self._left -= 1
            self._done = not self._left

        if self._done or self._control & regs.NO_ACKNOWLEDGE:
            self._update(regs.TRANSMIT_ERROR)

    def _refuse(self) -> None:
        self._update(regs.TRANSMIT_ERROR)
        self._stop()

    def _stop(self) -> None:
        self._end_message()
        self._abort()
        self._control &= ~regs.MASTER

    def _end_message(self) -> None:
        if self._device is not None and self._message:
            self._device.write(bytes(self._message))

        self._message.clear()

    def _later(self, deed: Callable[[], None]) -> None:
        """Do something when one byte and its acknowledgement have gone over the bus."""

        def act() -> None:
            self._under_way = None
            deed()
            self._go_on()

        cycles = self.words[regs.TLOW] + self.words[regs.THIGH]
        self._under_way = self.site.later(9 * cycles / self._clock, act), act
