"""`map`: one call, whether the boards are those of this process or of a cluster."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar, overload

from ..board.device import RemoteDevice
from ..errors import InvalidArgument
from .jobs import MapResult
from .leases import Want

T = TypeVar("T")
Item = TypeVar("Item")
Tool = TypeVar("Tool")
Value = TypeVar("Value")


class FarmMap(ABC, Generic[Item, Value]):
    """The results of `farm.map`, while its block runs; see `BoardFarm.map`.

    Attributes:
        failures: the boards whose `setup` failed, by name; they take no part.
    """

    failures: dict[str, Exception]

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Begin."""

    @abstractmethod
    async def __aexit__(self, *exc: object) -> None:
        """End what is under way and give the boards back."""

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> MapResult[Item, Value]:
        """Wait for the next result."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked of a map; see `BoardFarm.map`. `want` is which boards it may use, one at a time."""

    fn: Callable[[Any, Any], Awaitable[Any]]
    setup: Callable[[RemoteDevice], Any] | None
    items: Iterable[Any] | AsyncIterable[Any]
    want: Want
    ordered: bool
    attempts: int
    timeout: float | None
    ahead: int
    turn: float
    holder: str


class Maps(ABC):
    """A farm that spreads work over its boards."""

    @abstractmethod
    def _spread(self, plan: Plan) -> FarmMap[Any, Any]:
        """Make a map that does what was asked, once it is entered."""

    @overload
    def map(
        self,
        fn: Callable[[RemoteDevice, Item], Awaitable[T]],
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        setup: None = None,
        ordered: bool = False,
        attempts: int = 3,
        timeout: float | None = None,
        to: Iterable[str] | None = None,
        model: str | None = None,
        family: str | None = None,
        tags: str | Iterable[str] = (),
        priority: int = 0,
        ahead: int = 4,
        turn: float = 1.0,
        holder: str = "map",
    ) -> FarmMap[Item, T]: ...

    @overload
    def map(
        self,
        fn: Callable[[Tool, Item], Awaitable[T]],
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        setup: Callable[[RemoteDevice], Awaitable[Tool] | AbstractAsyncContextManager[Tool]],
        ordered: bool = False,
        attempts: int = 3,
        timeout: float | None = None,
        to: Iterable[str] | None = None,
        model: str | None = None,
        family: str | None = None,
        tags: str | Iterable[str] = (),
        priority: int = 0,
        ahead: int = 4,
        turn: float = 1.0,
        holder: str = "map",
    ) -> FarmMap[Item, T]: ...

    def map(
        self,
        fn: Callable[[Any, Item], Awaitable[T]],
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        setup: Callable[[RemoteDevice], Any] | None = None,
        ordered: bool = False,
        attempts: int = 3,
        timeout: float | None = None,
        to: Iterable[str] | None = None,
        model: str | None = None,
        family: str | None = None,
        tags: str | Iterable[str] = (),
        priority: int = 0,
        ahead: int = 4,
        turn: float = 1.0,
        holder: str = "map",
    ) -> FarmMap[Item, T]:
        """Call `fn(board, item)` for every item, each on whichever board is free; results come as `MapResult`s.

            async with farm.map(process, images) as results:
                async for result in results:
                    print(result.item, result.board, result.value)     # raises what `process` raised

        Boards are taken as by `lease`, one by one. With `setup`, `fn` is given what `setup(board)` gives, such as
        `lambda board: Overlay.load(board, path)`: awaited, or entered where it can be, each time the map is given the
        board. An item whose board fails (it cannot be reached, does not answer, restarted, or raises any other
        `DeadlineExceeded` or `StaleHandle`, as a driver does whose hardware does not end) is begun anew on another one;
        one whose function raises something else is not. A board whose `setup` fails takes no part, and is in
        `results.failures`.

        Items are pulled as boards become free, and no more than `ahead` a board are under way or wait for you to take
        their results. So an iterator that blocks holds up the whole program: make it an asynchronous one.

        Args:
            fn: an async function; raising is reported in the item's result.
            items: also without an end.
            setup: run once a board.
            ordered: give results in the order of the items, not as they come. A board that hangs then holds up
                the results behind its own until the farm notices (`Health`); the others go on for `ahead` items each.
            attempts: how often an item is tried before its board's error is reported.
            timeout: seconds that `fn` may take; after that it is cancelled and `TimeoutError` reported.
            to: names of boards that may be used; all unless told.
            model: as for `lease`, and so `family`, `tags` and `priority`.
            family: see `model`.
            tags: see `model`.
            priority: see `model`.
            ahead: items a board that may be under way at once.
            turn: seconds after which a board goes to somebody else who waits for it.
            holder: as for `lease`.

        Raises on entering `InvalidArgument` when no board would ever do; while results are taken, what `items` raised,
        `FarmError` when no board is left, and `NotOpen` when the farm is closed.
        """
        _check(items, attempts, ahead, timeout, turn)
        want = Want(1, None if to is None else words(to), model, family, words(tags), priority)
        return self._spread(Plan(fn, setup, items, want, ordered, attempts, timeout, ahead, turn, holder))


def words(tags: str | Iterable[str]) -> frozenset[str]:
    """One word or several."""
    try:
        return frozenset([tags] if isinstance(tags, str) else tags)
    except TypeError:
        raise InvalidArgument(f"names and tags are a word or several, not {tags!r}") from None


def _check(items: object, attempts: int, ahead: int, timeout: float | None, turn: float) -> None:
    """Raise `InvalidArgument` for options of a map that cannot be right."""
    if not isinstance(items, Iterable | AsyncIterable):
        raise InvalidArgument(f"map() needs items to go through, not {type(items).__name__}")

    for name, count in (("attempts", attempts), ("ahead", ahead)):
        if not isinstance(count, int) or count < 1:
            raise InvalidArgument(f"{name} of a map is a whole number of at least 1, not {count!r}")

    for name, seconds in (("timeout", timeout), ("turn", turn)):
        if seconds is not None and not (isinstance(seconds, int | float) and seconds >= 0):
            raise InvalidArgument(f"{name} of a map is a number of seconds, not {seconds!r}")
