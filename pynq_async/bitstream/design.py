"""What a hardware description says about a design, in the words of pynqmetadata, with typed views of some of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .clocks import PlClock, pl_clocks
from .parts import Family

_SHUTDOWN_MANAGERS = (
    "xilinx.com:ip:pr_axi_shutdown_manager:1.0",
    "xilinx.com:ip:dfx_axi_shutdown_manager:1.0",
)
_PORT_WIDTH = re.compile(r"C_(?:MAXIGP[0-2]|SAXIGP[0-6])_DATA_WIDTH")


@dataclass(frozen=True, slots=True)
class Ip:
    """One IP that the processing system can address.

    Attributes:
        name: its full path in the block design: `video/axi_vdma`.
        type: vendor, library, name and version: `xilinx.com:ip:axi_vdma:6.3`.
        address: physical address of its first register.
        size: length of its address range in bytes.
        parameters: what it was configured with, all text.
        registers: by name, as `ip_dict` has them.
    """

    name: str
    type: str
    address: int
    size: int
    parameters: Mapping[str, str]
    registers: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Design:
    """A parsed hardware description.

    The dictionaries have the keys and values that PYNQ's `Overlay` shows under these names. They are shared by whoever
    holds the design and must not be changed; take a `copy.deepcopy` to do so.

    Attributes:
        digest: SHA-256 of the description in hexadecimal.
        ps_name: name of the processing system in the block design, empty in a partial design.
        family: the family of devices, None in a partial design.
        partial: whether the description is of a part of the fabric only, without a processing system.
        ip_dict: addressable IP by full path, and the processing system; further address ranges of an IP are
            `path/INTERFACE`, with its path as `fullpath`.
        mem_dict: addressable memories by full path.
        clock_dict: clocks from the processing system to the fabric by number.
        interrupt_controllers: interrupt controllers by full path, those of hierarchies by pynqmetadata's name too;
            `parent` is the controller that one is wired to, empty for the processing system, whose number of the
            interrupt is `raw_irq`.
        interrupt_pins: pins that raise interrupts by full path, further bits of a vector as `path/pin[1]`; a pin whose
            `controller` is empty is wired to the processing system and has a `raw_irq`.
        gpio_dict: GPIO of the processing system by name; `pins` is a set.
        hierarchy_dict: hierarchies by full path, each with its IP, memories and hierarchies.
        streams: AXI4-Stream connections: from each source to its sink, both `path/INTERFACE`.
    """

    digest: str
    ps_name: str
    family: Family | None
    partial: bool
    ip_dict: dict[str, dict[str, Any]] = field(repr=False, hash=False)
    mem_dict: dict[str, dict[str, Any]] = field(repr=False, hash=False)
    clock_dict: dict[int, dict[str, Any]] = field(repr=False, hash=False)
    interrupt_controllers: dict[str, dict[str, Any]] = field(repr=False, hash=False)
    interrupt_pins: dict[str, dict[str, Any]] = field(repr=False, hash=False)
    gpio_dict: dict[str, dict[str, Any]] = field(repr=False, hash=False)
    hierarchy_dict: dict[str, dict[str, Any]] = field(repr=False, hash=False)
    streams: dict[str, str] = field(default_factory=dict, repr=False, hash=False)

    @property
    def ps_parameters(self) -> Mapping[str, str]:
        """What the processing system was configured with, read-only; empty in a partial design."""
        return MappingProxyType(self.ip_dict.get(self.ps_name, {}).get("parameters", {}))

    @property
    def ip(self) -> dict[str, Ip]:
        """Every IP that has an address, by full path."""
        return {
            name: Ip(
                name=name,
                type=entry["type"],
                address=entry["phys_addr"],
                size=entry["addr_range"],
                parameters=MappingProxyType(entry["parameters"]),
                registers=MappingProxyType(entry["registers"]),
            )
            for name, entry in self.ip_dict.items()
            if entry.get("phys_addr") is not None
        }

    def extents(self) -> dict[str, range]:
        """The physical addresses of every IP and memory that has some, by full path."""
        return {
            name: range(entry["phys_addr"], entry["phys_addr"] + entry["addr_range"])
            for table in (self.ip_dict, self.mem_dict)
            for name, entry in table.items()
            if entry.get("phys_addr") is not None
        }

    def shutdown_managers(self) -> dict[str, int]:
        """Physical addresses of the AXI shutdown managers, which are to be stopped before the fabric changes."""
        return {name: ip.address for name, ip in self.ip.items() if ip.type in _SHUTDOWN_MANAGERS}

    def pl_clocks(self) -> dict[int, PlClock]:
        """The clocks from the processing system to the fabric, by number; none in a partial design."""
        return pl_clocks(self.clock_dict, self.ps_parameters, self.family) if self.family else {}

    def axi_port_widths(self) -> dict[str, int]:
        """Widths in bits of the AXI ports of a Zynq UltraScale+, by parameter: `C_MAXIGP0_DATA_WIDTH`.

        They are set in the processing system's registers (LPD_SLCR, FPD_SLCR and the AFIFMs of UG1087) after
        programming; the other families have none of these parameters.
        """
        return {
            name: int(value)
            for name, value in self.ps_parameters.items()
            if _PORT_WIDTH.fullmatch(name) and str(value).isdecimal()
        }
