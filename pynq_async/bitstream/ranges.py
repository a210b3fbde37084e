"""The address ranges of an IP beyond the one that pynqmetadata lists."""

import contextlib
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from .partial import describe_ip
from .parts import PROCESSING_SYSTEMS


def add_ranges(fields: Mapping[str, Any], root: Element) -> None:
    """Add to `ip_dict` every further range of registers of an IP that is listed, as `path/INTERFACE`.

    pynqmetadata has one range under the path of an IP, where an HLS kernel with two AXI4-Lite interfaces has two, and
    none where another range is memory. PYNQ named the ranges of such IP like this before it used pynqmetadata.
    """
    modules = {module.get("INSTANCE", ""): module for module in root.iter("MODULE")}
    systems = [module for module in modules.values() if module.get("MODTYPE") in PROCESSING_SYSTEMS]
    listed = [*fields["ip_dict"].values(), *fields["mem_dict"].values()]
    paths = {entry.get("fullpath") for entry in listed}
    known = {(entry.get("fullpath"), entry.get("mem_id")) for entry in listed}

    for memory in (memory for system in systems for memory in system.iter("MEMRANGE")):
        module = modules.get(memory.get("INSTANCE", ""))
        interface = memory.get("SLAVEBUSINTERFACE", "")

        # A network on chip lists several interfaces in one range, with colons between.
        if module is None or memory.get("MEMTYPE") != "REGISTER" or not interface.isidentifier():
            continue

        path = module.get("FULLNAME", "").lstrip("/")

        if path in paths and (path, interface) not in known:
            with contextlib.suppress(LookupError, ValueError):
                fields["ip_dict"].setdefault(f"{path}/{interface}", describe_ip(module, memory, path))
