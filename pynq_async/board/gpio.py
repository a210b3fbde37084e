"""GPIO pins of the processing system."""

import asyncio
import contextlib
import operator
from collections.abc import Awaitable, Callable
from typing import Literal, SupportsIndex, TypeAlias, TypeVar
from weakref import WeakSet

import anyio

from ..concurrency import to_the_end
from ..errors import BoardError, BoardRebooted, ConnectionLost, Misuse, NotOpen, NotSupported, OutOfRange, StaleHandle
from ..hardware.gpio import FIRST_EMIO, FOLDER, LABELS
from ..wire.channel import Connection
from .files import Files
from .gpio_access import Chip, Export, FileAccess, GpioAccess, ServiceAccess
from .opening import Opening

Direction: TypeAlias = Literal["in", "out"]
T = TypeVar("T")

_SERVICE = "gpio.Gpio"


class GpioPin:
    """A GPIO pin of the processing system, as an input or an output; made by `Gpio.pin`.

    Attributes:
        index: its index, as it was asked for.
        number: its number in Linux.
        direction: `in` or `out`.
        released: whether it was given back.
    """

    def __init__(self, line: "_Line", index: int, direction: Direction, boot: str) -> None:
        self.index = index
        self.number = line.number
        self.direction = direction
        self.released = False
        self._line = line
        self._boot = boot
        self._board = line.connection.board

    def __repr__(self) -> str:
        state = ", released" if self.released else ""
        return f"<GpioPin {self._board} {self.index}, {self.direction}, number {self.number} in Linux{state}>"

    async def read(self) -> int:
        """The level of an input, 0 or 1; raises `Misuse` for an output.

        Read again once after a lost connection. Raises `BoardRebooted` when the board has rebooted since the pin was
        asked for, `UnknownHandle` when another client has given it back.
        """
        self._require("in", "read")

        try:
            return await self._line.use(self._boot, self._line.access.read)
        except ConnectionLost:
            return await self._line.use(self._boot, self._line.access.read)

    async def write(self, value: SupportsIndex) -> None:
        """Set the level of an output to 0 or 1; raises `Misuse` for an input. Writes go out in the order of the calls.

        Raises an `OutcomeUnknown` when the answer is lost, and as `read`.
        """
        self._require("out", "written")
        level = _integer(self._board, value)

        if level not in (0, 1):
            raise Misuse(self._board, f"a GPIO pin is 0 or 1, not {level}")

        await self._line.use(self._boot, lambda export: self._line.access.write(export, level))

    async def release(self) -> None:
        """Give the pin back; a second time does nothing."""
        self._line.connection.check_loop()

        if not self.released:
            self.released = True
            await to_the_end(self._line.leave(self))

    def _require(self, direction: Direction, done: str) -> None:
        if self.released:
            raise NotOpen(self._board, f"GPIO pin {self.index} was released; ask for it again")

        if self.direction != direction:
            raise Misuse(
                self._board, f"GPIO pin {self.index} is in use as {self.direction!r}; only {direction!r} is {done}"
            )


class _Line:
    """A pin as all share it who asked for it: handed out by the board once, and taken back when the last one left.

    `_order` keeps everything that is done with it in the order of the calls.
    """

    def __init__(self, connection: Connection, access: GpioAccess, number: int) -> None:
        self.connection = connection
        self.access = access
        self.number = number
        self.users: WeakSet[GpioPin] = WeakSet()
        self._direction: Direction = "in"
        self._export: Export | None = None
        self._order = asyncio.Lock()

    async def join(self, index: int, direction: Direction) -> GpioPin:
        """Become a user; raises `Misuse` while others use the pin in the other direction."""
        async with self._order:
            boot = (await self.connection.current()).boot

            if self.users and self._direction != direction:
                raise Misuse(
                    self.connection.board,
                    f"GPIO pin {index} is in use as {self._direction!r}; release it before using it otherwise",
                )

            if not self.users or self._export is None or self._export.server.boot != boot:
                self._direction = direction

                try:
                    await to_the_end(self._hand_out())
                except BaseException:
                    with contextlib.suppress(BoardError):
                        await to_the_end(self._take_back())

                    raise

            pin = GpioPin(self, index, direction, boot)
            self.users.add(pin)
            return pin

    async def use(self, boot: str, act: Callable[[Export], Awaitable[T]]) -> T:
        """Do something with the pin; it is handed out anew when the server has been replaced since."""
        self.connection.check_loop()

        async with self._order:
            while True:
                if (await self.connection.current()).boot != boot:
                    raise BoardRebooted(
                        self.connection.board,
                        f"GPIO pin {self.number} is from before the board rebooted; download again, then ask for it "
                        "again",
                    )

                if self._export is None:
                    await to_the_end(self._hand_out())
                    continue

                try:
                    return await act(self._export)
                except BoardRebooted:
                    raise
                except StaleHandle:
                    self._export = None

    async def leave(self, pin: GpioPin) -> None:
        """Be a user no more; the last one returns the pin to the board."""
        self.users.discard(pin)

        async with self._order:
            if not self.users:
                await self._take_back()

    async def close(self) -> None:
        """Return the pin to the board, whoever uses it."""
        for pin in self.users:
            pin.released = True

        self.users.clear()

        async with self._order:
            await self._take_back()

    async def _hand_out(self) -> None:
        self._export = await self.access.export(self.number, self._direction)

    async def _take_back(self) -> None:
        if self._export is not None:
            await self.access.unexport(self._export)
            self._export = None


