"""What is still to be opened: awaited, or entered with `async with`."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, NoReturn, TypeVar

from ..errors import NotOpen

T = TypeVar("T")


class Opening(Generic[T]):
    """`await` it to have the thing and release it yourself, or enter it to have it released at the end of the block."""

    def __init__(
        self, board: str, what: str, acquire: Callable[[], Awaitable[T]], release: Callable[[T], Awaitable[None]]
    ) -> None:
        self._board = board
        self._what = what
        self._acquire = acquire
        self._release = release
        self._thing: T | None = None

    def __await__(self) -> Generator[Any, None, T]:
        return self._acquire().__await__()

    async def __aenter__(self) -> T:
        if self._thing is not None:
            raise NotOpen(self._board, f"{self._what} is open already; ask for another one")

        self._thing = await self._acquire()
        return self._thing

    async def __aexit__(self, *exc: object) -> None:
        thing, self._thing = self._thing, None

        if thing is not None:
            await self._release(thing)

    def _too_early(self, *_: object) -> NoReturn:
        raise NotOpen(self._board, f"{self._what} was neither awaited nor entered with 'async with'")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)

        self._too_early()

    __getitem__ = _too_early
    __setitem__ = _too_early
    __len__ = _too_early
