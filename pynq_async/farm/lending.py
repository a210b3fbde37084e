"""What a farm does for many users at once: it lends boards, and spreads work over those that are free."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, TypeVar, overload

from ..board.device import RemoteDevice
from ..errors import InvalidArgument
from .events import Events
from .lease import Lease
from .leases import Want
from .mapping import LocalMap
from .maps import Maps, Plan, words
from .open_farm import OpenFarm
from .statistics import FarmStatistics

T = TypeVar("T")
Item = TypeVar("Item")
Tool = TypeVar("Tool")


class Lending(Maps):
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
        return Lease(lambda: self._here, want, timeout, holder, (lambda boards: boards[0]) if count is None else tuple)

    def _spread(self, plan: Plan) -> LocalMap[Any, Any]:
        return LocalMap(self._here, plan, self._here.health.patience)

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
