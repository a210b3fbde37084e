"""Small parsed designs and bitstreams, made here for tests of simulated IP."""

import hashlib
from pathlib import Path
from typing import Any

from pynq_async import Design
from pynq_async.bitstream import Bitstream, synthetic_bitstream
from pynq_async.bitstream.bit import split_bit
from pynq_async.bitstream.payload import swap_words


def ip(type_: str, address: int, size: int = 0x1_0000, **others: Any) -> dict[str, Any]:
    """An entry of `ip_dict`."""
    return {
        "type": type_ if ":" in type_ else f"xilinx.com:ip:{type_}:1.0",
        "phys_addr": address,
        "addr_range": size,
        "memtype": "REGISTER",
        "parameters": {},
        "registers": {},
        **others,
    }


def memory(address: int, size: int = 0x2000) -> dict[str, Any]:
    """An entry of `mem_dict`."""
    return {"type": "BRAM", "phys_addr": address, "addr_range": size, "memtype": "MEMORY"}


def design(ip_dict: dict[str, dict[str, Any]] | None = None, **others: Any) -> Design:
    """A design for a Zynq-7000 with this IP; other fields of `Design` by name."""
    fields: dict[str, Any] = {"digest": "0", "ps_name": "ps", "family": "zynq7000", "partial": False}
    fields |= {f"{name}_dict": {} for name in ("mem", "clock", "gpio", "hierarchy")}
    fields |= {"interrupt_controllers": {}, "interrupt_pins": {}, "ip_dict": ip_dict or {}}
    return Design(**(fields | others))


def bitstream(seed: int = 0, *, partial: bool = False) -> Bitstream:
    """A bitstream for a Pynq-Z2, in memory; another one for each seed."""
    header, payload = split_bit("made here", synthetic_bitstream("7z020clg400", 4_000, seed, partial=partial))
    data = swap_words(payload)
    name = f"{seed}.bit"
    return Bitstream(name, Path(name), data, hashlib.sha256(data).hexdigest(), "zynq7000", partial, header)
