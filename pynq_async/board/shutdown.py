"""Stopping the AXI shutdown managers of the running design before it is replaced."""

import warnings
from collections.abc import Mapping

from ..concurrency import for_each
from ..errors import DeadlineExceeded
from ..hardware import shutdown_manager as regs
from ..wire.channel import Connection
from .mmio import MMIO
from .windows import Windows


async def stop_shutdown_managers(connection: Connection, windows: Windows, managers: Mapping[str, int]) -> None:
    """Ask each manager for quiet and wait for it; those that do not answer are a `RuntimeWarning`, as in PYNQ."""
    noisy = []

    async def stop(entry: tuple[str, int]) -> None:
        name, address = entry
        manager = MMIO(connection, windows, address, 4)

        try:
            await manager.write(regs.CONTROL, regs.REQUEST)
            await manager.wait_for(regs.CONTROL, 0xFFFF_FFFF, regs.ALL_QUIET, connection.timeouts.shutdown)
        except DeadlineExceeded:
            noisy.append(f"{name} at {address:#x}")

    await for_each(managers.items(), stop, width=len(managers))

    if noisy:
        warnings.warn(
            f"{connection.board}: no quiet from shutdown manager {', '.join(sorted(noisy))}; is another design loaded "
            "than recorded?",
            RuntimeWarning,
            stacklevel=2,
        )
