"""The two ways to the GPIO pins of a board: the `gpio` service of PYNQ 4.0, and the kernel's files on any release.

The kernel hands a pin out to whoever asks for it (exports it) and takes it back. It knows no owners: a pin stays handed
out when the board server restarts, and who takes it back takes it from everybody.
"""

import contextlib
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from ..concurrency import for_each
from ..errors import (
    BoardError,
    BoardRebooted,
    OutcomeUnknown,
    ProtocolViolation,
    RemoteFileError,
    ServerError,
    StaleHandle,
    UnknownHandle,
)
from ..hardware.gpio import FOLDER, HIGHEST_BASE, LIKELY_BASES
from ..wire import messages as m
from ..wire import methods
from ..wire.channel import Connection, Server
from ..wire.methods import Method, Request, Response
from .files import Files

T = TypeVar("T")
_WIDTH = 16  # files looked at, at the same time


@dataclass(frozen=True, slots=True)
class Chip:
    """A GPIO chip: the Linux number of its first pin, and how many it has."""

    base: int
    pins: int


@dataclass(frozen=True, slots=True)
class Export:
    """A pin that was handed out: its Linux number, the server through which it was, and that server's id for it."""

    number: int
    server: Server
    id: str = ""

    def __str__(self) -> str:
        return f"GPIO pin {self.number}"


class GpioAccess(Protocol):
    """A way to the pins. `read` and `write` raise `StaleHandle` for a pin that has to be handed out anew."""

    async def chip(self, label: str) -> Chip | None:
        """The chip with a label; None when there is none."""
        ...

    async def export(self, number: int, direction: str) -> Export:
        """Have a pin handed out as `in` or `out`; harmless when it is already. Raises `ServerError` when refused."""
        ...

    async def unexport(self, export: Export) -> None:
        """Have a pin taken back; harmless when it was already."""
        ...

    async def read(self, export: Export) -> int:
        """The level of an input."""
        ...

    async def write(self, export: Export, value: int) -> None:
        """Set the level of an output."""
        ...


class FileAccess:
    """Pins by the files under /sys/class/gpio.

    The server does not say what the kernel answers to a write (H37): what matters is read back.
    """

    def __init__(self, connection: Connection, files: Files) -> None:
        self._connection = connection
        self._files = files

    async def chip(self, label: str) -> Chip | None:
        """As in `GpioAccess`: nothing can be listed, so files are tried, first where the chips usually are."""
        found: list[int] = []

        async def look(base: int) -> None:
            if await self._text(f"gpiochip{base}/label") == label:
                found.append(base)

        for bases in (LIKELY_BASES, sorted({*range(HIGHEST_BASE + 1)} - {*LIKELY_BASES})):
            await for_each(bases, look, width=_WIDTH)

            if found:
                pins = await self._text(f"gpiochip{found[0]}/ngpio")
                return Chip(found[0], self._number(pins, f"gpiochip{found[0]}/ngpio"))

        return None

    async def export(self, number: int, direction: str) -> Export:
        """As in `GpioAccess`."""
        export = Export(number, await self._connection.current())

        try:
            await self._write(export, "export", str(number))
            await self._write(export, f"gpio{number}/direction", direction)
            found = await self._text(f"gpio{number}/direction")
        except RemoteFileError:
            found = None
        except BoardError:
            await self._give_up(export)
            raise

        if found != direction:
            await self._give_up(export)
            raise ServerError(
                self._connection.board,
                f"the kernel does not hand out {export} as {direction!r}; does one of its drivers hold it?",
            )

        return export

    async def unexport(self, export: Export) -> None:
        """As in `GpioAccess`."""
        with contextlib.suppress(BoardRebooted):
            await self._write(export, "unexport", str(export.number))

    async def read(self, export: Export) -> int:
        """As in `GpioAccess`."""
        await self._same_boot(export)
        path = f"gpio{export.number}/value"
        text = await self._text(path)

        if text is None:
            await self._same_boot(export)
            raise _taken_back(self._connection.board, export)

        return self._number(text, path)

    async def write(self, export: Export, value: int) -> None:
        """As in `GpioAccess`."""
        try:
            await self._write(export, f"gpio{export.number}/value", str(value))
        except RemoteFileError:
            raise _taken_back(self._connection.board, export) from None

    async def _give_up(self, export: Export) -> None:
        with contextlib.suppress(BoardError):
            await self.unexport(export)

    async def _text(self, path: str) -> str | None:
        content = await self._files.read_if_there(f"{FOLDER}/{path}")
        return None if content is None else content.decode("ascii", "replace").strip()

    async def _write(self, export: Export, path: str, text: str) -> None:
        await self._files.write(
            f"{FOLDER}/{path}",
            text.encode(),
            admit=partial(self._same_boot, export),
            timeout=self._connection.timeouts.call,
        )

    async def _same_boot(self, export: Export) -> None:
        try:
            await self._connection.same_server(export.server, str(export))
        except BoardRebooted:
            raise
        except StaleHandle:
            pass  # what the kernel hands out does not go with the server

    def _number(self, text: str | None, path: str) -> int:
        if text is None or not text.isdigit():
            raise ProtocolViolation(self._connection.board, f"{FOLDER}/{path} is {text!r}, which is no number")

        return int(text)


