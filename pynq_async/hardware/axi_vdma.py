"""The AXI Video DMA (PG020, version 6.3) in register direct mode: its two channels."""

from dataclasses import dataclass

from .registers import Field


@dataclass(frozen=True, slots=True)
class VdmaRegisters:
    """Offsets of one channel's registers.

    Attributes:
        name: what the manual calls the channel: MM2S from memory to stream, S2MM from stream to memory.
        control: VDMACR.
        status: VDMASR.
        vertical: VSIZE, the number of lines; writing it makes all else count, and starts the channel.
        horizontal: HSIZE, the bytes of a line.
        stride: FRMDLY_STRIDE, the bytes from one line to the next.
        addresses: START_ADDRESS1; the other frame stores' follow.
        parked: which frame store the channel stays on in park mode, in PARK_PTR_REG.
        current: which frame store it works on, there too; while an error is flagged, the one of the error.
    """

    name: str
    control: int
    status: int
    vertical: int
    horizontal: int
    stride: int
    addresses: int
    parked: Field
    current: Field


PARK_PTR = 0x28
VERSION = 0x2C

MM2S = VdmaRegisters("MM2S", 0x00, 0x04, 0x50, 0x54, 0x58, 0x5C, Field(PARK_PTR, 0, 5), Field(PARK_PTR, 16, 5))
S2MM = VdmaRegisters("S2MM", 0x30, 0x34, 0xA0, 0xA4, 0xA8, 0xAC, Field(PARK_PTR, 8, 5), Field(PARK_PTR, 24, 5))

# VDMACR
RUN = 1 << 0
CIRCULAR = 1 << 1  # clear: park mode
RESET = 1 << 2  # of this channel; clear again when done
GENLOCK = 1 << 3
FRAME_COUNT_IRQ_ENABLE = 1 << 12
ERROR_IRQ_ENABLE = 1 << 14
FRAME_COUNT = Field(0x00, 16, 8)  # frames for one interrupt
CONTROL_AFTER_RESET = 0x0001_0002

# VDMASR
HALTED = 1 << 0
INTERNAL_ERROR = 1 << 4  # halts the channel, unless it comes with a frame that is too short
SLAVE_ERROR = 1 << 5  # halts it
DECODE_ERROR = 1 << 6  # halts it
SOF_EARLY = 1 << 7  # S2MM: a frame with too few lines. MM2S: a frame sync before the frame was out
EOL_EARLY = 1 << 8  # S2MM only, as the next two: a line with too few bytes
SOF_LATE = 1 << 11  # a frame with too many lines
FRAME_COUNT_IRQ = 1 << 12  # so many frames are through; set whether or not the interrupt is enabled
DELAY_IRQ = 1 << 13
ERROR_IRQ = 1 << 14
EOL_LATE = 1 << 15  # a line with too many bytes
FRAME_ERRORS = INTERNAL_ERROR | SOF_EARLY | EOL_EARLY | SOF_LATE | EOL_LATE  # the channel goes on
BUS_ERRORS = SLAVE_ERROR | DECODE_ERROR
CLEARED_BY_ONE = FRAME_ERRORS | FRAME_COUNT_IRQ | DELAY_IRQ | ERROR_IRQ

LINES = Field(0x50, 0, 13)
BYTES = Field(0x54, 0, 16)
STRIDE = Field(0x58, 0, 16)

MOST_STORES = 16  # that have an address register each; more are behind an index
VERSION_6_3 = 0x6300_0000

# Parameters, some with the channel's name; what a design has that does not say
STORES, DEFAULT_STORES = "C_NUM_FSTORES", 3
INCLUDE = "C_INCLUDE_{}"
REALIGNS = "C_INCLUDE_{}_DRE"
DATA_WIDTH = "C_M_AXI_{}_DATA_WIDTH"
ADDRESS_WIDTH = "C_M_AXI_{}_ADDR_WIDTH"

STREAMS = {"MM2S": "M_AXIS_MM2S", "S2MM": "S_AXIS_S2MM"}
INTERRUPT_PINS = {"MM2S": "mm2s_introut", "S2MM": "s2mm_introut"}
