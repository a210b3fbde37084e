"""Where interrupts go, followed along the nets of a hardware description.

pynqmetadata lists the interrupt controllers that xlconcat blocks join to the processing system, and the pins behind
them; but it counts inputs in the order in which it comes across them, which is wrong for a second controller, behind an
input that is not connected, and beside pins wired to the processing system itself. So what is found here replaces what
it says, and adds controllers behind controllers and pins without one. What cannot be followed stays as it was.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from .netlist import Bit, Netlist
from .parts import Family

_CONTROLLER = "axi_intc"
_CONTROLLER_INPUTS = 32

# Interrupts as the processing system's controller numbers them: UG585 table 7-4, UG1085 table 13-1, and for Versal
# AM011 and pynqmetadata.
_NUMBERS: dict[Family, dict[str, Sequence[int]]] = {
    "zynq7000": {"IRQ_F2P": (*range(61, 69), *range(84, 92))},
    "zynqmp": {"pl_ps_irq0": range(121, 129), "pl_ps_irq1": range(136, 144)},
    "versal": {
        **{f"pl_ps_irq{line}": (116 + line,) for line in range(16)},
        **{f"pl_lpd_irq{line}": (136 + line,) for line in range(8)},
        **{f"pl_fpd_irq{line}": (175 + line,) for line in range(8)},
    },
}

Entry = dict[str, Any]


def add_interrupts(fields: Mapping[str, Any], root: Element) -> None:
    """Correct and complete the interrupts in the fields of a `Design`."""
    controllers, pins = read_interrupts(root, fields["ps_name"], fields["family"])
    fields["interrupt_controllers"].update(controllers)
    fields["interrupt_pins"].update(pins)

    for name, entry in pins.items():
        path, _, pin = name.rpartition("/")

        for owner in _owners(fields, path):
            owner["interrupts"][pin] = entry


def read_interrupts(root: Element, ps_name: str, family: Family) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """Every interrupt controller that leads to the processing system, and every pin, by full path.

    A pin is an output that drives an interrupt, or the input that it drives. Bits of a vector have a name each: `irq`,
    `irq[1]`, `irq[2]`.
    """
    nets = Netlist(root)
    controllers: dict[str, Entry] = {}
    direct: dict[str, Entry] = {}
    behind: dict[str, Entry] = {}
    inputs = deque(
        (Bit(instance, port, bit), {"controller": "", "index": index, "raw_irq": number})
        for instance in nets.instances(ps_name)
        for index, (port, bit, number) in enumerate(_lines(nets, instance, family))
    )

    while inputs:
        start, place = inputs.popleft()

        if (followed := nets.follow(start)) is None:
            continue

        sink, source = followed
        path = nets.path(source.instance)

        if nets.kind(source.instance) != _CONTROLLER:
            # Where a pin goes both ways, the controller it is behind can be polled on every board.
            pins = behind if place["controller"] else direct

            for bit in (source, sink):
                name = nets.name(bit)
                pins.setdefault(name, {**place, "fullpath": name})
        elif path not in controllers:
            parent = place.pop("controller")
            controllers[path] = {"parent": parent, **place}
            width = min(nets.width(source.instance, "intr"), _CONTROLLER_INPUTS)
            inputs.extend(
                (Bit(source.instance, "intr", bit), {"controller": path, "index": bit}) for bit in range(width)
            )

    return controllers, {**direct, **behind}


def _lines(nets: Netlist, instance: str, family: Family) -> Iterator[tuple[str, int, int]]:
    """Port, bit and number of every interrupt that the processing system takes from the fabric."""
    for port, numbers in _NUMBERS[family].items():
        if nets.has(instance, port):
            # processing_system7 wires a port that is not 16 bits wide to the highest numbers in this mode.
            if nets.parameter(instance, "C_IRQ_F2P_MODE") == "REVERSE":
                missing = max(len(numbers) - nets.width(instance, port), 0)
                numbers = (*numbers[missing:], *numbers[:missing])

            yield from ((port, bit, number) for bit, number in enumerate(numbers))


def _owners(fields: Mapping[str, Any], path: str) -> list[Entry]:
    """The entries of an IP in `ip_dict` and in its hierarchy, which are copies, or that of a hierarchy with pins."""
    parent, _, name = path.rpartition("/")
    hierarchies = fields["hierarchy_dict"]
    ip = [fields["ip_dict"].get(path), hierarchies.get(parent, {}).get("ip", {}).get(name)]
    return [owner for owner in (ip if any(ip) else [hierarchies.get(path)]) if owner]
