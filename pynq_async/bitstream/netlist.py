"""The nets of a hardware description, bit by bit, through the blocks that only join wires."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

_CONCATS = ("xlconcat", "ilconcat")
_SLICES = ("xlslice", "ilslice")
_CONSTANTS = ("xlconstant", "ilconstant")
_EXTERNAL = "External_Ports"

# What Vivado names the net of a port that is not connected.
_UNCONNECTED = ("", "__NOC__")


@dataclass(frozen=True, slots=True)
class Bit:
    """One bit of a port; `instance` is the name of a block that has no slashes."""

    instance: str
    port: str
    index: int


class Netlist:
    """Who drives what; attributes that are missing or make no sense are as good as a wire that is not there."""

    def __init__(self, root: Element) -> None:
        self._blocks: dict[str, Element] = {}
        self._ports: dict[tuple[str, str], Element] = {}
        self._drivers: dict[str, tuple[str, str]] = {}

        for block in root.iter("MODULE"):
            instance = block.get("INSTANCE", "")
            self._blocks[instance] = block

            for port in block.iterfind("PORTS/PORT"):
                self._add(instance, port, output="O")

        for port in root.iterfind("EXTERNALPORTS/PORT"):
            self._add(_EXTERNAL, port, output="I")

    def instances(self, path: str) -> list[str]:
        """The instances at a full path."""
        return [instance for instance in self._blocks if self.path(instance) == path]

    def has(self, instance: str, port: str) -> bool:
        """Whether a block has this port."""
        return (instance, port) in self._ports

    def path(self, instance: str) -> str:
        """The full path of a block in the block design."""
        block = self._blocks.get(instance)
        return (block.get("FULLNAME") or instance).lstrip("/") if block is not None else ""

    def name(self, bit: Bit) -> str:
        """The full path of a bit: of the first one that of the port."""
        path = f"{self.path(bit.instance)}/{bit.port}".lstrip("/")
        return f"{path}[{bit.index}]" if bit.index else path

    def kind(self, instance: str) -> str:
        """What a block is, such as `axi_intc`, whatever its version."""
        block = self._blocks.get(instance)

        if block is None:
            return ""

        parts = block.get("VLNV", "").split(":")
        return parts[2] if len(parts) > 2 else block.get("MODTYPE", "")

    def parameter(self, instance: str, name: str) -> str:
        """The value of a block's parameter, empty where it has none."""
        block = self._blocks.get(instance)
        parameters = block.iterfind("PARAMETERS/PARAMETER") if block is not None else ()
        return next((each.get("VALUE", "") for each in parameters if each.get("NAME") == name), "")

    def width(self, instance: str, port: str, default: int = 1) -> int:
        """How many bits a port has, `default` where the description does not say."""
        found = self._ports.get((instance, port))
        left, right = (_number(found.get(end)) if found is not None else None for end in ("LEFT", "RIGHT"))
        return default if left is None or right is None else abs(left - right) + 1

    def follow(self, start: Bit) -> tuple[Bit, Bit] | None:
        """From an input up its wire: the last input on the way, and the output that drives it; None where it ends."""
        sink: Bit | None = start
        seen = set()

        while sink is not None and sink not in seen:
            seen.add(sink)
            port = self._ports.get((sink.instance, sink.port))
            driver = self._drivers.get(port.get("SIGNAME", "")) if port is not None else None

            if driver is None or sink.index >= self.width(sink.instance, sink.port, sink.index + 1):
                return None

            source = Bit(*driver, sink.index)
            kind = self.kind(source.instance)

            if kind in _CONCATS:
                sink = self._through_concat(source)
            elif kind in _SLICES:
                low = _number(self.parameter(source.instance, "DIN_TO"))
                sink = None if low is None else Bit(source.instance, "Din", source.index + low)
            elif kind in _CONSTANTS or source.index >= self.width(*driver):
                return None
            else:
                return sink, source

        return None

    def _through_concat(self, output: Bit) -> Bit | None:
        index = output.index
        number = 0

        while self.has(output.instance, port := f"In{number}"):
            given = _number(self.parameter(output.instance, f"IN{number}_WIDTH"))
            width = self.width(output.instance, port, 1 if given is None else given)

            if index < width:
                return Bit(output.instance, port, index)

            index -= width
            number += 1

        return None

    def _add(self, instance: str, port: Element, *, output: str) -> None:
        place = instance, port.get("NAME", "")
        self._ports[place] = port

        if port.get("DIR") == output and (net := port.get("SIGNAME", "")) not in _UNCONNECTED:
            self._drivers.setdefault(net, place)


def _number(text: str | None) -> int | None:
    try:
        return int(text or "", 0)
    except ValueError:
        return None
