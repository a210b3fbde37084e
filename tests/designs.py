"""Designs made by hand, and bitstreams for them, so that a test says what is in the fabric."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pynq_async import Bitstream, Design
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design

_PARTS = {"zynq7000": "7z020clg400", "zynqmp": "xczu7ev-ffvc1156-2-e"}

ip = SyntheticIp


def memory(address: int, size: int = 0x1_0000, type: str = "BRAM") -> SyntheticIp:
    """A memory in the fabric."""
    return SyntheticIp(type, address, size)


def register(
    offset: int, access: str = "read-write", **fields: tuple[int, int] | tuple[int, int, str]
) -> dict[str, Any]:
    """One register; each field is its lowest bit, its width and perhaps its access."""
    return {
        "address_offset": offset,
        "access": access,
        "fields": {
            name: {"bit_offset": low, "bit_width": width, "access": rest[0] if rest else access, "description": ""}
            for name, (low, width, *rest) in fields.items()
        },
    }


def design(
    ips: Mapping[str, SyntheticIp] | None = None,
    *,
    memories: Mapping[str, SyntheticIp] | None = None,
    also: Mapping[str, str] | None = None,
    **options: Any,
) -> Design:
    """A design with these IP; `also` are further names of interrupt pins; `options` are those of `synthetic_design`."""
    made = synthetic_design({**(ips or {}), **(memories or {})}, **options)
    further = {name: {**made.interrupt_pins[pin], "fullpath": name} for name, pin in (also or {}).items()}
    return replace(made, interrupt_pins={**made.interrupt_pins, **further})


@cache
def firmware(seed: int = 0, *, family: str = "zynq7000", partial: bool = False, size: int = 4_000) -> Bitstream:
    """A bitstream that the simulated FPGA manager accepts."""
    return parse_bitstream(f"design{seed}.bit", synthetic_bitstream(_PARTS[family], size, seed, partial=partial))
