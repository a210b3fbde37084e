"""Which boards answer: each is asked now and then, one that does not is set aside, and taken back when it does."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import anyio

from ..board.device import RemoteDevice
from ..errors import (
    BoardError,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    InvalidArgument,
    StaleHandle,
)


@dataclass(frozen=True, slots=True)
class Health:
    """How a farm looks after its boards, in seconds.

    Attributes:
        interval: between two questions to a board; one that does not answer is asked as often.
        timeout: within which it must answer. Only the second failure in a row means something, unless work has just
            failed on the board: so it is set aside after `interval` and twice `timeout` at the latest.
        patience: how long the work of `map` waits when no board is left before it fails.
    """

    interval: float = 5.0
    timeout: float = 2.0
    patience: float = 30.0

    def __post_init__(self) -> None:
        for name in ("interval", "timeout", "patience"):
            seconds = getattr(self, name)

            if not (isinstance(seconds, int | float) and seconds > 0):
                raise InvalidArgument(f"the farm's {name!r} must be more than 0 seconds, not {seconds!r}")


def board_failure(error: BaseException, board: str) -> BoardError | None:
    """The error inside `error` by which this board, and not what was done with it, has failed; None when there is none.

    That a board cannot be reached, does not answer, or has restarted; also inside groups.
    """
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := board_failure(inner, board))), None)

    if isinstance(error, ConnectError | ConnectionLost | DeadlineExceeded | StaleHandle) and error.board == board:
        return error

    return None


async def learn(board: RemoteDevice, timeout: float) -> None:
    """Have a board's `last_loaded` know what it came with; one that does not say is used all the same."""
    with anyio.move_on_after(timeout), suppress(BoardError):
        await board.loaded()


class Patients(Protocol):
    """Who is told which boards answer."""

    def found(self, board: RemoteDevice) -> None:
        """A board that was set aside answers."""

    def lost(self, board: RemoteDevice, error: BoardError) -> None:
        """A board does not answer; told again at every question."""


class Watch:
    """Asks one board for as long as the farm is open."""

    def __init__(self, board: RemoteDevice, health: Health, patients: Patients, *, opened: bool) -> None:
        self._board = board
        self._health = health
        self._patients = patients
        self._opened = opened
        self._suspected = asyncio.Event()

    def suspect(self) -> None:
        """Ask at once, and believe a single failure."""
        self._suspected.set()

    async def run(self, first_pause: float) -> None:
        """Ask for ever; the farm cancels it."""
        pause, well = first_pause, self._opened

        while True:
            with anyio.move_on_after(pause):
                await self._suspected.wait()

            pause = self._health.interval
            believe = self._suspected.is_set() or not well
            self._suspected.clear()
            error = await self._ask()

            if error is not None and not believe:
                error = await self._ask()

            if error is None:
                if not well:
                    await learn(self._board, self._health.timeout)

                self._patients.found(self._board)
            else:
                self._patients.lost(self._board, error)

            well = error is None

    async def _ask(self) -> BoardError | None:
        try:
            if self._opened:
                await self._in_time(lambda: self._board.exists_file("/"))
            else:
                await self._board
                self._opened = True
        except BoardError as error:
            return error
        except Exception as error:  # nothing may end the watch, and with it the farm's host task
            return BoardError(self._board.name, f"asking whether it answers failed: {type(error).__name__}: {error}")

        return None

    async def _in_time(self, question: Callable[[], Awaitable[object]]) -> None:
        with anyio.move_on_after(self._health.timeout) as scope:
            await question()

        if scope.cancelled_caught:
            raise DeadlineExceeded(
                self._board.name, f"no answer within {self._health.timeout:g} s; is the board alive?"
            )
