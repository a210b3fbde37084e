"""Making designs for simulated boards, demonstrations and tests: an address, a type, and what it is wired to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidArgument
from .design import Design
from .parts import Family

_CONTROLLER = "xilinx.com:ip:axi_intc"
_FIRST_IRQ = {"zynq7000": 61, "zynqmp": 121, "versal": 116}  # of the fabric's first interrupt, as PYNQ counts


@dataclass(frozen=True, slots=True)
class SyntheticIp:
    """One IP or memory of a made-up design.

    Attributes:
        type: vendor, library, name and version, `acme.com:user:counter:1.0`; without colons a memory, `BRAM`.
        address: physical address of its first register.
        size: length of its address range in bytes.
        parameters: what it was configured with.
        registers: by name: the offset alone, or an entry as `ip_dict` has it.
        interrupts: by pin: the interrupt controller and its input; without a controller (`""`) the processor's.
    """

    type: str
    address: int
    size: int = 0x1_0000
    parameters: Mapping[str, object] = field(default_factory=dict)
    registers: Mapping[str, int | Mapping[str, Any]] = field(default_factory=dict)
    interrupts: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def synthetic_design(
    ip: Mapping[str, SyntheticIp],
    *,
    family: Family = "zynq7000",
    streams: Mapping[str, str] | None = None,
    partial: bool = False,
) -> Design:
    """A design with these IP by full path, as if it had been read from a hardware description.

    Args:
        ip: by full path in the block design; hierarchies follow from the paths.
        family: the family of devices.
        streams: AXI4-Stream connections: the source `path/PORT` of each and its sink.
        partial: whether it is of a region only, without a processing system.

    Raises:
        InvalidArgument: an interrupt goes to an IP that is no interrupt controller.
    """
    entries = {path: _entry(path, one) for path, one in ip.items()}
    memories = {path: entry for path, entry in entries.items() if ":" not in entry["type"]}
    blocks = {path: entry for path, entry in entries.items() if path not in memories}
    system: dict[str, Any] = {} if partial else {"ps": {"type": "ps", "phys_addr": None, "parameters": {}}}
    first = _FIRST_IRQ[family]
    pins: dict[str, dict[str, Any]] = {}
    controllers: dict[str, dict[str, Any]] = {}

    for path, one in ip.items():
        for pin, (controller, index) in one.interrupts.items():
            if controller and not (controller in ip and ip[controller].type.startswith(_CONTROLLER)):
                raise InvalidArgument(f"{path}/{pin}: {controller!r} is no interrupt controller of this design")

            place = {"controller": controller, "index": index, "fullpath": f"{path}/{pin}"}
            place |= {} if controller else {"raw_irq": first + index}
            pins[f"{path}/{pin}"] = entries[path]["interrupts"][pin] = place

        if one.type.startswith(_CONTROLLER):
            parent, index = one.interrupts.get("irq", ("", 0))
            raw = {} if parent else {"raw_irq": first + index}
            controllers[path] = {"parent": parent, "index": index, **raw}

    return Design(
        digest=hashlib.sha256(repr((ip, streams, family, partial)).encode()).hexdigest(),
        ps_name="" if partial else "ps",
        family=None if partial else family,
        partial=partial,
        ip_dict={**blocks, **system},
        mem_dict=memories,
        clock_dict={},
        interrupt_controllers=controllers,
        interrupt_pins=pins,
        gpio_dict={},
        hierarchy_dict=_hierarchies(blocks, memories),
        streams=dict(streams or {}),
    )


def _entry(path: str, one: SyntheticIp) -> dict[str, Any]:
    memory = ":" not in one.type
    return {
        "type": one.type,
        "phys_addr": one.address,
        "addr_range": one.size,
        "fullpath": path,
        "mem_id": "S_AXI",
        "memtype": "MEMORY" if memory else "REGISTER",
        "parameters": {name: str(value) for name, value in one.parameters.items()},
        "registers": {name: _register(entry) for name, entry in one.registers.items()},
        "interrupts": {},
        "gpio": {},
    } | ({"used": 1} if memory else {})


def _register(entry: int | Mapping[str, Any]) -> dict[str, Any]:
    given = {"address_offset": entry} if isinstance(entry, int) else dict(entry)
    return {"size": 32, "access": "read-write", "description": "", "fields": {}} | given


def _hierarchies(blocks: Mapping[str, Any], memories: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}

    for kind, entries in (("ip", blocks), ("memories", memories)):
        for path, entry in entries.items():
            parent, _, name = path.rpartition("/")
            table, content = kind, entry

            while parent:
                here = found.setdefault(parent, {"ip": {}, "memories": {}, "hierarchies": {}, "fullpath": parent})
                here[table].setdefault(name, content)
                table, content = "hierarchies", here
                parent, _, name = parent.rpartition("/")

    return found
