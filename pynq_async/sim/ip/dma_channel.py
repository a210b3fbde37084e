"""One channel of the simulated AXI DMA: its registers, how it runs and halts, and its descriptors."""

from collections.abc import Callable
from dataclasses import dataclass

from ...hardware.axi_dma import (
    BUFFER,
    BYTES_MASK,
    CONTROL_AFTER_RESET,
    CONTROL_WORD,
    DESCRIPTOR_BYTES,
    DESCRIPTOR_COMPLETE,
    DESCRIPTOR_ERRORS,
    ERR_IRQ,
    ERR_IRQ_ENABLE,
    FIRST,
    HALTED,
    IDLE,
    INTERNAL_ERROR,
    INTERRUPTS,
    IOC_IRQ,
    IOC_IRQ_ENABLE,
    LAST,
    NEXT,
    RESET,
    RUN,
    SG_DECODE_ERROR,
    SG_ERRORS,
    SG_INCLUDED,
    SG_INTERNAL_ERROR,
    STATUS_WORD,
    THRESHOLD,
    DmaRegisters,
)
from .site import Site

_POINTER = ~(DESCRIPTOR_BYTES - 1)


@dataclass(slots=True)
class Piece:
    """Memory to be read or filled: a whole transfer of simple mode, or what one descriptor at `place` says."""

    address: int
    nbytes: int
    first: bool = True
    last: bool = True
    place: int | None = None


