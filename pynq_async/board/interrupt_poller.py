"""Interrupts by polling: one poller a board looks at every AXI interrupt controller that somebody waits for."""

import asyncio
from collections.abc import Iterable

import anyio

from ..concurrency import Pauses, Turns, for_each
from ..errors import BoardError, ConnectionLost
from ..hardware import axi_intc as intc
from ..wire.channel import Connection, Server
from .interrupt_line import Check, EventWaiter, Line
from .mmio import MMIO
from .windows import Windows

_WIDTH = 8  # controllers looked at together
_BOTH = intc.MASTER_ENABLE | intc.HARDWARE_ENABLE


class Poller:
    """Polls for all who wait, and only while someone waits: fast when something happened, slower when nothing does."""

    def __init__(self, connection: Connection, windows: Windows) -> None:
        self._connection = connection
        self._windows = windows
        self._controllers: dict[tuple[str, int], Controller] = {}
        self._turns = Turns(self._round)
        self._pauses = Pauses()
        self._newcomer = asyncio.Event()

    def input(self, address: int, index: int, *, edge: bool) -> "Input":
        """The input `index` of the controller at a physical address; no I/O."""
        boot = self._connection.server.boot

        if (boot, address) not in self._controllers:
            self._windows.forget_rebooted()
            self._controllers = {key: known for key, known in self._controllers.items() if key[0] == boot}
            self._controllers[boot, address] = Controller(self._connection, self._windows, address)

        controller = self._controllers[boot, address]
        return Input(self, controller, controller.line(index, edge=edge))

    async def wait(self, line: Line[EventWaiter], check: Check | None) -> None:
        """Wait for the next event of a line of one of the controllers."""
        self._pauses.restart()
        self._newcomer.set()
        await line.wait(self._turns, EventWaiter(check))

    def fail(self, error: BoardError) -> None:
        """End every wait with an error."""
        for controller in self._controllers.values():
            controller.fail(error)

    async def _round(self, _: EventWaiter) -> None:
        """Pause unless somebody new is waiting, and look at every controller once."""
        with anyio.move_on_after(self._pauses.next()):
            await self._newcomer.wait()

        self._newcomer.clear()
        busy = [controller for controller in self._controllers.values() if controller.waited_for]
        await for_each(busy, self._look, width=_WIDTH)

    async def _look(self, controller: "Controller") -> None:
        if await controller.look():
            self._pauses.restart()


class Input:
    """One input of a controller."""

    def __init__(self, poller: Poller, controller: "Controller", line: Line[EventWaiter]) -> None:
        self._poller = poller
        self._controller = controller
        self._line = line

    async def wait(self, check: Check | None) -> None:
        """Wait for the next event."""
        await self._poller.wait(self._line, check)

    async def listen(self, check: Check | None) -> None:
        """Have edges captured from now on."""
        if not self._controller.enabled:
            await self._poller.wait(self._controller.being_enabled, check)


class Controller:
    """One AXI interrupt controller, of whatever place in a cascade: its inputs are seen in its own registers.

    Which interrupts are enabled is left alone, so that none reaches the processor by our doing.

    Attributes:
        being_enabled: who waits until the inputs are listened to.
    """

    def __init__(self, connection: Connection, windows: Windows, address: int) -> None:
        self._connection = connection
        self._registers = MMIO(connection, windows, address, intc.SIZE, check=self._check)
        self.being_enabled: Line[EventWaiter] = Line(once=False)
        self._lines: dict[int, Line[EventWaiter]] = {}
        self._enabled: tuple[Server, int, int] | None = None

    @property
    def waited_for(self) -> bool:
        """Whether anyone waits for an input."""
        return any(line.waiting for line in (self.being_enabled, *self._lines.values()))

    @property
    def enabled(self) -> bool:
        """Whether the inputs are listened to, as far as is known without asking."""
        return self._enabled == self._life

    def line(self, index: int, *, edge: bool) -> Line[EventWaiter]:
        """The input number `index`."""
        line = self._lines.setdefault(index, Line(once=edge))
        line.once = edge  # another design may have it otherwise
        return line

    def fail(self, error: BoardError) -> None:
        """End every wait with an error."""
        for line in (self.being_enabled, *self._lines.values()):
            line.fail(error)

    async def look(self) -> bool:
        """See once which inputs are active, and wake who waits for them; returns whether one was.

        All of it may be done twice, so a lost connection ends no wait: the next look goes on. Any other error ends
        every wait for this controller, as if each had looked by itself, and no wait for another one.
        """
        try:
            return await self._look()
        except (ConnectionLost, _Deserted):
            return False
        except BoardError as error:
            self.fail(error)
            return True

    async def _look(self) -> bool:
        await self._enable()
        await self._arm()
        active = await self._registers.read(intc.ISR)
        raised = {
            index: line
            for index, line in self._lines.items()
            if line.waiting and (line.seen or (active >> index & 1 and (line.once or line.armed)))
        }
        edges = {index: line for index, line in raised.items() if line.once}

        for index in raised.keys() - edges.keys():
            raised[index].fire()

        if edges:
            # Acknowledged before anyone is told, or the next edge, to which that may lead, would be wiped out with it;
            # `seen` keeps the event should we be cut off here.
            for line in edges.values():
                line.seen = True

            await self._registers.write(intc.IAR, _mask(edges))

            for line in edges.values():
                line.fire()

        return bool(raised)

    async def _enable(self) -> None:
        """Let the inputs set ISR, once in the life of a server and of a design: programming resets the register."""
        life = self._life

        if life != self._enabled:
            if self._enabled is not None and self._enabled[1:] != life[1:]:
                for line in self._lines.values():
                    line.forget()

            if await self._registers.read(intc.MER) & _BOTH != _BOTH:
                await self._registers.write(intc.MER, _BOTH)

            self._enabled = life

        self.being_enabled.fire()

    @property
    def _life(self) -> tuple[Server, int, int]:
        arbiter = self._connection.arbiter
        return self._connection.server, arbiter.fabric.programmed, arbiter.fabric.reconfigured

    async def _arm(self) -> None:
        """Clear what levels latched before anyone waited; an input that is still active sets its bit again."""
        stale = {i: line for i, line in self._lines.items() if line.waiting and not line.once and not line.armed}

        if stale:
            await self._registers.write(intc.IAR, _mask(stale))

            for line in stale.values():
                line.armed = True

    def _check(self) -> None:
        """Send those away whose wait makes no sense any more; without the others there is nothing to look for."""
        remaining = [line for line in (self.being_enabled, *self._lines.values()) if line.check()]

        if not remaining:
            raise _Deserted


class _Deserted(Exception):
    """Nobody waits any more."""


def _mask(indices: Iterable[int]) -> int:
    return sum(1 << index for index in indices)
