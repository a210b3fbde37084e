"""A farm: boards opened together, programmed together, asked together, and lent to whoever needs one."""

import os
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias, TypeVar, overload

from ..bitstream import Bitstream, load_bitstream, load_design
from ..board.device import RemoteDevice
from ..board.loaded import Loaded
from ..concurrency import to_the_end
from ..config import Address, Limits, Timeouts, Tls
from ..errors import BoardError, InvalidArgument, NotOpen
from ..progress import ProgressCallback
from .barrier import Barrier, Meeting
from .health import Health, board_failure, learn
from .host_lock import host_locks
from .inventory import load_inventory
from .lending import Lending
from .open_farm import OpenFarm, check_distinct
from .results import Results, farm_error
from .spec import Boards, board_specs, device
from .together import together

T = TypeVar("T")
Require: TypeAlias = Literal["all", "any"] | int


class BoardFarm(Lending, Mapping[str, RemoteDevice]):
    """Boards by name, opened at once and closed at once.

    `run` and `download` work on all boards, or on those named with `to`, at the same time, whoever holds them. When
    some fail, the others still run to their end; then a `FarmError` names each failed board, unless `check=False` asks
    to have the failures in the results instead. `lease` lends boards, and `map` takes whichever are free.

        async with BoardFarm(["192.168.2.99", "192.168.2.100"]) as farm:
            await farm.download("base.bit")

            async with farm.lease(model="ZCU104") as board:
                ...

            async with farm.map(process, images) as results:
                async for result in results:
                    ...

    As a mapping it has the boards that were opened; `absent` has those that do not answer. Each board is asked now and
    then whether it is there: one that does not answer is lent to nobody, and its work is done elsewhere, until it does.
    One that did not answer at the beginning is added when it does.

    Args:
        boards: an address, several, a mapping of names to addresses, or `BoardSpec`s.
        require: how many boards must answer when the farm is opened: "all", "any" (one at least), or a number.
        health: how often boards are asked, and how long an answer may take.
        exclusive: whether what is lent is locked for other processes of this host, as far as they ask for it too.
        timeouts, limits, tls: for every board that has none of its own.
    """

    def __init__(
        self,
        boards: Boards,
        *,
        require: Require = "all",
        health: Health | None = None,
        exclusive: bool = False,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._specs = board_specs(boards)
        self._required = _required(require, len(self._specs))
        self._health = health or Health()
        self._exclusive = exclusive
        self._devices = {name: device(spec, timeouts, limits, tls) for name, spec in self._specs.items()}
        self._boards = dict(self._devices)
        self._open_farm: OpenFarm | None = None
        self._opened = False

    @classmethod
    def from_env(
        cls,
        *,
        require: Require = "all",
        health: Health | None = None,
        exclusive: bool = False,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        tls: Tls | None = None,
    ) -> "BoardFarm":
        """All boards of `PYNQ_REMOTE_DEVICES`, comma-separated; raises `InvalidArgument` when there is none."""
        return cls(
            Address.from_env(),
            require=require,
            health=health,
            exclusive=exclusive,
            timeouts=timeouts,
            limits=limits,
            tls=tls,
        )

    @classmethod
    def from_inventory(
        cls,
        path: str | os.PathLike[str],
        *,
        names: Iterable[str] | None = None,
        tags: str | Iterable[str] = (),
        require: Require = "all",
        health: Health | None = None,
        exclusive: bool = False,
    ) -> "BoardFarm":
        """The boards of an inventory file, or those with a name in `names` and with all of `tags`.

        The file is read here, the certificates that it names when the farm is opened. Raises `InventoryError` with line
        and field, and `InvalidArgument` for a name or tag that is not in the file.
        """
        boards = load_inventory(path, names=names, tags=tags)
        return cls(boards, require=require, health=health, exclusive=exclusive)

    def __getitem__(self, name: str) -> RemoteDevice:
        return self._boards[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._boards)

    def __len__(self) -> int:
        return len(self._boards)

    def __repr__(self) -> str:
        return f"<BoardFarm of {len(self)}: {', '.join(self)}>"

    def __await__(self) -> Generator[Any, None, "BoardFarm"]:
        return self._open().__await__()

    async def __aenter__(self) -> "BoardFarm":
        return await self._open()

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    @property
    def absent(self) -> Mapping[str, BoardError]:
        """The boards that do not answer now, by name, each with the error that says why."""
        return dict(self._open_farm.absent) if self._open_farm is not None else {}

    async def aclose(self) -> None:
        """End all leases that wait and all work of `map`, and close every board; a second time does nothing."""
        if self._open_farm is not None:
            self._open_farm.host.check_not_inside()

        await to_the_end(self._close())

    @overload
    async def run(
        self,
        fn: Callable[[RemoteDevice], Awaitable[T]],
        *,
        barrier: Literal[False] = False,
        to: Iterable[str] | None = None,
        check: bool = True,
    ) -> Results[T]: ...

    @overload
    async def run(
        self,
        fn: Callable[[RemoteDevice, Barrier], Awaitable[T]],
        *,
        barrier: Literal[True],
        to: Iterable[str] | None = None,
        check: bool = True,
    ) -> Results[T]: ...

    async def run(
        self,
        fn: Callable[..., Awaitable[T]],
        *,
        barrier: bool = False,
        to: Iterable[str] | None = None,
        check: bool = True,
    ) -> Results[T]:
        """Call `fn` with each board, all at the same time; returns what they returned, by name.

        With `barrier`, `fn` is also given a `Barrier` where the boards can wait for each other. A board that is known
        not to answer fails at once, unless it is named in `to`.
        """
        boards = self._chosen(to)
        absent = {} if to is not None else {name: error for name, error in self.absent.items() if name in self}
        boards = [board for board in boards if board.name not in absent]

        if barrier:
            meeting = Meeting([board.name for board in boards])
            outcome = await together(
                lambda board: fn(board, Barrier(meeting, board.name)), boards, absent, meeting.leave
            )
        else:
            outcome = await together(fn, boards, absent)

        for name, error in outcome.failures.items():
            if self._open_farm is not None and (failure := board_failure(error, name)) is not None:
                self._open_farm.suspect(failure)

        if check and outcome.failures:
            raise farm_error(outcome)

        return outcome

    async def download(
        self,
        bitstream: str | os.PathLike[str] | Bitstream,
        *,
        to: Iterable[str] | None = None,
        partial: bool = False,
        clocks: bool = True,
        verify: Literal["marker", "full"] = "marker",
        progress: ProgressCallback | None = None,
        check: bool = True,
    ) -> Results[Loaded]:
        """Program every board; as `RemoteDevice.download`.

        The file is read and its description parsed once, and one copy of the payload serves all boards.
        """
        chosen = self._chosen(to)
        file = bitstream if isinstance(bitstream, Bitstream) else await load_bitstream(bitstream)
        design = await load_design(file) if file.description is not None else None

        async def program(board: RemoteDevice) -> Loaded:
            return await board.download(
                file, design=design, partial=partial, clocks=clocks, verify=verify, progress=progress
            )

        return await self.run(program, to=None if to is None else [board.name for board in chosen], check=check)

    @property
    def _here(self) -> OpenFarm:
        if self._open_farm is None:
            raise NotOpen("the farm", "it is not open; use 'async with' or await it")

        return self._open_farm

    async def _close(self) -> None:
        if self._open_farm is not None:
            await self._open_farm.close()

        outcome = await together(RemoteDevice.aclose, list(self._devices.values()), {})

        if outcome.failures:
            raise farm_error(outcome)

    def _chosen(self, to: Iterable[str] | None) -> list[RemoteDevice]:
        boards = self._here.boards

        if to is None:
            return list(boards.values())

        names = [to] if isinstance(to, str) else list(to)

        for name in names:
            if name not in boards:
                raise InvalidArgument(f"the farm has no board {name!r}; it has {', '.join(self)}")

        return [boards[name] for name in dict.fromkeys(names)]

    async def _open(self) -> "BoardFarm":
        if self._opened:
            raise NotOpen("the farm", "it is opened once; make a new BoardFarm to open it again")

        self._opened = True

        try:
            locks = await host_locks(self._specs) if self._exclusive else {}
            outcome = await together(self._open_one, list(self._devices.values()), {})
            absent = {name: error for name, error in outcome.failures.items() if isinstance(error, BoardError)}

            if len(outcome) < self._required or len(absent) < len(outcome.failures):
                raise farm_error(outcome)

            check_distinct(outcome)
            self._boards = dict(outcome)
            self._open_farm = OpenFarm(self._boards, absent, self._devices, self._specs, self._health, locks)
            await self._open_farm.begin()
        except BaseException:
            await self.aclose()
            raise

        return self

    async def _open_one(self, board: RemoteDevice) -> RemoteDevice:
        await board
        await learn(board, self._health.timeout)
        return board


def _required(require: Require, count: int) -> int:
    if require in ("all", "any"):
        return count if require == "all" else 1

    if isinstance(require, bool) or not isinstance(require, int) or not 0 <= require <= count:
        raise InvalidArgument(
            f"require= is 'all', 'any' or a number up to {count}, the boards there are: not {require!r}"
        )

    return require
