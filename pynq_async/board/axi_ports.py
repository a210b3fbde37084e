"""Setting the widths of the AXI ports to those of a design (Zynq UltraScale+)."""

from collections.abc import Mapping

from ..hardware.axi_ports import AXI_PORTS
from ..wire.channel import Connection
from .mmio import MMIO
from .windows import PAGE, Windows


async def set_axi_port_widths(connection: Connection, windows: Windows, widths: Mapping[str, int]) -> None:
    """Write the widths, in bits by parameter name, where the registers say otherwise.

    The boot loader set the ports up for the design it knew; a port of another width moves data to wrong places.
    """
    for port in AXI_PORTS:
        code = port.codes.get(widths.get(port.parameter, 0))

        if code is None:
            continue

        block = MMIO(connection, windows, port.base, PAGE, lasting=True)

        for field in port.fields:
            word = await block.read(field.offset)

            if field.of(word) != code:
                await block.write(field.offset, field.put(word, code))
