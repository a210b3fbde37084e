"""Making designs for simulated boards, demonstrations and tests: an address, a type, and what it is wired to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..errors import InvalidArgument
from .design import Design
from .parts import Family

_CONTROLLER = "xilinx.com:ip:axi_intc"
_FIRST_IRQ = {"zynq7000": 61, "zynqmp": 121, "versal": 116}  # of the fabric's first interrupt, as PYNQ counts
_MEMORIES = ("BRAM", "URAM", "DDR4", "DDR5", "LPDDR4", "LPDDR5", "HBM")


@dataclass(frozen=True, slots=True)
class SyntheticIp:
    """One IP or memory of a made-up design.

        SyntheticIp(
            "acme.com:user:mixer:1.0",
            0x43C0_0000,
            registers={
                "STATUS": 0x4,
                "CTRL": {
                    "address_offset": 0x0,
                    "access": "read-write",
                    "fields": {"EN": {"bit_offset": 0, "bit_width": 1}, "MODE": {"bit_offset": 4, "bit_width": 2}},
                },
            },
        )

    Attributes:
        type: vendor, library, name and version, `acme.com:user:counter:1.0`, or the kind of a memory, `BRAM` or `URAM`.
        address: physical address of its first register, a multiple of 4.
        size: length of its address range in bytes, a multiple of 4.
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
        InvalidArgument: a type, address, size or register that cannot be right, overlapping addresses, a stream or
            interrupt that ends at an IP which is not there or is no interrupt controller; it names the IP.
    """
    if family not in _FIRST_IRQ:
        raise InvalidArgument(f"{family!r} is no family of devices; there are {', '.join(_FIRST_IRQ)}")

    for path, one in ip.items():
        _check(path, one)

    _check_overlaps(ip)
    _check_streams(ip, streams or {})
    entries = {path: _entry(path, one) for path, one in ip.items()}
    memories = {path: entry for path, entry in entries.items() if entry["type"] in _MEMORIES}
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
    memory = one.type in _MEMORIES
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


def _check(path: str, one: SyntheticIp) -> None:
    if not isinstance(one, SyntheticIp):
        raise InvalidArgument(f"{path}: {one!r} is no SyntheticIp")

    if one.type not in _MEMORIES and one.type.count(":") != 3:
        raise InvalidArgument(
            f"{path}: {one.type!r} is no type; write vendor, library, name and version as in "
            f"'xilinx.com:ip:axi_gpio:2.0', or for a memory one of {', '.join(_MEMORIES)}"
        )

    for what, number, least in (("address", one.address, 0), ("size", one.size, 4)):
        if not isinstance(number, int) or number < least or number % 4:
            shown = f"{number:#x}" if isinstance(number, int) else repr(number)
            raise InvalidArgument(f"{path}: its {what} is a multiple of 4 from {least} on, not {shown}")

    for name, entry in one.registers.items():
        if isinstance(entry, int):
            continue

        if "address_offset" not in entry:
            raise InvalidArgument(f"{path}: the register {name} has no address_offset")

        for field_name, place in (entry.get("fields") or {}).items():
            if missing := {"bit_offset", "bit_width"} - place.keys():
                raise InvalidArgument(
                    f"{path}: the field {name}.{field_name} has no {' and no '.join(sorted(missing))}"
                )


def _check_overlaps(ip: Mapping[str, SyntheticIp]) -> None:
    ordered = sorted(ip.items(), key=lambda item: item[1].address)

    for (path, one), (next_path, following) in pairwise(ordered):
        if one.address + one.size > following.address:
            raise InvalidArgument(
                f"{next_path}: at {following.address:#x} there is {path} already, with {one.size:#x} bytes from "
                f"{one.address:#x} on"
            )


def _check_streams(ip: Mapping[str, SyntheticIp], streams: Mapping[str, str]) -> None:
    for end in (end for connection in streams.items() for end in connection):
        path, _, port = end.rpartition("/")

        if path not in ip or not port:
            raise InvalidArgument(
                f"the stream at {end!r} belongs to no IP of this design; write 'path/PORT' with a path of "
                f"{', '.join(ip)}"
            )


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
