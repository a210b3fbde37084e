"""Setting the widths of the AXI ports to those of a design (Zynq UltraScale+)."""

from collections.abc import Mapping

from ..concurrency import for_each
from ..hardware.axi_ports import AXI_PORTS
from ..hardware.registers import Field
from ..wire.channel import Connection
from .mmio import MMIO
from .windows import PAGE, Windows


async def set_axi_port_widths(connection: Connection, windows: Windows, widths: Mapping[str, int]) -> None:
    """Write the widths, in bits by parameter name, where the registers say otherwise.

    The boot loader set the ports up for the design it knew; a port of another width moves data to wrong places.
    """
    wanted = [
        (MMIO(connection, windows, port.base, PAGE, lasting=True), field, port.codes[widths[port.parameter]])
        for port in AXI_PORTS
        for field in port.fields
        if widths.get(port.parameter) in port.codes
    ]

    async def set_width(place: tuple[MMIO, Field, int]) -> None:
        block, field, code = place

        if field.of(await block.read(field.offset)) != code:
            await block.update(field.offset, field.mask, field.put(0, code))

    await for_each(wanted, set_width, width=len(wanted))