class Gpio:
    """The GPIO pins of one board's processing system.

    A pin's index counts from the first one that is wired to the programmable logic (EMIO), as in a design's
    `gpio_dict` and in PYNQ's `GPIO.get_gpio_pin`.

        async with board.gpio.pin(0, "out") as reset, board.gpio.pin(1, "in") as done:
            await reset.write(1)
            print(await done.read())
    """

    def __init__(self, connection: Connection, files: Files, family: str) -> None:
        access = ServiceAccess if _SERVICE in connection.services else FileAccess
        self._connection = connection
        self._access: GpioAccess = access(connection, files)
        self._board = connection.board
        self._family = family
        self._chips: dict[tuple[str, str], Chip] = {}
        self._lines: dict[int, _Line] = {}

    def __repr__(self) -> str:
        return f"<Gpio {self._board}, {sum(bool(line.users) for line in self._lines.values())} pins in use>"

    def pin(self, index: SupportsIndex, direction: Direction, *, target_label: str | None = None) -> Opening[GpioPin]:
        """A pin as an input (`in`) or output (`out`, low at first); `await` it, or enter it with `async with`.

        Versal has two chips: pass `target_label`, `versal_gpio` or `pmc_gpio`. On the other families a `target_label`
        makes the index count from the first pin of the chip of that name. Asking again for a pin that is in use gives
        it to both; the board has it back when all have released it, or when the board is closed.

        Raises `Misuse` at once, or for a pin in use in the other direction; `OutOfRange`; `NotSupported` when the board
        has no such chip; `ServerError` when its kernel refuses, as it does for a pin that one of its drivers holds.
        """
        number = _integer(self._board, index)

        if direction not in ("in", "out"):
            raise Misuse(self._board, f"the direction of a GPIO pin is 'in' or 'out', not {direction!r}")

        if number < 0:
            raise OutOfRange(self._board, f"there is no GPIO pin {number}; they are numbered from 0")

        label, first = self._first(target_label)
        return Opening(
            self._board, "the GPIO pin", lambda: self._acquire(label, first, number, direction), GpioPin.release
        )

    async def base(self, target_label: str | None = None) -> int:
        """The Linux number of a chip's first pin; raises `NotSupported` when there is no such chip."""
        return (await self._chip(target_label or self._first(None)[0])).base

    async def npins(self, target_label: str | None = None) -> int:
        """How many pins a chip has, those of the package included; raises `NotSupported` when there is no such chip."""
        return (await self._chip(target_label or self._first(None)[0])).pins

    async def close(self) -> None:
        """Return every pin to the board, unless it is out of reach; bounded by the call timeout."""
        with contextlib.suppress(BoardError), anyio.move_on_after(self._connection.timeouts.call):
            for line in self._lines.values():
                await line.close()

    async def _acquire(self, label: str, first: int, index: int, direction: Direction) -> GpioPin:
        chip = await self._chip(label)

        if first + index >= chip.pins:
            raise OutOfRange(
                self._board, f"there is no GPIO pin {index}; {label} has {chip.pins - first}, numbered from 0"
            )

        number = chip.base + first + index

        if number not in self._lines:
            self._lines[number] = _Line(self._connection, self._access, number)

        return await self._lines[number].join(index, direction)

    async def _chip(self, label: str) -> Chip:
        """A chip by its label, looked for once in each boot of the board."""
        self._connection.check_loop()
        key = (await self._connection.current()).boot, label

        if key not in self._chips:
            chip = await self._access.chip(label)

            if chip is None:
                raise NotSupported(
                    self._board,
                    f"no GPIO chip of this board is called {label}: no {FOLDER}/gpiochipN has it as its label",
                )

            self._chips[key] = chip

        return self._chips[key]

    def _first(self, target_label: str | None) -> tuple[str, int]:
        """The label of a chip, and which of its pins has the index 0."""
        labels = LABELS[self._family]

        if len(labels) == 1:
            return (labels[0], FIRST_EMIO[labels[0]]) if target_label is None else (target_label, 0)

        if target_label not in labels:
            raise Misuse(
                self._board, f"this board has the GPIO chips {' and '.join(labels)}; pass one of them as target_label"
            )

        return target_label, FIRST_EMIO[target_label]


def _integer(board: str, value: object) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise Misuse(board, f"{value!r} is no integer") from None
