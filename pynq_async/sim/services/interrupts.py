"""`interrupt.RemoteInterrupt` as proposed upstream: wait for an interrupt instead of polling registers."""

import asyncio
from typing import TYPE_CHECKING

from ...wire import messages as m
from ...wire import methods
from ..dispatch import Handler, unary
from ..pins import Interrupt

if TYPE_CHECKING:
    from ..board import SimBoard


class InterruptService:
    """Registers interrupts and lets calls wait for them."""

    def __init__(self, board: "SimBoard") -> None:
        self._board = board

    def handlers(self) -> list[Handler]:
        """List the methods of this service."""
        return [
            unary(methods.REGISTER_INTERRUPT, self._register),
            unary(methods.WAIT_FOR_INTERRUPT, self._wait),
            unary(methods.RELEASE_INTERRUPT, self._release),
        ]

    async def _register(self, request: m.RegisterRequest) -> m.RegisterResponse:
        process = self._board.process
        interrupt_id = str(process.interrupts_made)
        process.interrupts_made += 1

        async with process.interrupt_table.change("register"):
            process.interrupts[interrupt_id] = Interrupt(
                request.pin_name, request.pin_index, request.raw_irq, request.controller_phys_addr
            )

        return m.RegisterResponse(interrupt_id=interrupt_id)

    async def _wait(self, request: m.WaitRequest) -> m.WaitResponse:
        async with self._board.process.interrupt_table.search("wait"):
            interrupt = self._board.process.interrupts.get(request.interrupt_id)

        if interrupt is None:
            self._board.counters.unknown_ids += 1
            return m.WaitResponse(status=m.WaitResponse.ERROR, msg="Interrupt not found.")

        if self._board.fabric.wiring.is_active(interrupt.pin_name):
            interrupt.pending.set()

        try:
            async with asyncio.timeout(request.timeout_ms / 1000):
                await interrupt.pending.wait()
        except TimeoutError:
            return m.WaitResponse(status=m.WaitResponse.TIMEOUT)

        interrupt.pending.clear()
        return m.WaitResponse(status=m.WaitResponse.FIRED)

    async def _release(self, request: m.ReleaseRequest) -> m.ReleaseResponse:
        async with self._board.process.interrupt_table.change("release"):
            released = self._board.process.interrupts.pop(request.interrupt_id, None)

        if released is None:
            self._board.counters.unknown_ids += 1
            return m.ReleaseResponse(msg="Interrupt not found.")

        return m.ReleaseResponse()
