"""The AXI DMA (PG021, version 7.1): registers of its two channels, and the descriptors of its scatter-gather mode."""

from collections.abc import Mapping
from dataclasses import dataclass

from .registers import Field


@dataclass(frozen=True, slots=True)
class DmaRegisters:
    """Offsets of one channel's registers; those of descriptors and those of addresses exclude each other.

    Attributes:
        name: what the manual calls the channel: MM2S from memory to stream, S2MM from stream to memory.
        control: DMACR.
        status: DMASR.
        current: CURDESC; bits 63 to 32 are in the register after it, as with `tail` and `address`.
        tail: TAILDESC; writing it starts the channel.
        address: SA or DA.
        length: LENGTH; writing it starts the channel, and after S2MM it says how many bytes came.
    """

    name: str
    control: int
    status: int
    current: int
    tail: int
    address: int
    length: int


def _channel(name: str, base: int) -> DmaRegisters:
    return DmaRegisters(name, base, base + 0x04, base + 0x08, base + 0x10, base + 0x18, base + 0x28)


MM2S = _channel("MM2S", 0x00)
S2MM = _channel("S2MM", 0x30)

# MM2S_DMACR and S2MM_DMACR.
RUN = 1 << 0
RESET = 1 << 2  # of either channel resets both
IOC_IRQ_ENABLE = 1 << 12
ERR_IRQ_ENABLE = 1 << 14
THRESHOLD = Field(0x00, 16, 8)  # packets for one interrupt; writing 0 has no effect
CONTROL_AFTER_RESET = 0x0001_0002

# MM2S_DMASR and S2MM_DMASR.
HALTED = 1 << 0
IDLE = 1 << 1  # simple mode: the transfer is complete; 0 before the first one. Scatter-gather: the tail was reached
SG_INCLUDED = 1 << 3
INTERNAL_ERROR = 1 << 4
SLAVE_ERROR = 1 << 5
DECODE_ERROR = 1 << 6
SG_INTERNAL_ERROR = 1 << 8
SG_SLAVE_ERROR = 1 << 9
SG_DECODE_ERROR = 1 << 10
IOC_IRQ = 1 << 12  # write 1 to clear; set whether or not the interrupt is enabled
ERR_IRQ = 1 << 14
DMA_ERRORS = INTERNAL_ERROR | SLAVE_ERROR | DECODE_ERROR
SG_ERRORS = SG_INTERNAL_ERROR | SG_SLAVE_ERROR | SG_DECODE_ERROR
ERRORS = DMA_ERRORS | SG_ERRORS  # stay until a reset

# Pins of the interrupts, and ports of the streams.
INTERRUPTS: Mapping[str, str] = {"MM2S": "mm2s_introut", "S2MM": "s2mm_introut"}
STREAMS: Mapping[str, str] = {"MM2S": "M_AXIS_MM2S", "S2MM": "S_AXIS_S2MM"}

# Scatter-gather descriptors: 8 words (13 with application words), each at a multiple of 64 bytes.
DESCRIPTOR_BYTES = 64
NEXT, NEXT_HIGH, BUFFER, BUFFER_HIGH, CONTROL_WORD, STATUS_WORD = 0x00, 0x04, 0x08, 0x0C, 0x18, 0x1C
FIRST = 1 << 27  # TXSOF, RXSOF: the packet's first descriptor
LAST = 1 << 26  # TXEOF, RXEOF: the packet's last one
BYTES_MASK = (1 << 26) - 1  # of the control word the length, of the status word what was transferred
DESCRIPTOR_COMPLETE = 1 << 31  # in the status word, as what follows
DESCRIPTOR_ERRORS: Mapping[int, int] = {INTERNAL_ERROR: 1 << 28, SLAVE_ERROR: 1 << 29, DECODE_ERROR: 1 << 30}

LENGTH_BITS = 14  # of LENGTH and of a descriptor's length, where the design does not say
