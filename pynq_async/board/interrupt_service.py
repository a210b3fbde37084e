"""Interrupts through the board's own `interrupt` service, where its server has one."""

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ..concurrency import Turns, for_each, to_the_end
from ..errors import (
    BoardError,
    BoardRebooted,
    ConnectionLost,
    OutcomeUnknown,
    ProtocolViolation,
    ServerError,
    StaleHandle,
)
from ..wire import messages as m
from ..wire import methods
from ..wire.channel import Connection, Server
from .interrupt_line import Check, EventWaiter, Line

if TYPE_CHECKING:
    from ..wire.locks import Hold

_SLICE = 0.2  # seconds; less than the grace of a cancelled call, which so has an outcome
_RELEASING = 8  # pins at once


class Service:
    """The pins of one board that its service is asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._registrations: dict[tuple[object, ...], Registration] = {}

    @property
    def offered(self) -> bool:
        """Whether the board's server has the service."""
        return methods.REGISTER_INTERRUPT.service in self._connection.services

    def pin(self, name: str, index: int, raw_irq: int, address: int) -> "Registration":
        """A pin at input `index` of the controller at `address`, 0 for the processing system itself; no I/O."""
        key = self._connection.server.boot, name, index, raw_irq, address

        if key not in self._registrations:
            request = m.RegisterRequest(pin_name=name, pin_index=index, raw_irq=raw_irq, controller_phys_addr=address)
            self._registrations[key] = Registration(self._connection, request)

        return self._registrations[key]

    def fail(self, error: BoardError) -> None:
        """End every wait with an error."""
        for registration in self._registrations.values():
            registration.fail(error)

    async def release(self) -> None:
        """Have the server forget all pins."""
        await for_each(self._registrations.values(), Registration.release, width=_RELEASING)


class Registration:
    """A pin at the board's service; registered once in the life of a server and of a design.

    The service forgets an event as it reports it, so a report is never dropped: one whose waiter was cancelled
    meanwhile is kept for the next, and when an answer is lost with the connection everyone who waits is told.
    """

    def __init__(self, connection: Connection, request: m.RegisterRequest) -> None:
        self._connection = connection
        self._request = request
        self._line: Line[EventWaiter] = Line(once=True)
        self._being_registered: Line[EventWaiter] = Line(once=False)
        self._turns = Turns(self._slice)
        self._id = ""
        self._server: Server | None = None
        self._programmed: int | None = None
        self._hold: Hold | None = None
        self._late: asyncio.Event | None = None  # set when a call that went on without its caller is over
        self.patience = _SLICE + connection.timeouts.call

    def __str__(self) -> str:
        return f"the interrupt {self._request.pin_name}"

    async def wait(self, check: Check | None) -> None:
        """Wait for the next event."""
        await self._line.wait(self._turns, EventWaiter(check))

    async def listen(self, check: Check | None) -> None:
        """Have the service look after the pin from now on."""
        if not self._registered(await self._connection.current()):
            await self._being_registered.wait(self._turns, EventWaiter(check))

    def fail(self, error: BoardError) -> None:
        """End every wait with an error."""
        self._line.fail(error)
        self._being_registered.fail(error)

    async def release(self) -> None:
        """Have the server forget the pin, when its last call is over."""
        if not self._id or self._server is None:
            return

        with anyio.move_on_after(_SLICE + self._connection.timeouts.grace) as answer:
            await self._turns.rest()
            await self._over()

        if not answer.cancelled_caught:  # else the board is out of reach
            await self._release(self._id, self._server)

    def left(self) -> None:
        """A call goes on without its caller."""
        assert self._hold is not None
        self._hold = self._hold.hand_over()
        self._late = asyncio.Event()

    def arrived(self, response: m.WaitResponse | None) -> None:
        """A call that went on has ended."""
        if response is not None and response.status == m.WaitResponse.FIRED and not response.msg:
            self._line.fire()

        if self._hold is not None and self._late is not None:
            self._hold.release()
            self._late.set()
            self._late = None

    async def _slice(self, _: EventWaiter) -> None:
        await self._over()

        if self._programmed not in (None, self._connection.arbiter.fabric.programmed):
            self._line.forget()

        if self._line.seen:
            self._line.fire()

        waited_for = [line for line in (self._line, self._being_registered) if line.check()]

        if not waited_for:
            return

        try:
            await self._wait_a_while()
        except BoardError as error:
            if isinstance(error, ServerError | ProtocolViolation):
                self._programmed = None  # whatever is wrong with it, the next wait registers it again

            unsent = isinstance(error, ConnectionLost | StaleHandle) and not isinstance(error, OutcomeUnknown)

            if not unsent or isinstance(error, BoardRebooted):
                self.fail(error)

    async def _wait_a_while(self) -> None:
        connection = self._connection
        server = await connection.current()

        if self._server is not None and self._server.boot != server.boot:
            connection.check_server(self._server, str(self))

        if not self._registered(server):
            await to_the_end(self._register(server))  # cut off in the middle, the server would keep it for ever

        self._being_registered.fire()

        if not self._line.waiting:
            return

        async with connection.arbiter.interrupts.shared() as self._hold:
            response = await connection.calls.unary(
                methods.WAIT_FOR_INTERRUPT,
                m.WaitRequest(interrupt_id=self._id, timeout_ms=round(1000 * _SLICE)),
                changing=True,
                admit=partial(connection.same_server, server, str(self)),
                straggler=self,
                slots=connection.arbiter.waits,
            )

        if response.status == m.WaitResponse.FIRED:
            self._line.fire()
        elif response.status != m.WaitResponse.TIMEOUT:
            raise ServerError(connection.board, f"the board's interrupt service failed for {self._request.pin_name}")

    def _registered(self, server: Server) -> bool:
        return server == self._server and self._programmed == self._connection.arbiter.fabric.programmed

    async def _register(self, server: Server) -> None:
        connection = self._connection
        programmed = connection.arbiter.fabric.programmed

        if self._id and server == self._server:
            await self._release(self._id, server)

        self._id = ""

        async with connection.arbiter.interrupts.alone():
            response = await connection.calls.unary(
                methods.REGISTER_INTERRUPT,
                self._request,
                changing=True,
                admit=partial(connection.same_server, server, str(self)),
            )

        if not response.interrupt_id:
            raise ProtocolViolation(connection.board, f"register_interrupt gave no id for {self._request.pin_name}")

        self._id, self._server, self._programmed = response.interrupt_id, server, programmed

    async def _release(self, identifier: str, server: Server) -> None:
        async with self._connection.arbiter.interrupts.alone():
            with contextlib.suppress(BoardError):  # its server is gone, or does not know it any more
                await self._connection.calls.unary(
                    methods.RELEASE_INTERRUPT,
                    m.ReleaseRequest(interrupt_id=identifier),
                    changing=True,
                    admit=partial(self._connection.same_server, server, str(self)),
                )

    async def _over(self) -> None:
        """Wait until a call that went on without its caller is over."""
        if self._late is not None:
            await self._late.wait()