class DmaChannel:
    """What both directions have in common; a subclass moves the data in `pump`.

    Attributes:
        length: the LENGTH register.
        busy: whether something was begun and is not done.
        errors: error bits of DMASR; they stay, and the channel halted, until a reset.
        trouble: error bits that the next thing it does ends in, for tests of what a board cannot be made to do.
    """

    def __init__(
        self,
        site: Site,
        registers: DmaRegisters,
        *,
        gather: bool,
        length_bits: int,
        wide: bool,
        reset: Callable[[], None],
    ) -> None:
        """Make a halted channel.

        Args:
            site: of the DMA.
            registers: where its registers are.
            gather: whether it has the scatter-gather engine, and so no SA, DA or LENGTH.
            length_bits: of LENGTH and of a descriptor's length.
            wide: whether addresses have more than 32 bits.
            reset: resets the whole DMA.
        """
        self.site = site
        self.registers = registers
        self.gather = gather
        self.trouble = 0
        self._length_mask = (1 << length_bits) - 1
        self._wide = wide
        self._reset_all = reset
        self._line = site.line(INTERRUPTS[registers.name])
        self.reset()

    def reset(self) -> None:
        """Be as after power-up, and forget what was under way."""
        self.length = 0
        self.busy = False
        self.errors = 0
        self._control = CONTROL_AFTER_RESET
        self._running = False
        self._halted = True
        self._began = False
        self._irqs = 0
        self._packets_left = 1
        self._pointers: dict[int, int] = {}
        self._next = 0
        self._at_tail = True
        self._update_line()

    def load(self, offset: int) -> int:
        """Read one of the channel's registers."""
        registers = self.registers

        if offset == registers.control:
            return self._control | (RUN if self._running else 0)

        if offset == registers.status:
            return self._status()

        if offset == registers.length:
            return self.length

        return self._pointers.get(offset, 0)

    def store(self, offset: int, word: int) -> None:
        """Write one of the channel's registers."""
        registers = self.registers

        if offset == registers.control:
            self._store_control(word)
        elif offset == registers.status:
            self._irqs &= ~word
            self._update_line()
        elif offset == registers.length and not self.gather:
            self._store_length(word & self._length_mask)
        elif offset in self._pointer_offsets():
            self._store_pointer(offset, word)

    def pump(self) -> None:
        """Move what can be moved."""
        raise NotImplementedError

    def next_piece(self) -> Piece | None:
        """What is to be moved next; None when there is no more, or fetching its descriptor failed."""
        if self._at_tail:
            return None

        if not self.gather:
            self._at_tail = True
            piece = Piece(self._pointer(self.registers.address), self.length)
        else:
            fetched = self._fetch()

            if fetched is None:
                return None

            piece = fetched

        if not piece.nbytes:
            self.fail(INTERNAL_ERROR, piece)
            return None

        return piece

    def piece_done(self, piece: Piece, moved: int, flags: int = 0) -> None:
        """Write the status of a descriptor that was carried out; `flags` are its FIRST and LAST."""
        if piece.place is not None:
            self.site.memory.store(piece.place + STATUS_WORD, DESCRIPTOR_COMPLETE | flags | moved & BYTES_MASK)

    def packet_done(self) -> None:
        """Count a packet towards the interrupt on completion."""
        self._packets_left -= 1

        if self._packets_left <= 0 or not self.gather:
            self._packets_left = THRESHOLD.of(self._control)
            self._irqs |= IOC_IRQ
            self._update_line()

    def drained(self) -> None:
        """Have nothing left to do: become idle, or halt where that was asked for meanwhile."""
        self.busy = False
        self._halted = not self._running

    def fail(self, error: int, piece: Piece | None = None) -> None:
        """Halt with error bits of DMASR."""
        if piece is not None and piece.place is not None:
            flags = sum(bit for known, bit in DESCRIPTOR_ERRORS.items() if error & known)
            self.site.memory.store(piece.place + STATUS_WORD, DESCRIPTOR_COMPLETE | flags)

        self.errors |= error
        self.busy = False
        self._running = False
        self._halted = True
        self._irqs |= ERR_IRQ
        self._update_line()

    def take_trouble(self, kind: int) -> int:
        """Use up trouble of one kind."""
        found, self.trouble = self.trouble & kind, self.trouble & ~kind
        return found

    def _status(self) -> int:
        # PG021 on Idle: 0 when halted and, in simple mode, before the first transfer.
        idle = not self._halted and not self.busy and (self._began or self.gather)
        status = self.errors | self._irqs | (HALTED if self._halted else 0) | (IDLE if idle else 0)
        return status | SG_INCLUDED | THRESHOLD.put(0, self._packets_left & 0xFF) if self.gather else status

    def _store_control(self, word: int) -> None:
        if word & RESET:
            self._reset_all()
            return

        if not THRESHOLD.of(word):
            word = THRESHOLD.put(word, THRESHOLD.of(self._control))

        self._packets_left = THRESHOLD.of(word)
        self._control = word & ~RUN | CONTROL_AFTER_RESET & 0xFFFF

        if word & RUN and not self.errors:
            if self._halted:
                self._next = self._pointer(self.registers.current) & _POINTER
                self._began = False

            self._running, self._halted = True, False
        elif not word & RUN:
            self._running = False

            if not self.busy:
                self._halted = True

        self._update_line()

    def _store_length(self, length: int) -> None:
        # Without effect while halted; undefined while a transfer is under way: ignored here.
        if self.busy:
            return

        self.length = length

        if not self._halted:
            self._begin()

    def _store_pointer(self, offset: int, word: int) -> None:
        registers = self.registers

        if offset in (registers.current, registers.current + 4) and not (self._halted and not self._running):
            return  # read-only while it runs

        self._pointers[offset] = word & (_POINTER if self.gather and offset % 8 == 0 else 0xFFFF_FFFF)

        # With addresses of more than 32 bits the upper half is written last and starts the channel.
        if offset == registers.tail + (4 if self._wide else 0) and self.gather and not self._halted:
            self._begin()

    def _begin(self) -> None:
        self._at_tail = False
        self._began = True
        self.busy = True
        self.pump()

    def _fetch(self) -> Piece | None:
        place = self._next
        self._set_pointer(self.registers.current, place)

        if error := self.take_trouble(SG_ERRORS):
            self.fail(error)
            return None

        if not self.site.physical(place, DESCRIPTOR_BYTES):
            self.fail(SG_DECODE_ERROR)
            return None

        def word(offset: int) -> int:
            return self.site.memory.load(place + offset)

        if word(STATUS_WORD) & DESCRIPTOR_COMPLETE:
            self.fail(SG_INTERNAL_ERROR)
            return None

        upper = 4 if self._wide else None
        control = word(CONTROL_WORD)
        self._next = (word(NEXT) | (word(NEXT + upper) << 32 if upper else 0)) & _POINTER
        self._at_tail = place == self._pointer(self.registers.tail) & _POINTER
        return Piece(
            word(BUFFER) | (word(BUFFER + upper) << 32 if upper else 0),
            control & BYTES_MASK & self._length_mask,
            bool(control & FIRST),
            bool(control & LAST),
            place,
        )

    def _pointer_offsets(self) -> tuple[int, ...]:
        registers = self.registers
        low = (registers.current, registers.tail) if self.gather else (registers.address,)
        return (*low, *(offset + 4 for offset in low)) if self._wide else low

    def _pointer(self, offset: int) -> int:
        return self._pointers.get(offset, 0) | self._pointers.get(offset + 4, 0) << 32

    def _set_pointer(self, offset: int, address: int) -> None:
        self._pointers[offset], self._pointers[offset + 4] = address & 0xFFFF_FFFF, address >> 32

    def _update_line(self) -> None:
        self._line(
            bool(self._irqs & IOC_IRQ and self._control & IOC_IRQ_ENABLE)
            or bool(self._irqs & ERR_IRQ and self._control & ERR_IRQ_ENABLE)
        )
