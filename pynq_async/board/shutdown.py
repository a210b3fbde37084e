"""Stopping the AXI shutdown managers of the running design before it is replaced."""

import warnings
from collections.abc import Mapping

from ..errors import DeadlineExceeded
from ..hardware import shutdown_manager as regs
from ..wire.channel import Connection
from .mmio import MMIO
from .windows import Windows


async def stop_shutdown_managers(connection: Connection, windows: Windows, managers: Mapping[str, int]) -> None:
    """Ask each manager for quiet and wait for it; one that does not answer is a `RuntimeWarning`, as in PYNQ."""
    for name, address in managers.items():
        manager = MMIO(connection, windows, address, 4)
        await manager.write(regs.CONTROL, regs.REQUEST)

        try:
            await manager.wait_for(regs.CONTROL, 0xFFFF_FFFF, regs.ALL_QUIET, connection.timeouts.shutdown)
        except DeadlineExceeded:
            warnings.warn(
                f"{connection.board}: shutdown manager {name} at {address:#x} did not report quiet; was the design "
                "that is recorded as loaded replaced by another tool?",
                RuntimeWarning,
                stacklevel=2,
            )
