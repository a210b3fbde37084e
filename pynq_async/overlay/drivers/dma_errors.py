"""What the error bits of an AXI DMA mean (PG021, DMASR), and what to do about them."""

from ...hardware.axi_dma import (
    DECODE_ERROR,
    ERRORS,
    INTERNAL_ERROR,
    MM2S,
    SG_DECODE_ERROR,
    SG_INTERNAL_ERROR,
    SG_SLAVE_ERROR,
    SLAVE_ERROR,
    DmaRegisters,
)

_MEANINGS = {
    DECODE_ERROR: (
        "a decode error: nothing answers at an address it was given; does the design connect it to the memory that the "
        "buffer lies in?"
    ),
    SLAVE_ERROR: "a slave error: the memory refused an access; look at what its memory ports are connected to",
    SG_INTERNAL_ERROR: "a scatter-gather internal error: it met a descriptor that was complete already",
    SG_SLAVE_ERROR: "a scatter-gather slave error: the memory refused an access to a descriptor",
    SG_DECODE_ERROR: (
        "a scatter-gather decode error: nothing answers at a descriptor's address; does the design connect its "
        "M_AXI_SG to the memory?"
    ),
}


def explain(registers: DmaRegisters, status: int, nbytes: int) -> str:
    """The meaning of the error bits in a status register, for a transfer of so many bytes; none: others halted it."""
    if not status & ERRORS:
        return "it was halted by others"

    internal = (
        f"an internal error: it could not send the {nbytes} bytes as one packet"
        if registers is MM2S
        else f"an internal error: the packet was too long for the {nbytes} bytes it may fill, or they could not be "
        "written; give it a buffer for the longest packet"
    )
    found = [meaning for bit, meaning in {INTERNAL_ERROR: internal, **_MEANINGS}.items() if status & bit]
    return f"{'; '.join(found)} (DMASR {status:#010x})"


def explain_lateness(registers: DmaRegisters, status: int | None, nbytes: int, timeout: float) -> str:
    """What it means that so many bytes were not moved in time; `status` was read last, if anything was."""
    shown = "it never answered" if status is None else f"DMASR is {status:#010x}"
    sent, take = ("sent", "take") if registers is MM2S else ("received", "send")
    return (
        f"{nbytes} bytes were not {sent} within {timeout:g} s; {shown}. Does the other side of the stream {take} a "
        "packet? The buffer stays in use: wait again, or stop the channel"
    )
