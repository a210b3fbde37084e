"""Fixtures: boards in this loop for the command in another process, and the other way round, which is faster."""

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from pynq_async.cli.app import run
from pynq_async.sim import SimBoard, serve

from ..boards import assert_clean
from .command import Ended

Here = Callable[..., Ended]


@pytest.fixture
async def lone() -> AsyncIterator[SimBoard]:
    """A simulated board that is served; nothing may be left on it."""
    board = SimBoard()

    async with serve(board):
        yield board

    assert_clean(board)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[SimBoard, SimBoard]]:
    """Two of them."""
    boards = SimBoard(), SimBoard(seed=1)

    async with serve(boards[0]), serve(boards[1]):
        yield boards

    for board in boards:
        assert_clean(board)


@pytest.fixture
def closed_address() -> str:
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(scope="package")
def other_process() -> Iterator[str]:
    """The address of a simulated board in another process, for all tests of this folder that need no new one."""
    arguments = [sys.executable, "-m", "pynq_async.sim", "--port", "0"]

    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"]
        process.communicate()


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """Run the command in this process and loop after loop."""
    for name in ("NO_COLOR", "FORCE_COLOR", "PYNQ_REMOTE_DEVICES"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Ended:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return call
