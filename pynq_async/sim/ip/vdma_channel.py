"""One channel of a simulated AXI VDMA: what both directions have in common."""

from ...hardware import axi_vdma as regs
from ...hardware.axi_vdma import VdmaRegisters
from .site import Site

_CONTROL_MASK = 0xFFFF_F19F & ~regs.RESET


class VdmaChannel:
    """Registers, frame stores and interrupts of a channel; a frame is one packet of its stream.

    Attributes:
        registers: where its registers are.
        running: whether it moves frames.
        current: the frame store it works on, or worked on last.
        frames: how many frames it has moved since the last reset.
        trouble: error bits of VDMASR that the next frame brings.
    """

    def __init__(self, site: Site, registers: VdmaRegisters) -> None:
        self.site = site
        self.registers = registers
        self.stream = site.stream(regs.STREAMS[registers.name])
        self.trouble = 0
        self._line = site.line(regs.INTERRUPT_PINS[registers.name])
        self._stores = int(site.parameters.get(regs.STORES, regs.DEFAULT_STORES))
        self.reset()

    def owns(self, offset: int) -> bool:
        """Whether a register is this channel's."""
        own = self.registers
        last = own.addresses + 4 * regs.MOST_STORES
        return own.control <= offset <= own.status or own.vertical <= offset < last

    def reset(self) -> None:
        """Be as after power-up."""
        self.running = False
        self.current = 0
        self.frames = 0
        self.parked = 0
        self._words: dict[int, int] = {}
        self._status = 0
        self._wrong_store = 0
        self._store_control(regs.CONTROL_AFTER_RESET)

    @property
    def shown(self) -> int:
        """The frame store that PARK_PTR_REG shows: while an error is flagged, the one where it happened."""
        return self._wrong_store if self._status & (regs.FRAME_ERRORS | regs.BUS_ERRORS) else self.current

    def load(self, offset: int) -> int:
        """Read a register of this channel."""
        own = self.registers

        if offset == own.control:
            return self._control

        if offset == own.status:
            left = self._frames_left << regs.FRAME_COUNT.low
            return self._status | left | (0 if self._control & regs.RUN else regs.HALTED)

        return self._words.get(offset, 0)

    def store(self, offset: int, word: int) -> None:
        """Write a register of this channel."""
        own = self.registers

        if offset == own.control:
            if word & regs.RESET:
                self.reset()
            else:
                self._store_control(word & _CONTROL_MASK)
        elif offset == own.status:
            self._status &= ~(word & regs.CLEARED_BY_ONE)
            self._update()
        else:
            masks = {own.vertical: regs.LINES.mask, own.horizontal: regs.BYTES.mask, own.stride: 0x1F00_FFFF}
            self._words[offset] = word & masks.get(offset, 0xFFFF_FFFF)

            if offset == own.vertical and self._control & regs.RUN:
                self._begin()

    def _store_control(self, word: int) -> None:
        self._control = word
        self._frames_left = max(regs.FRAME_COUNT.of(word), 1)

        if not word & regs.RUN:
            self.running = False

        self._update()

    def _begin(self) -> None:
        self.lines, self.bytes = self._words[self.registers.vertical], self._words.get(self.registers.horizontal, 0)

        if not self.lines or not self.bytes:
            self._fail(regs.INTERNAL_ERROR)
            return

        self.running = True
        self.pump()

    def pump(self) -> None:
        """Move what can be moved."""
        raise NotImplementedError

    def _next_place(self) -> list[int] | None:
        """Go to the next frame store; where each of its lines begins, or None when there is no memory."""
        circular = self._control & regs.CIRCULAR
        self.current = (self.current + (self.frames > 0)) % self._stores if circular else self.parked % self._stores
        address = self._words.get(self.registers.addresses + 4 * self.current, 0)
        stride = regs.STRIDE.of(self._words.get(self.registers.stride, 0))

        if not self.site.physical(address, stride * (self.lines - 1) + self.bytes):
            self._fail(regs.DECODE_ERROR)
            return None

        return [address + line * stride for line in range(self.lines)]

    def _frame_done(self, errors: int = 0) -> None:
        """Note that a frame is through, perhaps with errors that do not halt the channel."""
        self.frames += 1
        self._frames_left -= 1
        errors |= self.trouble
        self.trouble = 0

        if not self._frames_left:
            self._frames_left = max(regs.FRAME_COUNT.of(self._control), 1)
            self._status |= regs.FRAME_COUNT_IRQ

        if errors:
            self._flag(errors)

        if errors & regs.BUS_ERRORS:
            self._halt()

        self._update()

    def _fail(self, error: int) -> None:
        self._flag(error)
        self._halt()

    def _halt(self) -> None:
        self._control &= ~regs.RUN
        self.running = False
        self._update()

    def _flag(self, errors: int) -> None:
        self._status |= errors | regs.ERROR_IRQ
        self._wrong_store = self.current

    def _update(self) -> None:
        enabled = self._control & (regs.FRAME_COUNT_IRQ_ENABLE | regs.ERROR_IRQ_ENABLE)
        self._line(bool(self._status & enabled))  # the bits of the two registers have the same places
