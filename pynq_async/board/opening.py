"""What is still to be opened: awaited, or entered with `async with`."""

import warnings
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
        self._asked = False

    def __repr__(self) -> str:
        return f"<Opening of {self._what} on {self._board}, {'used' if self._asked else 'neither awaited nor entered'}>"

    def __del__(self) -> None:
        if not self._asked:
            text = f"{self._board}: {self._what} was never opened: is an 'await' missing?"
            warnings.warn(text, RuntimeWarning, stacklevel=2, source=self)

    def __await__(self) -> Generator[Any, None, T]:
        self._asked = True
        return self._acquire().__await__()

    async def __aenter__(self) -> T:
        if self._thing is not None:
            raise NotOpen(self._board, f"{self._what} is open already; ask for another one")

        self._asked = True
        self._thing = await self._acquire()
        return self._thing

    async def __aexit__(self, *exc: object) -> None:
        thing, self._thing = self._thing, None

        if thing is not None:
            await self._release(thing)

    def _too_early(self, *_: object) -> NoReturn:
        self._asked = True  # it is said now
        raise NotOpen(self._board, f"{self._what} was neither awaited nor entered with 'async with'")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)

        self._too_early()

    def __enter__(self) -> NoReturn:
        self._too_early()

    def __exit__(self, *exc: object) -> None:
        """Never reached; a `with` looks for it first."""

    __array__ = _too_early
    __getitem__ = _too_early
    __setitem__ = _too_early
    __len__ = _too_early
