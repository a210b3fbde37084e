"""A farm: boards opened together, programmed together, asked together."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

import anyio

from ..bitstream import Bitstream, load_bitstream, load_design
from ..board.device import RemoteDevice
from ..board.loaded import Loaded
from ..config import Address, Limits, Timeouts
from ..errors import BoardError, InvalidArgument, NotOpen
from ..progress import ProgressCallback
from .results import Results, farm_error
from .spec import Boards, board_specs

T = TypeVar("T")
Require: TypeAlias = Literal["all", "any"] | int


class BoardFarm(Mapping[str, RemoteDevice]):
    """Boards by name, opened at once and closed at once.

    Every method works on all boards, or on those named with `to`, at the same time. When some fail, the others still
    run to their end; then a `FarmError` names each failed board, unless `check=False` asks to have the failures in the
    results instead.

        async with BoardFarm(["192.168.2.99", "192.168.2.100"]) as farm:
            await farm.download("base.bit")
            temperatures = await farm.run(read_temperature)

    As a mapping it has the boards that were opened; `absent` has those that do not answer.

    Args:
        boards: an address, several, a mapping of names to addresses, or `BoardSpec`s.
        require: how many boards must answer when the farm is opened: "all", "any" (one at least), or a number.
        timeouts, limits: for every board.
    """

    def __init__(
        self,
        boards: Boards,
        *,
        require: Require = "all",
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._specs = board_specs(boards)
        self._required = _required(require, len(self._specs))
        self._boards = {name: spec.device(timeouts, limits) for name, spec in self._specs.items()}
        self._absent: dict[str, BoardError] = {}
        self._opened = False

    @classmethod
    def from_env(
        cls, *, require: Require = "all", timeouts: Timeouts | None = None, limits: Limits | None = None
    ) -> "BoardFarm":
        """All boards of `PYNQ_REMOTE_DEVICES`, comma-separated; raises `InvalidArgument` when there is none."""
        return cls(Address.from_env(), require=require, timeouts=timeouts, limits=limits)

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
        """The boards that do not answer, by name, each with the error that says why."""
        return dict(self._absent)

    async def aclose(self) -> None:
        """Close every board; a second time does nothing."""
        with anyio.CancelScope(shield=True):
            await self.run(RemoteDevice.aclose)

    async def run(
        self, fn: Callable[[RemoteDevice], Awaitable[T]], *, to: Iterable[str] | None = None, check: bool = True
    ) -> Results[T]:
        """Call `fn` with each board, all at the same time; returns what they returned, by name."""
        boards = self._chosen(to)
        results: dict[str, T] = {}
        failures: dict[str, Exception] = {}

        async def call(board: RemoteDevice) -> None:
            try:
                answer = fn(board)

                if not isinstance(answer, Awaitable):
                    raise TypeError("run() needs an async function; this one returned at once")

                results[board.name] = await answer
            except Exception as error:
                failures[board.name] = error
            except asyncio.CancelledError as error:
                task = asyncio.current_task()

                if task is None or task.cancelling():
                    raise

                failures[board.name] = RuntimeError(f"the function was cancelled from inside ({error!r})")

        async with anyio.create_task_group() as group:
            for board in boards:
                group.start_soon(call, board)

        outcome = Results(
            {board.name: results[board.name] for board in boards if board.name in results},
            {board.name: failures[board.name] for board in boards if board.name in failures},
        )

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
        self._chosen(to)
        loaded = bitstream if isinstance(bitstream, Bitstream) else await load_bitstream(bitstream)
        design = await load_design(loaded) if loaded.description is not None else None

        def program(board: RemoteDevice) -> Awaitable[Loaded]:
            return board.download(
                loaded, design=design, partial=partial, clocks=clocks, verify=verify, progress=progress
            )

        return await self.run(program, to=to, check=check)

    def _chosen(self, to: Iterable[str] | None) -> list[RemoteDevice]:
        if to is None:
            return list(self._boards.values())

        names = [to] if isinstance(to, str) else list(to)

        for name in names:
            if name not in self._boards:
                raise InvalidArgument(f"the farm has no board {name!r}; it has {', '.join(self)}")

        return [self._boards[name] for name in dict.fromkeys(names)]

    def _check_distinct(self) -> None:
        """Two names of one board would program it twice at once."""
        names: dict[str, str] = {}

        for board in self._boards.values():
            if (other := names.setdefault(board.boot_id, board.name)) != board.name:
                raise InvalidArgument(f"{other} and {board.name} are the same board; leave one out")

    def _check_answers(self, outcome: Results[RemoteDevice]) -> None:
        """Set aside what does not answer; raise when too few boards are left."""
        absent = {name: error for name, error in outcome.failures.items() if isinstance(error, BoardError)}

        if len(outcome) < self._required or len(absent) < len(outcome.failures):
            raise farm_error(outcome)

        self._absent = absent
        self._boards = dict(outcome)

    async def _open(self) -> "BoardFarm":
        if self._opened:
            raise NotOpen("the farm", "it is opened once; make a new BoardFarm to open it again")

        self._opened = True

        try:
            outcome = await self.run(_open, check=False)
            self._check_answers(outcome)
            self._check_distinct()
        except BaseException:
            await self.aclose()
            raise

        return self


async def _open(board: RemoteDevice) -> RemoteDevice:
    return await board


def _required(require: Require, count: int) -> int:
    if require in ("all", "any"):
        return count if require == "all" else 1

    if isinstance(require, bool) or not isinstance(require, int) or not 0 <= require <= count:
        raise InvalidArgument(
            f"require= is 'all', 'any' or a number up to {count}, the boards there are: not {require!r}"
        )

    return require
