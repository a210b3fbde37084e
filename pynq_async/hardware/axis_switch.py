"""The AXI4-Stream Switch with control register routing (PG085, "Register Space"): which input each output takes."""

CONTROL = 0x00
UPDATE = 1 << 1  # commits the routes and resets the switch for about 16 cycles; clears itself

MI_MUX = 0x40  # one word for each output
SOURCE = 0xF  # the input an output takes its stream from
DISABLED = 1 << 31

MOST = 16  # inputs and outputs

# An output whose input a lower output has already is disabled by the hardware (PG085, "MI_MUX[0-15] Register").


def mux(mi: int) -> int:
    """The offset of the MI_MUX register of output `mi`."""
    return MI_MUX + 4 * mi
