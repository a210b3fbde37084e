"""Reading a description without a processing system, as that of a reconfigurable part, which pynqmetadata refuses.

The result has the shape of pynqmetadata's dictionaries. Interrupts and GPIO end outside such a design, so there are
none.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

_MEMORY_INTERFACES = ("ddr4", "ddr5", "lpddr4", "lpddr5", "hbm", "bram")

Entry = dict[str, Any]


def read_partial(root: Element) -> tuple[dict[str, Entry], dict[str, Entry], dict[str, Entry]]:
    """The IP, memories and hierarchies of a description; raises `ValueError` or `LookupError` where it makes no sense.

    An IP with one address range is found under its full path, one with several under `path/interface` for each.
    """
    modules = {module.attrib["INSTANCE"]: module for module in root.iter("MODULE")}
    ranges = {
        (memory.attrib["INSTANCE"], memory.get("SLAVEBUSINTERFACE", "")): memory
        for memory in root.iter("MEMRANGE")
        if memory.get("INSTANCE") in modules
    }
    interfaces = Counter(instance for instance, _ in ranges)
    ip: dict[str, Entry] = {}
    memories: dict[str, Entry] = {}

    for (instance, interface), memory in ranges.items():
        module = modules[instance]
        path = module.attrib["FULLNAME"].lstrip("/")
        name = path if interfaces[instance] == 1 else f"{path}/{interface}"

        if memory.get("MEMTYPE") == "MEMORY":
            memories[name] = _memory(module, memory, path)
        elif memory.get("MEMTYPE") == "REGISTER":
            ip[name] = describe_ip(module, memory, path)

    return ip, memories, _hierarchies(ip, memories)


def describe_ip(module: Element, memory: Element, path: str) -> Entry:
    """The entry of an IP in `ip_dict`, for one of its address ranges."""
    return {
        **_common(module, memory, path),
        "type": module.get("VLNV", ""),
        "memtype": "REGISTER",
        "driver": None,
        "device": None,
    }


def _memory(module: Element, memory: Element, path: str) -> Entry:
    interfaces = [_vlnv_name(interface) for interface in module.iter("BUSINTERFACE")]
    technology = next((name for name in interfaces if name in _MEMORY_INTERFACES), _vlnv_name(module))
    return {**_common(module, memory, path), "type": technology.upper(), "memtype": "MEMORY", "used": 1}


def _common(module: Element, memory: Element, path: str) -> Entry:
    base = int(memory.attrib["BASEVALUE"], 16)
    interface = memory.get("SLAVEBUSINTERFACE", "")
    return {
        "fullpath": path,
        "phys_addr": base,
        "addr_range": int(memory.attrib["HIGHVALUE"], 16) - base + 1,
        "mem_id": interface,
        "bdtype": None,
        "state": None,
        "gpio": {},
        "interrupts": {},
        "parameters": {each.attrib["NAME"]: each.get("VALUE") for each in module.iter("PARAMETER")},
        "registers": {each.attrib["NAME"]: _register(each) for each in _registers(module, interface)},
    }


def _registers(module: Element, interface: str) -> Iterator[Element]:
    for block in module.iter("ADDRESSBLOCK"):
        # Vivado writes the name of an interface in either case.
        if block.get("INTERFACE", "").lower() == interface.lower() and block.get("USAGE") in ("register", "memory"):
            yield from block.iter("REGISTER")


def _register(register: Element) -> Entry:
    properties = _properties(register)
    return {
        "address_offset": int(properties.get("ADDRESS_OFFSET", "0"), 0),
        "size": int(properties.get("SIZE", "32"), 0),
        "access": properties.get("ACCESS", "read-write"),
        "description": properties.get("DESCRIPTION", ""),
        "fields": {field.attrib["NAME"]: _field(field) for field in register.iter("FIELD")},
    }


def _field(field: Element) -> Entry:
    properties = _properties(field)
    return {
        "bit_offset": int(properties.get("BIT_OFFSET", "0"), 0),
        "bit_width": int(properties.get("BIT_WIDTH", "1"), 0),
        "access": properties.get("ACCESS", "read-write"),
        "description": properties.get("DESCRIPTION", ""),
    }


def _properties(element: Element) -> dict[str, str]:
    return {each.get("NAME", ""): each.get("VALUE", "") for each in element.findall("PROPERTY")}


def _vlnv_name(element: Element) -> str:
    parts = element.get("VLNV", "").split(":")
    return parts[2] if len(parts) > 2 else "unknown"


def _hierarchies(ip: dict[str, Entry], memories: dict[str, Entry]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}

    for kind, entries in (("ip", ip), ("memories", memories)):
        for name, entry in entries.items():
            *parents, own = name.split("/")

            if parents:
                _hierarchy(found, parents)[kind][own] = entry

    return found


def _hierarchy(found: dict[str, Entry], parents: list[str]) -> Entry:
    path = "/".join(parents)

    if path not in found:
        found[path] = {
            "ip": {},
            "memories": {},
            "hierarchies": {},
            "interrupts": {},
            "gpio": {},
            "fullpath": path,
            "device": None,
            "driver": None,
            "overlay": None,
        }

        if len(parents) > 1:
            _hierarchy(found, parents[:-1])["hierarchies"][parents[-1]] = found[path]

    return found[path]
