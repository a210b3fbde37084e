"""Small hardware descriptions with interrupts, wired here block by block."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from .descriptions import SYSTEM, ZYNQ_MODULE, memrange, zynq_parameters

_INTERFACE = """
<BUSINTERFACE NAME="{name}" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0">
  <PORTMAPS><PORTMAP LOGICAL="WDATA" PHYSICAL="{name}_wdata"/></PORTMAPS>
</BUSINTERFACE>"""

_EXTERNAL = "External_Ports"


@dataclass(frozen=True)
class Block:
    """One block; its inputs and outputs by name, each with its net: `irq`, `lines*3` of three bits, or nothing."""

    path: str
    kind: str = "axi_gpio"
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ("S_AXI",)

    @property
    def instance(self) -> str:
        return self.path.replace("/", "_")


def gpio(path: str, net: str) -> Block:
    return Block(path, outputs={"ip2intc_irpt": net})


def controller(path: str, intr: str, irq: str) -> Block:
    return Block(path, "axi_intc", inputs={"intr": intr}, outputs={"irq": irq})


def concat(path: str, *nets: str, to: str, kind: str = "xlconcat") -> Block:
    return Block(path, kind, {f"In{number}": net for number, net in enumerate(nets)}, {"dout": to}, interfaces=())


def described(
    *blocks: Block, external: Mapping[str, str] | None = None, parameters: Mapping[str, str] | None = None, **irqs: str
) -> bytes:
    """A Zynq-7000 with these blocks; `irqs` are the interrupts of the processing system by port, with their nets."""
    given = zynq_parameters() | dict(parameters or {})
    written = "".join(f'<PARAMETER NAME="{name}" VALUE="{value}"/>' for name, value in given.items())
    ranges = [(block.instance, interface) for block in blocks for interface in block.interfaces]
    memory = "".join(
        memrange(instance, 0x4000_0000 + 0x1_0000 * number, slave=interface)
        for number, (instance, interface) in enumerate(ranges)
    )
    system = ElementTree.fromstring(ZYNQ_MODULE.format(parameters=written, ranges=memory))
    _ports(system).extend(_port(name, "I", net) for name, net in irqs.items())
    root = ElementTree.fromstring(SYSTEM.format(external="", modules="").encode())
    _modules(root).extend([system, *(_module(block) for block in blocks)])
    edge = root.find("EXTERNALPORTS")
    assert edge is not None
    edge.extend(_port(name, "I", net) for name, net in (external or {}).items())
    _connect(root)
    return ElementTree.tostring(root)


def _module(block: Block) -> Element:
    interfaces = "".join(_INTERFACE.format(name=name) for name in block.interfaces)
    parameters = "".join(f'<PARAMETER NAME="{name}" VALUE="{value}"/>' for name, value in block.parameters.items())
    library = "inline_hdl" if block.kind.startswith("il") else "ip"
    module = ElementTree.fromstring(
        f'<MODULE FULLNAME="/{block.path}" INSTANCE="{block.instance}" MODTYPE="{block.kind}" '
        f'VLNV="xilinx.com:{library}:{block.kind}:1.0"><PARAMETERS>{parameters}</PARAMETERS><PORTS/>'
        f"<BUSINTERFACES>{interfaces}</BUSINTERFACES></MODULE>"
    )
    ports = [_port(f"{name}_wdata", "I", "") for name in block.interfaces]
    ports += [_port(name, "I", net) for name, net in block.inputs.items()]
    ports += [_port(name, "O", net) for name, net in block.outputs.items()]
    _ports(module).extend(ports)
    return module


def _port(name: str, direction: str, net: str) -> Element:
    signal, _, width = net.partition("*")
    port = Element("PORT", DIR=direction, NAME=name, SIGIS="undef")

    if signal:
        port.set("SIGNAME", signal)

    if width:
        port.attrib |= {"LEFT": str(int(width) - 1), "RIGHT": "0"}

    return port


def _connect(root: Element) -> None:
    """Write at every port who else is on its net, as Vivado does."""
    ends = [(module.get("INSTANCE", ""), port) for module in root.iter("MODULE") for port in module.iter("PORT")]
    ends += [(_EXTERNAL, port) for port in root.iterfind("EXTERNALPORTS/PORT")]

    for instance, port in ends:
        connections = ElementTree.SubElement(port, "CONNECTIONS")

        for other, end in ends:
            same = end.get("SIGNAME") == port.get("SIGNAME") is not None
            driven = (port.get("DIR") == "O" or instance == _EXTERNAL) != (end.get("DIR") == "O" or other == _EXTERNAL)

            if same and driven:
                ElementTree.SubElement(connections, "CONNECTION", INSTANCE=other, PORT=end.get("NAME", ""))


def _ports(module: Element) -> Element:
    ports = module.find("PORTS")
    assert ports is not None
    return ports


def _modules(root: Element) -> Element:
    modules = root.find("MODULES")
    assert modules is not None
    return modules
