"""Registers of kernels made by Vitis HLS, on their AXI4-Lite interface (UG1399, "S_AXILITE Control Register Map").

Arguments have registers from 0x10 on, at addresses that only the design's description knows; an argument of more than
32 bits has several at consecutive addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CTRL = 0x00
GIER = 0x04  # Global Interrupt Enable Register
IP_IER = 0x08  # IP Interrupt Enable Register
IP_ISR = 0x0C  # IP Interrupt Status Register: toggle on write (ap_ctrl_hs) or clear on read (ap_ctrl_chain)
FIRST_ARGUMENT = 0x10

# CTRL
AP_START = 1 << 0  # set by a write; cleared when the kernel has taken its arguments (ap_ready)
AP_DONE = 1 << 1  # clear on read with ap_ctrl_hs; with ap_ctrl_chain it stays until AP_CONTINUE
AP_IDLE = 1 << 2
AP_READY = 1 << 3  # clear on read
AP_CONTINUE = 1 << 4  # of ap_ctrl_chain only; clears itself
AUTO_RESTART = 1 << 7
INTERRUPT = 1 << 9  # level of the interrupt output

# Descriptions mark every read-only field of a kernel as changed by reading, so they do not tell these.
CLEAR_ON_READ = {"CTRL": ("AP_DONE", "AP_READY")}

# GIER
ENABLE = 1 << 0

# IP_IER and IP_ISR
DONE_INTERRUPT = 1 << 0  # Channel 0
READY_INTERRUPT = 1 << 1  # Channel 1

INTERRUPT_PIN = "interrupt"
RETURN_VALUE = "ap_return"  # the register of what the function returns
VALID_SUFFIX = "_ctrl"  # of the register beside an output that says, clear on read, that it was written


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument or result of a kernel.

    Attributes:
        name: as in the function's source.
        offsets: of its 32-bit registers, the lowest word first.
        width: in bits.
        writable: whether the host writes it; else it is a result.
    """

    name: str
    offsets: tuple[int, ...]
    width: int
    writable: bool


def is_kernel(registers: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether an IP has a kernel's control register, so that it runs when it is started."""
    return "AP_START" in (registers.get("CTRL", {}).get("fields") or {})


def is_chained(registers: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a kernel has the control protocol `ap_ctrl_chain`: the end of a run stands until it is acknowledged."""
    return "AP_CONTINUE" in (registers.get("CTRL", {}).get("fields") or {})


def arguments(registers: Mapping[str, Mapping[str, Any]]) -> dict[str, Argument]:
    """The arguments and results of a kernel by name, in the order of their addresses, from its described registers.

    The description calls the registers of a wide argument `x_1` and `x_2`, each with a field `x`; those of two
    arguments never lie side by side.
    """
    words = [_Word(name, entry) for name, entry in registers.items() if _is_data(name, entry, registers)]
    runs: list[list[_Word]] = []

    for word in sorted(words, key=lambda word: word.offset):
        if runs and runs[-1][-1].continues_in(word):
            runs[-1].append(word)
        else:
            runs.append([word])

    found = [_joined(run) for run in runs]
    return {argument.name: argument for argument in found}


class _Word:
    """A register that holds an argument or a part of one."""

    def __init__(self, name: str, entry: Mapping[str, Any]) -> None:
        fields = {field: place for field, place in (entry.get("fields") or {}).items() if "RESERVED" not in field}
        self.name = name
        self.offset = int(entry["address_offset"])
        self.size = int(entry.get("size") or 32)
        self.width = sum(int(place["bit_width"]) for place in fields.values()) or self.size
        self.writable = entry.get("access") != "read-only"
        stem, _, number = name.rpartition("_")
        self.whole = stem if number.isdigit() and (not fields or stem in fields) else name

    def continues_in(self, other: "_Word") -> bool:
        """Whether another register is the next part of the same argument."""
        return self.whole == other.whole and other.offset == self.offset + self.size // 8


def _joined(run: list[_Word]) -> Argument:
    first = run[0]
    offsets = [word.offset + 4 * index for word in run for index in range(-(-word.size // 32))]
    name = first.whole if len(run) > 1 else first.name
    return Argument(name, tuple(offsets), sum(word.width for word in run), first.writable)


def _is_data(name: str, entry: Mapping[str, Any], registers: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a register holds data: not control, not a word of an array, not the valid bit of an output."""
    if int(entry["address_offset"]) < FIRST_ARGUMENT:
        return False

    if description := entry.get("description"):
        return str(description).startswith("Data signal")

    return not (name.endswith(VALID_SUFFIX) and name.removesuffix(VALID_SUFFIX) in registers)
