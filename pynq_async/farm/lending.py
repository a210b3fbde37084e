"""What a farm does for many users at once: it lends boards, and spreads work over those that are free."""

from abc import abstractmethod
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, overload

from ..board.device import RemoteDevice
from ..errors import InvalidArgument
from .events import Events
from .jobs import Jobs
from .lease import Lease
from .leases import Want
from .mapping import FarmMap, Plan
from .open_farm import OpenFarm
from .statistics import FarmStatistics

T = TypeVar("T")
Item = TypeVar("Item")
Tool = TypeVar("Tool")


class Lending:
    """The part of a `BoardFarm` that lends its boards."""

    @property
    @abstractmethod
    def _here(self) -> OpenFarm:
        """The open farm; raises `NotOpen`."""

    @overload
    def lease(
        self,
        *,
        name: str | None = None,
        model: str | None = None,
        family: str | None = None,
        tags: str | Iterable[str] = (),
        priority: int = 0,
        timeout: float | None = None,
        holder: str = "lease",
    ) -> Lease[RemoteDevice]: ...

    @overload
    def lease(
        self,
        *,
        count: int,
        name: str | None = None,
        model: str | None = None,
        family: str | None = None,
        tags: str | Iterable[str] = (),
        priority: int = 0,
        timeout: float | None = None,
        holder: str = "lease",
    ) -> Lease[tuple[RemoteDevice, ...]]: ...

    def lease(
        self,
        *,
        count: int | None = None,
        name: str | None = None,
        model: str | None = None,
        family: str | None = None,
        tags: str | Iterable[str] = (),
        priority: int = 0,
        timeout: float | None = None,
        holder: str = "lease",
    ) -> Lease[Any]:
        """A board that no other lease and no `map` has meanwhile; with `count`, a tuple of so many, even of one.

            async with farm.lease(model="ZCU104", tags="camera", timeout=60) as board:
                ...

        Leases are served by `priority`, the highest first, and then in the order they came; one that waits for several
        boards is not overtaken by others that want the same ones. When the block is left, however that happens, buffers
        that were allocated in it and not freed are freed, and named in a `ResourceWarning`; the fabric stays as it is.
        It is the board itself that is lent: do not use it after the block.

        Args:
            count: how many boards.
            name: what the board is called.
            model: such as `ZCU104`.
            family: `zynq7000`, `zynqmp` or `versal`.
            tags: one word, or several, all of which the boards must have.
            priority: may be negative.
            timeout: in seconds; it may wait for ever unless told.
            holder: who has it, to be told by events and statistics.

        Raises on entering: `InvalidArgument` at once when the farm's boards can never meet it, `LeaseTimeout`, and
        `NotOpen` when the farm is or becomes closed.
        """
        names = None if name is None else frozenset({name})
        want = Want(1 if count is None else count, names, model, family, words(tags), priority)
        return Lease(
            lambda: self._here.leasing, want, timeout, holder, (lambda boards: boards[0]) if count is None else tuple
        )

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
        check_map(items, attempts, ahead, timeout, turn)
        farm = self._here
        want = Want(1, None if to is None else words(to), model, family, words(tags), priority)
        plan = Plan(fn, setup, timeout, ahead, turn, farm.health.patience, holder)
        return FarmMap(farm, plan, Jobs(ordered=ordered, attempts=attempts), want, items)

    def events(self, *, size: int = 1024) -> Events:
        """A stream of what happens from now on: boards that join, are lost, leased, returned, programmed.

            async with farm.events() as events:
                async for event in events:
                    ...

        It holds at most `size` events for you; then the oldest are dropped and counted, and the farm goes on.
        """
        if size < 1:
            raise InvalidArgument("a stream of events holds at least one")

        return Events(self._here.publisher, size)

    def statistics(self) -> FarmStatistics:
        """What every board is doing now, and what the farm has done since it was opened."""
        return self._here.statistics()


def parts(farm: Lending) -> OpenFarm:
    """What an open farm consists of, for what stands on it in this package."""
    return farm._here  # noqa: SLF001 - ours


def words(tags: str | Iterable[str]) -> frozenset[str]:
    """One word or several."""
    try:
        return frozenset([tags] if isinstance(tags, str) else tags)
    except TypeError:
        raise InvalidArgument(f"names and tags are a word or several, not {tags!r}") from None


def check_map(items: object, attempts: int, ahead: int, timeout: float | None, turn: float) -> None:
    """Raise `InvalidArgument` for options of a map that cannot be right."""
    if not isinstance(items, Iterable | AsyncIterable):
        raise InvalidArgument(f"map() needs items to go through, not {type(items).__name__}")

    for name, count in (("attempts", attempts), ("ahead", ahead)):
        if not isinstance(count, int) or count < 1:
            raise InvalidArgument(f"{name} of a map is a whole number of at least 1, not {count!r}")

    for name, seconds in (("timeout", timeout), ("turn", turn)):
        if seconds is not None and not (isinstance(seconds, int | float) and seconds >= 0):
            raise InvalidArgument(f"{name} of a map is a number of seconds, not {seconds!r}")
