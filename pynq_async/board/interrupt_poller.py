"""Interrupts by polling: one poller a board looks at every AXI interrupt controller that somebody waits for.

An edge is gone once it is acknowledged, so all RemoteDevices of a board share the poller: what one of them acknowledges
is for those who wait through another one as well.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

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


class Polling:
    """The inputs of a board's controllers, as one RemoteDevice reaches them."""

    def __init__(self, connection: Connection, windows: Windows) -> None:
        self._connection = connection
        self._windows = windows
        self._ways: dict[tuple[str, int], Way] = {}

    def input(self, address: int, index: int, *, edge: bool) -> "Input":
        """The input `index` of the controller at a physical address; no I/O."""
        boot = self._connection.server.boot

        if (boot, address) not in self._ways:
            self._windows.forget_rebooted()
            self._ways = {key: known for key, known in self._ways.items() if key[0] == boot}
            self._ways[boot, address] = Way(self._connection, self._windows, address)

        way = self._ways[boot, address]
        return Input(way, way.controller.line(index, edge=edge))

    def fail(self, error: BoardError) -> None:
        """End every wait through this RemoteDevice with an error."""
        for way in self._ways.values():
            way.controller.fail(error, way)


class Input:
    """One input of a controller."""

    def __init__(self, way: "Way", line: "Line[PolledWaiter]") -> None:
        self._way = way
        self._line = line

    async def wait(self, check: Check | None) -> None:
        """Wait for the next event."""
        await self._way.poller.wait(self._line, PolledWaiter(check, self._way))

    async def listen(self, check: Check | None) -> None:
        """Have edges captured from now on."""
        controller = self._way.controller

        if not controller.enabled(self._way):
            await self._way.poller.wait(controller.being_enabled, PolledWaiter(check, self._way))


@dataclass(frozen=True, slots=True)
class Life:
    """From one loss of a controller's state to the next, or of what is known about it."""

    server: Server
    programmed: int
    reconfigured: int


class Way:
    """How one RemoteDevice reaches a controller, in one boot of the board."""

    def __init__(self, connection: Connection, windows: Windows, address: int) -> None:
        self.poller = connection.arbiter.common(Poller)
        self.controller = self.poller.controller(address)
        self.registers = MMIO(connection, windows, address, intc.SIZE, check=self._check)
        self._connection = connection
        self._server = connection.server
        self._name = f"the interrupt controller at {address:#x}"

    @property
    def life(self) -> Life:
        """The controller's life, as far as is known without asking."""
        arbiter = self._connection.arbiter
        return Life(self._connection.server, arbiter.fabric.programmed, arbiter.fabric.reconfigured)

    def _check(self) -> None:
        if self._connection.server.boot != self._server.boot:
            self._connection.check_server(self._server, self._name)

        self.controller.check()


class PolledWaiter(EventWaiter):
    """One task's wait, through one RemoteDevice."""

    def __init__(self, check: Check | None, way: Way) -> None:
        super().__init__(check)
        self.way = way


class Poller:
    """Polls for all who wait, and only while someone waits: fast when something happened, slower when nothing does."""

    def __init__(self) -> None:
        self._controllers: dict[int, Controller] = {}
        self._turns = Turns(self._round)
        self._pauses = Pauses()
        self._newcomer = asyncio.Event()

    def controller(self, address: int) -> "Controller":
        """The controller at a physical address; no I/O."""
        return self._controllers.setdefault(address, Controller())

    async def wait(self, line: Line[PolledWaiter], waiter: PolledWaiter) -> None:
        """Wait for the next event of a line of one of the controllers."""
        self._pauses.restart()
        self._newcomer.set()
        await line.wait(self._turns, waiter)

    async def _round(self, _: PolledWaiter) -> None:
        """Pause unless somebody new is waiting, and look at every controller once."""
        with anyio.move_on_after(self._pauses.next()):
            await self._newcomer.wait()

        self._newcomer.clear()
        busy = [controller for controller in self._controllers.values() if controller.ways]
        await for_each(busy, self._look, width=_WIDTH)

    async def _look(self, controller: "Controller") -> None:
        if await controller.look():
            self._pauses.restart()


class Controller:
    """One AXI interrupt controller, of whatever place in a cascade: its inputs are seen in its own registers.

    Which interrupts are enabled is left alone, so that none reaches the processor by our doing.

    Attributes:
        being_enabled: who waits until the inputs are listened to.
    """

    def __init__(self) -> None:
        self.being_enabled: Line[PolledWaiter] = Line(once=False)
        self._lines: dict[int, Line[PolledWaiter]] = {}
        self._life: Life | None = None

    @property
    def ways(self) -> list[Way]:
        """Through which RemoteDevices it is waited for."""
        return list(dict.fromkeys(waiter.way for line in self._all for waiter in line.waiting))

    def enabled(self, way: Way) -> bool:
        """Whether the inputs are listened to, as far as is known without asking."""
        return self._life == way.life

    def line(self, index: int, *, edge: bool) -> Line[PolledWaiter]:
        """The input number `index`."""
        line = self._lines.setdefault(index, Line(once=edge))
        line.once = edge  # another design may have it otherwise
        return line

    def fail(self, error: BoardError, way: Way) -> None:
        """End every wait through one RemoteDevice with an error."""
        for line in self._all:
            line.fail(error, lambda waiter: waiter.way is way)

    def check(self) -> None:
        """Send those away whose wait makes no sense any more; without the others there is nothing to look for."""
        if not [line for line in self._all if line.check()]:
            raise _Deserted

    async def look(self) -> bool:
        """See once which inputs are active, and wake who waits for them; returns whether one was.

        All of it may be done twice, so a lost connection ends no wait: the next look goes on. Any other error ends
        every wait for this controller through the RemoteDevice that had it, as if each had looked by itself, and
        another one looks instead.
        """
        failed = False

        for way in self.ways:
            try:
                return await self._look(way)
            except _Deserted:
                break
            except ConnectionLost:
                pass
            except BoardError as error:
                self.fail(error, way)
                failed = True

        return failed

    async def _look(self, way: Way) -> bool:
        await self._enable(way)
        await self._arm(way.registers)
        active = await way.registers.read(intc.ISR)
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

            await way.registers.write(intc.IAR, _mask(edges))

            for line in edges.values():
                line.fire()

        return bool(raised)

    async def _enable(self, way: Way) -> None:
        """Let the inputs set ISR, once in the life of a server and of a design: programming resets the register.

        What was kept is forgotten with the design, or with the region if the controller turns out to be part of it.
        """
        before, life = self._life, way.life

        if life != before:
            reset = await way.registers.read(intc.MER) & _BOTH != _BOTH

            if before is not None and (
                (life.server.boot, life.programmed) != (before.server.boot, before.programmed)
                or (reset and life.reconfigured != before.reconfigured)
            ):
                for line in self._lines.values():
                    line.forget()

            if reset:
                await way.registers.write(intc.MER, _BOTH)

            self._life = life

        self.being_enabled.fire()

    async def _arm(self, registers: MMIO) -> None:
        """Clear what levels latched before anyone waited; an input that is still active sets its bit again."""
        stale = {i: line for i, line in self._lines.items() if line.waiting and not line.once and not line.armed}

        if stale:
            await registers.write(intc.IAR, _mask(stale))

            for line in stale.values():
                line.armed = True

    @property
    def _all(self) -> list[Line[PolledWaiter]]:
        return [self.being_enabled, *self._lines.values()]


class _Deserted(Exception):
    """Nobody waits any more."""


def _mask(indices: Iterable[int]) -> int:
    return sum(1 << index for index in indices)
