"""A design as JSON: what is in it, with names, addresses and registers."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from .. import bitstream
from ..hardware.hls import CLEAR_ON_READ, is_kernel


class DesignField(BaseModel):
    """Some bits of a register."""

    name: str
    bit_offset: int
    bit_width: int
    access: str
    description: str


class DesignRegister(BaseModel):
    """A register of an IP."""

    name: str
    offset: int = Field(description="In bytes from the first register of the IP.")
    access: str = Field(description="read-write, read-only or write-only.")
    description: str
    changes_when_read: bool = Field(description="Whether reading it changes it; then it is only read when asked for.")
    fields: list[DesignField]


class DesignIp(BaseModel):
    """An IP that the processor can address."""

    name: str = Field(description="Its full path in the block design.")
    type: str = Field(description="Vendor, library, name and version.")
    address: int
    size: int
    registers: list[DesignRegister]


class DesignMemory(BaseModel):
    """A memory that the processor can address."""

    name: str
    type: str
    address: int
    size: int


class DesignClock(BaseModel):
    """A clock from the processing system to the fabric."""

    index: int
    enabled: bool
    mhz: float | None


class Design(BaseModel):
    """What a hardware description says."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "family": "zynq7000",
                "partial": False,
                "clocks": [{"index": 0, "enabled": True, "mhz": 100.0}],
                "ip": [
                    {
                        "name": "leds_gpio",
                        "type": "xilinx.com:ip:axi_gpio:2.0",
                        "address": 0x4121_0000,
                        "size": 0x1_0000,
                        "registers": [
                            {
                                "name": "GPIO_DATA",
                                "offset": 0,
                                "access": "read-write",
                                "description": "Channel-1 AXI GPIO Data register",
                                "changes_when_read": False,
                                "fields": [
                                    {
                                        "name": "CH1_DATA",
                                        "bit_offset": 0,
                                        "bit_width": 4,
                                        "access": "read-write",
                                        "description": "AXI GPIO Data Register",
                                    }
                                ],
                            }
                        ],
                    }
                ],
                "memories": [{"name": "mb_bram_ctrl", "type": "BRAM", "address": 0x4000_0000, "size": 0x1_0000}],
                "hierarchies": ["video"],
            }
        }
    )

    family: str | None = Field(description="zynq7000, zynqmp or versal; None for a region.")
    partial: bool = Field(description="Whether it is of a region only.")
    clocks: list[DesignClock]
    ip: list[DesignIp] = Field(description="By address.")
    memories: list[DesignMemory] = Field(description="By address.")
    hierarchies: list[str] = Field(description="By full path.")


def as_json(design: bitstream.Design) -> bytes:
    """A `Design` in JSON; takes milliseconds for a large one."""
    view = {
        "family": design.family,
        "partial": design.partial,
        "clocks": [
            {"index": clock.index, "enabled": clock.enabled, "mhz": clock.mhz} for clock in design.pl_clocks().values()
        ],
        "ip": [
            _placed(name, entry) | {"registers": _registers(entry.get("registers") or {})}
            for name, entry in _addressed(design.ip_dict)
        ],
        "memories": [_placed(name, entry) for name, entry in _addressed(design.mem_dict)],
        "hierarchies": sorted(design.hierarchy_dict),
    }
    return json.dumps(view, separators=(",", ":")).encode()


def _addressed(table: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    found = [(name, entry) for name, entry in table.items() if entry.get("phys_addr") is not None]
    return sorted(found, key=lambda each: int(each[1]["phys_addr"]))


def _placed(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": entry["type"], "address": entry["phys_addr"], "size": entry["addr_range"]}


def _registers(entries: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    changing = CLEAR_ON_READ if is_kernel(entries) else {}
    registers = [
        {
            "name": name,
            "offset": int(entry["address_offset"]),
            "access": str(entry.get("access") or "read-write"),
            "description": str(entry.get("description") or ""),
            "changes_when_read": name in changing,
            "fields": _fields(entry.get("fields") or {}, str(entry.get("access") or "read-write")),
        }
        for name, entry in entries.items()
    ]
    return sorted(registers, key=lambda register: int(str(register["offset"])))


def _fields(entries: Mapping[str, Mapping[str, Any]], access: str) -> list[dict[str, Any]]:
    fields = [
        {
            "name": name,
            "bit_offset": int(entry["bit_offset"]),
            "bit_width": int(entry["bit_width"]),
            "access": str(entry.get("access") or access),
            "description": str(entry.get("description") or ""),
        }
        for name, entry in entries.items()
    ]
    return sorted(fields, key=lambda field: int(str(field["bit_offset"])))
