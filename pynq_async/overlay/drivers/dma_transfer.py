"""What a channel of an AXI DMA is asked to move, checked against what the design says it can."""

import asyncio
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import SupportsIndex, cast

import numpy as np

from ...board.buffer import Buffer, attached, board_side
from ...board.device import RemoteDevice
from ...board.memory import Arrival
from ...board.mmio import MMIO
from ...errors import BoardError, Misaligned, Misuse, OutOfRange
from ...hardware.axi_dma import MM2S, DmaRegisters


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """What the design says of a channel.

    Attributes:
        name: the channel's, for errors: `axi_dma_0.sendchannel`.
        registers: where its registers are.
        gathers: whether it has the scatter-gather engine, and so no registers for an address and a length.
        longest: the most bytes that the length register, or a descriptor, can say.
        data_bytes: width of its memory port.
        realigns: whether it has the data realignment engine, and so takes any address.
        address_bits: width of its addresses.
    """

    name: str
    registers: DmaRegisters
    gathers: bool
    longest: int
    data_bytes: int
    realigns: bool
    address_bits: int

    @property
    def sends(self) -> bool:
        """Whether it moves data from memory to the stream."""
        return self.registers is MM2S

    @property
    def wide(self) -> bool:
        """Whether addresses have more than 32 bits."""
        return self.address_bits > 32


@dataclass(eq=False, slots=True)
class Flight:
    """The last transfer of a channel.

    Attributes:
        part: the bytes it moves.
        registers: the DMA's, for as long as the bytes are there.
        unpin: what lets the board's memory go; called when the hardware has done with it.
        begun: whether the hardware was told to begin; while that call is under way it is unknown.
        landed: whether the hardware has done its part.
        synced: whether the host has what was received.
        end: why it will not land.
        moved: how many bytes, once that is known.
        was_reset: whether the DMA was reset since.
        arrival: what the memory knows of bytes that are received.
        turn: held by who looks at what the hardware left behind, or brings it to the host.
    """

    part: Buffer
    registers: MMIO
    unpin: list[Callable[[], None]] = field(default_factory=list)
    begun: bool = False
    landed: bool = False
    synced: bool = False
    end: BoardError | None = None
    moved: int | None = None
    was_reset: bool = False
    arrival: Arrival | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def expect(self) -> None:
        """Let nobody write over what is received before the host has it."""
        memory, start = board_side(self.part)
        self.arrival = memory.expect(start, start + self.part.nbytes)

    def land(self) -> None:
        """Take note that the hardware has done its part."""
        self.landed = True

        if self.arrival is not None:
            self.arrival.landed = True

        self.release()

    def release(self) -> None:
        """Let the memory go."""
        if self.arrival is not None and not self.landed:
            attached(self.part).give_up(self.arrival)

        for unpin in self.unpin:
            unpin()


def checked_part(
    board: RemoteDevice, settings: ChannelSettings, array: Buffer, start: SupportsIndex, nbytes: SupportsIndex
) -> Buffer:
    """The bytes of `array` that are to be moved, of shape (n,) and dtype uint8; raises for what cannot be."""
    name, channel = board.name, settings.name
    board.check_buffer(array)

    try:
        first, count = operator.index(start), operator.index(nbytes)
    except TypeError:
        raise Misuse(name, f"{channel}: start and nbytes are integers, not {start!r} and {nbytes!r}") from None

    if not array.flags.c_contiguous:
        raise Misuse(
            name, f"{channel}: this view has gaps or another order than its buffer; a DMA moves whole stretches"
        )

    if not settings.sends and not array.flags.writeable:
        raise Misuse(name, f"{channel}: this view is read-only and cannot be received into")

    count = count or array.nbytes - first

    if first < 0 or count <= 0 or first + count > array.nbytes:
        raise OutOfRange(
            name, f"{channel}: {count} bytes from byte {first} on do not lie in an array of {array.nbytes} bytes"
        )

    if count > settings.longest and not settings.gathers:
        raise OutOfRange(
            name,
            f"{channel}: {count} bytes are more than the {settings.longest} that one transfer can have in this design "
            "(Width of Buffer Length Register); move them in parts, with start and nbytes",
        )

    address = array.physical_address + first

    if address + count > 1 << settings.address_bits:
        raise OutOfRange(
            name, f"{channel}: the buffer at {address:#x} is out of reach of its {settings.address_bits} address bits"
        )

    if not settings.realigns and address % settings.data_bytes:
        raise Misaligned(
            name,
            f"{channel}: {address:#x} is no multiple of {settings.data_bytes} bytes, and the design leaves the "
            "realignment engine out (Allow Unaligned Transfers)",
        )

    return cast("Buffer", array.reshape(-1).view(np.uint8)[first : first + count])
