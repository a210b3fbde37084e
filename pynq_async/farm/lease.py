"""What a user holds: boards for as long as a block runs."""

import asyncio
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from ..board.device import RemoteDevice
from ..concurrency import deadline
from ..errors import LeaseTimeout, NotOpen
from .leases import Want

if TYPE_CHECKING:
    from .leasing import Grant
    from .open_farm import OpenFarm

_TOLD = 8

T_co = TypeVar("T_co", covariant=True)


class Lease(Generic[T_co]):
    """Boards that nobody else is given while the block runs; see `BoardFarm.lease`."""

    def __init__(
        self,
        farm: "Callable[[], OpenFarm]",
        want: Want,
        timeout: float | None,
        holder: str,
        unpack: Callable[[tuple[RemoteDevice, ...]], T_co],
    ) -> None:
        self._farm = farm
        self._want = want
        self._timeout = timeout
        self._holder = holder
        self._unpack = unpack
        self._grant: Grant | None = None
        self._entered = False

    async def __aenter__(self) -> T_co:
        if self._entered:
            raise NotOpen("the farm", "a lease is entered once; ask for another one")

        end = None if self._timeout is None else deadline("the farm", self._timeout)
        self._entered = True

        try:
            async with asyncio.timeout_at(end) as limit:
                self._grant = await self._farm().leasing.acquire(self._want, self._holder)
        except TimeoutError:
            if not limit.expired():
                raise

            raise LeaseTimeout(self._why()) from None

        return self._unpack(self._grant.boards)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        grant, self._grant = self._grant, None

        if grant is not None:
            await self._farm().leasing.give_back(grant, error)

    def _why(self) -> str:
        found = self._farm().in_the_way(self._want)

        if self._want.names is not None and len(found) == 1:
            return found[0] + (f" (waited {self._timeout:g} s)" if self._timeout else "")

        more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        waited = f" after {self._timeout:g} s" if self._timeout else ""
        are = "are" if self._want.count > 1 else "is"
        return f"{self._want} {are} not free{waited}: {'; '.join(found[:_TOLD])}{more}"

    def __del__(self) -> None:
        grant = getattr(self, "_grant", None)

        if grant is not None:
            self._farm().leasing.give_back_later(grant, *grant.boards)
            warnings.warn(f"a lease of {self._want} was never left", ResourceWarning, stacklevel=2, source=self)
