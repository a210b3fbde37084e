"""The process beside a test run: reads questions from its input, a line each, until that ends."""

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TextIO

from ..errors import InvalidArgument, PynqError
from ..sim.commands import follow_input


class Boards(Protocol):
    """What can be lent, by name."""

    async def lend(self, count: int | None, options: dict[str, Any], patience: float) -> dict[str, Any]:
        """Lend `count` boards, all for None: `boards` has their names; else `missing` or `refused` says why not."""

    async def take_back(self, names: list[str]) -> dict[str, Any]:
        """Take boards back: `problems` are certain, `doubts` may have another cause."""

    async def aclose(self) -> None:
        """Take back everything."""


class Desk:
    """Answers questions about boards, one after another."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards

    async def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked; a failure is an answer too."""
        number, what = question.pop("number"), question.pop("do")
        deed: Callable[..., Awaitable[object]] = self._boards.lend if what == "lend" else self._boards.take_back

        try:
            return {"number": number, "result": await deed(**question)}
        except InvalidArgument as error:
            return {"number": number, "invalid": str(error)}
        except PynqError as error:
            return {"number": number, "failed": str(error)}


def _boards(real: list[dict[str, Any]]) -> Boards:
    """Import the one half that is needed: the first test that uses a board waits for it."""
    if real:
        from .real import RealBoards
        from .specs import to_spec

        return RealBoards(map(to_spec, real))

    from .simulated import SimulatedBoards

    return SimulatedBoards()


def _answers() -> TextIO:
    """Keep our output for answers; what else is printed here, as by the function of a kernel, goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


async def _run(real: list[dict[str, Any]]) -> None:
    answers = _answers()
    boards = _boards(real)
    desk = Desk(boards)
    questions: asyncio.Queue[str] = asyncio.Queue()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def over() -> None:
        """The test run has ended, perhaps was killed: whatever is being waited for, nobody wants it any more."""
        task.cancel()

    follow_input(loop, questions.put_nowait, over)

    try:
        while True:
            answer = await desk.answer(json.loads(await questions.get()))
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    finally:
        await boards.aclose()


def main(real: str) -> None:
    """Serve until the input ends; `real` is a JSON list of real boards."""
    with contextlib.suppress(asyncio.CancelledError, BrokenPipeError):
        asyncio.run(_run(json.loads(real)))
