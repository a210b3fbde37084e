"""What runs between the IP of a design: interrupt lines and AXI4-Streams."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..bitstream import Design
from ..hardware.axi_intc import KIND_OF_INPUTS
from .ip import Stream

# An interrupt controller's only output (PG099).
_OUTPUT = "irq"

Input = Callable[[str, int, bool], None]
Notice = Callable[[Collection[str], int | None], None]


class Wiring:
    """The interrupt lines of a design: from the pin that drives one to the input of its controller, or the processor.

    Attributes:
        pins: every pin that raises interrupts, by full path, as `Design.interrupt_pins`.
        processor: levels of the lines into the processing system, by raw interrupt number.
    """

    def __init__(self, design: Design | None, drive: Input, notice: Notice) -> None:
        """Lay the lines.

        Args:
            design: whose lines these are; None has none.
            drive: called with a controller's full path, its input and the level.
            notice: called when a line rises, with the names of its pins, and its raw number if it is the processor's.
        """
        self.processor: dict[int, bool] = {}
        self._drive = drive
        self._notice = notice
        self._levels: dict[str, bool] = {}
        self.pins = design.interrupt_pins if design is not None else {}
        self._controllers = design.interrupt_controllers if design is not None else {}
        self._ip = design.ip_dict if design is not None else {}
        self._same_line: dict[tuple[str, int], set[str]] = defaultdict(set)

        for pin, entry in self.pins.items():
            self._same_line[entry["controller"], entry["index"]].add(pin)

    def drive(self, path: str, port: str, level: bool) -> None:
        """Set the level of an output of the IP at `path`; only a change has an effect."""
        pin = f"{path}/{port}"

        if self._levels.get(pin, False) is level:
            return

        self._levels[pin] = level
        entry = self._controllers.get(path) if port == _OUTPUT else None

        if entry is not None:
            self._pass_on({pin}, entry["parent"], entry, level)
        elif (entry := self.pins.get(pin)) is not None:
            self._pass_on(self._same_line[entry["controller"], entry["index"]], entry["controller"], entry, level)

    def pulse(self, pin: str) -> bool:
        """Let a pin go up and down again, unless it is up; gives whether there is such a pin."""
        path, _, port = pin.rpartition("/")

        if pin in self.pins and not self._levels.get(pin, False):
            self.drive(path, port, True)
            self.drive(path, port, False)

        return pin in self.pins

    def _pass_on(self, pins: set[str], controller: str, entry: Mapping[str, Any], level: bool) -> None:
        number: int | None = None if controller else entry.get("raw_irq")

        if number is not None:
            self.processor[number] = level

        if level:
            self._notice(pins, number)

        if controller:
            self._drive(controller, entry["index"], level)

    def is_active(self, pin: str) -> bool:
        """Whether a pin's line is high and counts as long as it is: not where its controller captures edges."""
        entry = self.pins.get(pin)

        if entry is None:
            return False

        line = self._same_line[entry["controller"], entry["index"]]
        return not self._edges(entry) and any(self._levels.get(each, False) for each in line)

    def controls(self, path: str) -> bool:
        """Whether the IP at `path` is an interrupt controller."""
        return path in self._controllers

    def _edges(self, entry: Mapping[str, Any]) -> bool:
        parameters = self._ip.get(entry["controller"], {}).get("parameters", {})
        return bool(int(parameters.get(KIND_OF_INPUTS, "0"), 0) >> entry["index"] & 1)


class Streams:
    """The AXI4-Streams of a design; IP that only hands packets on, such as FIFOs, is as good as a wire."""

    def __init__(self) -> None:
        self._connections: dict[str, str] = {}
        self._feeds: dict[str, str] = {}
        self._through: dict[str, str] = {}
        self._made: dict[str, Stream] = {}

    def connect(self, connections: Mapping[str, str], modelled: Collection[str]) -> None:
        """Add what a design connects; `modelled` are the paths of all IP that has a model."""
        self._connections |= connections
        self._feeds = {sink: source for source, sink in self._connections.items()}
        self._through = _passages(self._connections, modelled)

    def is_sink(self, port: str) -> bool:
        """Whether a port takes packets."""
        return port in self._feeds

    def ports(self, path: str) -> tuple[list[str], list[str]]:
        """The connected inputs and outputs of the IP at `path`, by their name alone."""
        ends = (self._feeds, self._connections)
        inputs, outputs = ([port for port in ports if port.rpartition("/")[0] == path] for ports in ends)
        return [port.rpartition("/")[2] for port in inputs], [port.rpartition("/")[2] for port in outputs]

    def at(self, port: str) -> Stream:
        """Give the stream at a port, `path/INTERFACE`; the same one for its source and its sink."""
        source = self._feeds.get(port, port)
        seen = {source}

        while (entry := self._through.get(source)) is not None:
            source = self._feeds.get(entry, entry)

            if source in seen:
                break

            seen.add(source)

        return self._made.setdefault(source, Stream())


def _passages(connections: Mapping[str, str], modelled: Collection[str]) -> dict[str, str]:
    """From the output of each IP with one input and one output and no model to its input."""
    inputs: dict[str, list[str]] = defaultdict(list)
    outputs: dict[str, list[str]] = defaultdict(list)

    for source, sink in connections.items():
        outputs[source.rpartition("/")[0]].append(source)
        inputs[sink.rpartition("/")[0]].append(sink)

    return {
        outputs[path][0]: inputs[path][0]
        for path in outputs
        if path not in modelled and len(outputs[path]) == len(inputs[path]) == 1
    }