class ServiceAccess:
    """Pins by the `gpio` service. A pin it handed out has a name that the next server does not know.

    The kernel still has it out then, so it is used by its files from there on: the service would make an output low to
    hand it out anew.
    """

    def __init__(self, connection: Connection, files: Files) -> None:
        self._connection = connection
        self._files = FileAccess(connection, files)

    async def chip(self, label: str) -> Chip | None:
        """As in `GpioAccess`."""
        calls = self._connection.calls
        path = (await calls.unary(methods.GPIO_BASE_PATH, m.GetGpioBasePathRequest(target_label=label))).base_path

        if not path:
            return None

        number = re.search(r"\d+$", path)
        pins = (await calls.unary(methods.GPIO_NPINS, m.GetGpioNPinsRequest(target_label=label))).npins

        if number is None or pins <= 0:
            raise ProtocolViolation(
                self._connection.board, f"the board server says that {label} is {path!r} with {pins} pins"
            )

        return Chip(int(number[0]), pins)

    async def export(self, number: int, direction: str) -> Export:
        """As in `GpioAccess`."""
        connection = self._connection
        server = connection.server

        async def admit() -> None:
            nonlocal server
            server = await connection.current()

        try:
            async with connection.arbiter.gpio.alone():
                response = await connection.calls.unary(
                    methods.GET_GPIO,
                    m.GetGpioRequest(index=number, direction=direction),
                    changing=True,
                    admit=admit,
                )
        except OutcomeUnknown:
            with contextlib.suppress(BoardError):
                await self._files.unexport(Export(number, server))

            raise

        if not response.gpio_id:
            raise ProtocolViolation(connection.board, "the answer to get_gpio has no gpio_id")

        return Export(number, server, response.gpio_id)

    async def unexport(self, export: Export) -> None:
        """As in `GpioAccess`."""
        request = m.GpioUnexportRequest(gpio_id=export.id)

        try:
            async with self._connection.arbiter.gpio.alone():
                await self._call(export, methods.GPIO_UNEXPORT, request, changing=True)
        except UnknownHandle:
            pass
        except StaleHandle:
            await self._files.unexport(export)  # the kernel has it out still, if it has not rebooted

    async def read(self, export: Export) -> int:
        """As in `GpioAccess`."""
        try:
            async with self._connection.arbiter.gpio.shared():
                response = await self._call(export, methods.GPIO_READ, m.GpioReadRequest(gpio_id=export.id))
        except BoardRebooted:
            raise
        except StaleHandle as stale:
            return await _still_out(self._files.read(export), stale)

        if not response.HasField("value"):
            raise ProtocolViolation(self._connection.board, f"the answer to a read of {export} has no value")

        return response.value

    async def write(self, export: Export, value: int) -> None:
        """As in `GpioAccess`."""
        request = m.GpioWriteRequest(gpio_id=export.id, value=value)

        try:
            async with self._connection.arbiter.gpio.shared():
                await self._call(export, methods.GPIO_WRITE, request, changing=True)
        except BoardRebooted:
            raise
        except StaleHandle as stale:
            await _still_out(self._files.write(export, value), stale)

    async def _call(
        self, export: Export, method: Method[Request, Response], request: Request, *, changing: bool = False
    ) -> Response:
        connection = self._connection

        try:
            return await connection.calls.unary(
                method,
                request,
                changing=changing,
                admit=partial(connection.same_server, export.server, str(export)),
            )
        except UnknownHandle:
            problem = await connection.unknown_handle(export.server, str(export))

        raise problem if isinstance(problem, StaleHandle) else _taken_back(connection.board, export)


async def _still_out(use: Awaitable[T], stale: StaleHandle) -> T:
    """Use a pin that an earlier server handed out; raises `stale` when the kernel has taken it back meanwhile."""
    try:
        return await use
    except UnknownHandle:
        raise stale from None


def _taken_back(board: str, export: Export) -> UnknownHandle:
    return UnknownHandle(board, f"the board has taken {export} back; did another client release it? Ask for it again")
