"""Simulated boards for tests: a new one each time, all in this process."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from ..errors import InvalidArgument
from ..sim import SimBoard, SimDesign, serve
from ..sim.known_designs import read_designs
from ..sim.making import check_options, make_board

_FARM = 4
_LOOK_AGAIN = 0.005
_LOOKS = 100


class SimulatedBoards:
    """Makes boards as they are asked for; making one takes milliseconds, so none is used twice."""

    def __init__(self) -> None:
        self._lent: dict[str, tuple[SimBoard, AsyncExitStack]] = {}
        self._designs: dict[Any, list[SimDesign]] = {}

    async def lend(self, count: int | None, options: dict[str, Any], patience: float) -> dict[str, Any]:
        """Make and serve boards; `options` are those of `make_board`, and `tags`, which any of them has."""
        options.pop("tags", None)
        check_options(options)

        try:
            options = {**options, "designs": await self._known(options), "kernels": None}
            seeds = range(_FARM if count is None else count)
            boards = [await make_board(**{"seed": seed, **options}) for seed in seeds]
        except (TypeError, AttributeError) as error:
            raise InvalidArgument(f"the options of the simulated board cannot be right: {error}") from error

        return {"boards": [await self._serve(board) for board in boards]}

    async def take_back(self, names: list[str]) -> dict[str, Any]:
        """Switch boards off and say which buffers were left on them."""
        problems = []

        for address in names:
            board, stack = self._lent.pop(address)
            await _settle(board)
            problems += [
                f"{address}: the buffer of {len(buffer.data)} bytes at {buffer.physical:#x} was left on the board; "
                f"free it, or leave the board's 'async with' block"
                for buffer in board.process.buffers.held
            ]
            await stack.aclose()

        return {"problems": problems, "doubts": []}

    async def aclose(self) -> None:
        """Switch everything off."""
        await self.take_back(list(self._lent))

    async def _serve(self, board: SimBoard) -> str:
        stack = AsyncExitStack()
        address = await stack.enter_async_context(serve(board))
        board.on_crash = partial(_say, address)
        self._lent[address] = (board, stack)
        return address

    async def _known(self, options: dict[str, Any]) -> list[SimDesign]:
        """The designs, which are read again only when their files have changed."""
        paths, kernels = options.get("designs", ()), options.get("kernels") or {}
        key = (tuple((path, _stamp(path)) for path in paths), tuple(kernels.items()))

        if key not in self._designs:
            self._designs[key] = await read_designs(paths, kernels)

        return self._designs[key]


def _say(address: str, text: str) -> None:
    """What happens to a board, which pytest shows with the test."""
    sys.stderr.write(f"{address}: {text}\n")


def _stamp(path: str) -> tuple[int, int] | None:
    with suppress(OSError):
        status = os.stat(path)
        return status.st_mtime_ns, status.st_size

    return None


async def _settle(board: SimBoard) -> None:
    """Let calls that were cut off end before what they leave is judged."""
    counters = board.counters

    for _ in range(_LOOKS):
        if not (counters.live_buffers and (counters.unary_now or counters.streams_now)):
            break

        await asyncio.sleep(_LOOK_AGAIN)
