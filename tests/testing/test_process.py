"""The process of the boards, from the side that asks."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import SimulationError
from pynq_async.testing.process import BoardProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture
def process() -> Iterator[BoardProcess]:
    process = BoardProcess()
    yield process
    process.close()


def lend(process: BoardProcess, count: int = 1) -> list[str]:
    boards: list[str] = process.ask("lend", timeout=30, count=count, options={}, patience=0)["boards"]
    return boards


def pid(process: BoardProcess) -> int:
    assert process._child is not None
    return process._child.pid


async def test_boards_outlive_an_interrupt_from_the_keyboard(process: BoardProcess) -> None:
    (address,) = lend(process)
    os.kill(pid(process), signal.SIGINT)

    async with RemoteDevice(address) as board:
        assert board.model == "Pynq-Z2"

    assert process.ask("take back", timeout=5, names=[address]) == {"problems": [], "doubts": []}


def test_one_that_died_says_how_and_is_replaced(process: BoardProcess) -> None:
    lend(process)
    os.kill(pid(process), signal.SIGKILL)

    with pytest.raises(SimulationError, match="ended with code -9"):
        lend(process)

    assert len(lend(process, 2)) == 2


def test_one_that_does_not_answer_is_ended_and_replaced(process: BoardProcess) -> None:
    lend(process)
    first = pid(process)
    os.kill(first, signal.SIGSTOP)

    with pytest.raises(SimulationError, match=r"did not lend within 0\.1 s"):
        process.ask("lend", timeout=0.1, count=1, options={}, patience=0)

    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)

    lend(process)


def test_an_answer_that_nobody_waited_for_is_passed_over(
    process: BoardProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    lend(process)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        assert process._reader is not None
        patch.setattr(process._reader, "submit", interrupted)

        with pytest.raises(KeyboardInterrupt):
            lend(process, 2)

    assert len(lend(process, 3)) == 3


def test_closing_one_that_was_never_asked_does_nothing(process: BoardProcess) -> None:
    process.close()
    process.close()
