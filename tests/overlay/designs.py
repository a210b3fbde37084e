"""Designs made by hand, and bitstreams for them, so that a test says what is in the fabric."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pynq_async import Bitstream, Design

SYNC = b"\xff" * 32 + bytes.fromhex("aa995566")


def ip(
    type: str,
    address: int,
    size: int = 0x1_0000,
    *,
    parameters: Mapping[str, object] | None = None,
    registers: Mapping[str, Any] | None = None,
    interrupts: Mapping[str, tuple[str, int]] | None = None,
) -> dict[str, Any]:
    """One entry of `ip_dict`; interrupts by pin: the controller and the input."""
    return {
        "type": type,
        "phys_addr": address,
        "addr_range": size,
        "parameters": {name: str(value) for name, value in (parameters or {}).items()},
        "registers": dict(registers or {}),
        "interrupts": {
            pin: {"controller": controller, "index": index} for pin, (controller, index) in (interrupts or {}).items()
        },
        "gpio": {},
        "mem_id": "S_AXI",
        "memtype": "REGISTER",
    }


def memory(address: int, size: int = 0x1_0000, type: str = "BRAM") -> dict[str, Any]:
    """One entry of `mem_dict`."""
    return ip(type, address, size) | {"memtype": "MEMORY", "used": 1}


def register(
    offset: int, access: str = "read-write", **fields: tuple[int, int] | tuple[int, int, str]
) -> dict[str, Any]:
    """One register; each field is its lowest bit, its width and perhaps its access."""
    return {
        "address_offset": offset,
        "size": 32,
        "access": access,
        "description": "",
        "fields": {
            name: {"bit_offset": low, "bit_width": width, "access": rest[0] if rest else access, "description": ""}
            for name, (low, width, *rest) in fields.items()
        },
    }


def design(
    ips: Mapping[str, dict[str, Any]] | None = None,
    *,
    memories: Mapping[str, dict[str, Any]] | None = None,
    controllers: Mapping[str, dict[str, Any]] | None = None,
    family: Any = "zynq7000",
    partial: bool = False,
    **fields: Any,
) -> Design:
    """A design with these IP; hierarchies and interrupt pins follow from their names."""
    ips = {name: entry | {"fullpath": name} for name, entry in (ips or {}).items()}
    memories = {name: entry | {"fullpath": name} for name, entry in (memories or {}).items()}
    pins = {}

    for name, entry in ips.items():
        for pin, place in entry["interrupts"].items():
            place["fullpath"] = f"{name}/{pin}"
            pins[f"{name}/{pin}"] = place

    return Design(
        digest=hashlib.sha256(repr((ips, memories)).encode()).hexdigest(),
        ps_name="" if partial else "ps",
        family=None if partial else family,
        partial=partial,
        ip_dict=ips if partial else {**ips, "ps": {"type": "ps", "phys_addr": None, "parameters": {}}},
        mem_dict=memories,
        clock_dict={},
        interrupt_controllers=dict(controllers or {}),
        interrupt_pins=pins,
        gpio_dict={},
        hierarchy_dict=_hierarchies({**ips, **memories}, ips),
        **fields,
    )


@cache
def firmware(seed: int = 0, *, family: Any = "zynq7000", partial: bool = False, size: int = 4_000) -> Bitstream:
    """A bitstream that the simulated FPGA manager accepts."""
    data = SYNC + seed.to_bytes(4, "little") * ((size - len(SYNC)) // 4)
    digest = hashlib.sha256(data).hexdigest()
    name = f"design{seed}.bit"
    return Bitstream(name=name, path=Path(name), data=data, digest=digest, family=family, partial=partial)


def _hierarchies(entries: Mapping[str, Any], ips: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}

    for path, entry in entries.items():
        parts = path.split("/")

        for depth in range(1, len(parts)):
            here = "/".join(parts[:depth])
            one = found.setdefault(here, {"ip": {}, "memories": {}, "hierarchies": {}, "fullpath": here})

            if depth == len(parts) - 1:
                one["ip" if path in ips else "memories"][parts[-1]] = entry
            else:
                one["hierarchies"][parts[depth]] = {}

    return found
