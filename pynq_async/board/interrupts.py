"""The interrupts of the programmable logic."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio

from ..bitstream import Design
from ..concurrency import deadline
from ..errors import BoardError, DeadlineExceeded, NotOpen, NotSupported, OutOfRange
from ..hardware import axi_intc as intc
from ..wire.channel import Connection
from .interrupt_line import Check, Source
from .interrupt_poller import Polling
from .interrupt_service import Service
from .windows import Windows


class InterruptPin:
    """A pin that raises interrupts.

        pin = board.interrupts.of(design)["btns_gpio/ip2intc_irpt"]
        await pin.wait(timeout=5.0)

    Any number of tasks may wait on a pin: an event wakes all who wait then. A wait may be cancelled at any time, and an
    edge whose only waiter is cancelled as it comes is kept for the next.

    What counts depends on the input of the interrupt controller that the pin is wired to. A level counts when it is
    active as the wait reaches the board, or becomes active later, be it for a moment; one that ended before does not.
    An edge counts even if it came before the wait, once the controller has been listened to; several between two looks
    at the controller, 1 to 50 ms apart, are one event. A board with an interrupt service looks after the controllers
    itself: what comes once it listens counts, and an event can be lost when the connection breaks as it is reported,
    which is an `OutcomeUnknown`.
    """

    def __init__(self, interrupts: "Interrupts", name: str, source: Source, check: Check | None) -> None:
        self.name = name
        self._interrupts = interrupts
        self._source = source
        self._check = check

    def __repr__(self) -> str:
        return f"<InterruptPin {self._interrupts.board} {self.name}>"

    async def wait(self, timeout: float | None = 10.0) -> None:
        """Wait for the pin's next event for at most `timeout` seconds, or for ever with None.

        Raises `DeadlineExceeded` when none came, and `NotSupported` when this board cannot wait for the pin.
        """
        await self._within(timeout, self._source.wait, "no interrupt")

    async def listen(self, timeout: float = 10.0) -> None:
        """Have the pin's events counted from now on, before anyone waits; asks the board the first time only.

        Begin with it before starting what raises an edge, or the first may be lost. Raises `DeadlineExceeded` when the
        board has not answered after `timeout` seconds, and `NotSupported` as `wait`.
        """
        await self._within(timeout, self._source.listen, "no answer")

    async def _within(
        self, timeout: float | None, work: Callable[[Check | None], Awaitable[None]], nothing: str
    ) -> None:
        self._interrupts.admit()

        if timeout is not None:
            deadline(self._interrupts.board, timeout)

        try:
            async with asyncio.timeout(timeout):
                await work(self._check)
        except TimeoutError as error:
            if isinstance(error, BoardError):
                raise

            raise DeadlineExceeded(self._interrupts.board, f"{self.name}: {nothing} in {timeout:g} s") from None


class Interrupts:
    """Makes the interrupt pins of one board.

    They wait through the board's `interrupt` service where it has one, else by polling the AXI interrupt controllers.
    While nobody waits nothing is done. Polling never enables an interrupt in a controller, so none reaches the board's
    own kernel.
    """

    def __init__(self, connection: Connection, windows: Windows) -> None:
        self._connection = connection
        self._polling = Polling(connection, windows)
        self._service = Service(connection)
        self._closed = False

    def __repr__(self) -> str:
        return f"<Interrupts {self.board}, {'by service' if self._service.offered else 'polled'}>"

    @property
    def board(self) -> str:
        """The board's name."""
        return self._connection.board

    def of(self, design: Design, check: Callable[[str], None] | None = None) -> Mapping[str, InterruptPin]:
        """The interrupt pins of a design by full path, as in its `interrupt_pins`; no I/O.

        `check` is called with a pin's full path before each access on its behalf, and raises a `BoardError` when the
        pin is no longer there.
        """
        return {
            name: self._pin_of(design, name, entry, partial(check, name) if check else None)
            for name, entry in design.interrupt_pins.items()
        }

    def pin(
        self,
        name: str,
        controller_address: int | None,
        index: int,
        *,
        edge: bool = False,
        raw_irq: int = 0,
        check: Check | None = None,
    ) -> InterruptPin:
        """The pin at input `index` of the AXI interrupt controller at a physical address; no I/O.

        Without an address it is wired straight to the processing system, to its interrupt number `raw_irq`. `edge` says
        whether the input captures edges. `check` is called before each access on the pin's behalf and raises a
        `BoardError` when the pin is no longer there. Raises `OutOfRange` for an input that no controller has.
        """
        if controller_address is not None and not 0 <= index < intc.INPUTS:
            raise OutOfRange(
                self.board, f"{name}: an interrupt controller has inputs 0 to {intc.INPUTS - 1}, not {index}"
            )

        source: Source

        if self._service.offered:
            source = self._service.pin(name, index, raw_irq, controller_address or 0)
        elif controller_address is None:
            return self._unsupported(name, "it is wired straight to the processing system")
        else:
            source = self._polling.input(controller_address, index, edge=edge)

        return InterruptPin(self, name, source, check)

    def admit(self) -> None:
        """Raise unless a wait may begin here and now."""
        self._connection.check_loop()

        if self._closed:
            raise NotOpen(self.board, "the board is closed; open it again")

    async def close(self) -> None:
        """End every wait, and have the board's service forget the pins."""
        self._closed = True
        error = NotOpen(self.board, "the board was closed while an interrupt was waited for")
        self._polling.fail(error)
        self._service.fail(error)

        with anyio.move_on_after(self._connection.timeouts.call):
            await self._service.release()

    def _pin_of(self, design: Design, name: str, entry: Mapping[str, Any], check: Check | None) -> InterruptPin:
        controller, index, raw_irq = entry["controller"], entry["index"], entry.get("raw_irq")
        ip = design.ip_dict.get(controller, {})
        address = ip.get("phys_addr")

        if controller and (address is None or not 0 <= index < intc.INPUTS):
            return self._unsupported(name, f"the design does not say where on its controller {controller!r} it is")

        edges = int(ip.get("parameters", {}).get(intc.KIND_OF_INPUTS, "0"), 0)

        if raw_irq is None:
            raw_irq = _raw_irq(design, controller)

        return self.pin(name, address, index, edge=bool(edges >> index & 1), raw_irq=raw_irq, check=check)

    def _unsupported(self, name: str, why: str) -> InterruptPin:
        error = f"{name}: {why}; waiting for it needs an interrupt service on the board"
        return InterruptPin(self, name, _Nowhere(self.board, error), None)


class _Nowhere:
    """No event can come from here."""

    def __init__(self, board: str, problem: str) -> None:
        self._board = board
        self._problem = problem

    async def wait(self, check: Check | None) -> None:
        raise NotSupported(self._board, self._problem)

    async def listen(self, check: Check | None) -> None:
        raise NotSupported(self._board, self._problem)


def _raw_irq(design: Design, controller: str) -> int:
    """The processing system's interrupt number at the end of a cascade of controllers."""
    seen: set[str] = set()

    while controller and controller not in seen:
        seen.add(controller)
        entry = design.interrupt_controllers.get(controller, {})

        if not entry.get("parent"):
            return int(entry.get("raw_irq", 0))

        controller = entry["parent"]

    return 0
