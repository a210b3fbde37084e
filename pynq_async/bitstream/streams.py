"""Which AXI4-Stream interface feeds which, as a hardware description has them."""

from xml.etree.ElementTree import Element

_SOURCES = ("INITIATOR", "MASTER")
_SINKS = ("TARGET", "SLAVE")

# What Vivado names the net of an interface that is not connected.
_UNCONNECTED = ("", "__NOC__")


def read_streams(root: Element) -> dict[str, str]:
    """Each connected source with its sink, both as `path/INTERFACE`; interfaces at the design's edge are left out."""
    sources: dict[str, str] = {}
    sinks: dict[str, str] = {}

    for module in root.iter("MODULE"):
        path = module.get("FULLNAME", "").lstrip("/")

        for interface in module.iter("BUSINTERFACE"):
            net = interface.get("BUSNAME", "")
            kind = interface.get("TYPE", "")

            if not _is_stream(interface) or net in _UNCONNECTED:
                continue

            if kind in _SOURCES:
                sources[net] = f"{path}/{interface.get('NAME', '')}"
            elif kind in _SINKS:
                sinks[net] = f"{path}/{interface.get('NAME', '')}"

    return {source: sinks[net] for net, source in sources.items() if net in sinks}


def _is_stream(interface: Element) -> bool:
    parts = interface.get("VLNV", "").split(":")
    return len(parts) > 2 and parts[2] == "axis"
