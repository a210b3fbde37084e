"""The process beside a test run, as the test run sees it: started when first asked, and asked synchronously.

The standard library is all this imports: a test run that uses no board pays for no gRPC, and one that does has the only
event loop of its process for itself.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..config import BoardSpec
from ..errors import InvalidArgument, SimulationError
from .specs import to_values

_GRACE = 2.0

# -P: a test's random.py in the working folder is not taken for the library's. What pytest added to the path comes last
# for the same reason. Ctrl-C reaches the whole group of processes; this one still has boards to take back then.
_CHILD = """
import signal, sys

signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path += [folder for folder in sys.argv[2:] if folder not in sys.path]

from pynq_async.testing.desk import main

main(sys.argv[1])
"""


class BoardProcess:
    """Serves simulated boards, or looks after real ones, until it is closed or this process dies.

    Args:
        boards: the real boards; none are simulated ones.
    """

    def __init__(self, boards: Sequence[BoardSpec] = ()) -> None:
        self._boards = [to_values(board) for board in boards]
        self._child: subprocess.Popen[str] | None = None
        self._reader: ThreadPoolExecutor | None = None
        self._number = 0

    def ask(self, what: str, *, timeout: float, **values: Any) -> Any:
        """Have something done and return its result.

        Raises:
            InvalidArgument: what was asked for cannot be right.
            SimulationError: it failed, or the process gave no answer in time; the next question starts a new one.
        """
        self._number += 1

        try:
            question = json.dumps({"number": self._number, "do": what, **values})
        except TypeError as error:
            raise InvalidArgument(f"only plain values can be sent to the process of the boards: {error}") from None

        child = self._start() if self._child is None else self._child

        try:
            answer = self._exchange(child, question, timeout)
        except TimeoutError:
            self.close(grace=0)
            raise SimulationError(f"the process of the boards did not {what} within {timeout:g} s") from None
        except (OSError, ValueError):
            code = self.close()
            raise SimulationError(f"the process of the boards ended with code {code}; its stderr says why") from None

        if "invalid" in answer:
            raise InvalidArgument(answer["invalid"])

        if "failed" in answer:
            raise SimulationError(answer["failed"])

        return answer["result"]

    def close(self, grace: float = _GRACE) -> int | None:
        """End the process, which leaves when its input ends and is killed where it does not; returns its exit code."""
        child, reader = self._child, self._reader
        self._child = self._reader = None

        if child is None or reader is None:
            return None

        assert child.stdin is not None
        assert child.stdout is not None

        with contextlib.suppress(OSError):
            child.stdin.close()

        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

        reader.shutdown()
        child.stdout.close()
        return child.returncode

    def _start(self) -> subprocess.Popen[str]:
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="answers of the boards")
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, json.dumps(self._boards), *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        return self._child

    def _exchange(self, child: subprocess.Popen[str], question: str, timeout: float) -> dict[str, Any]:
        """Ask and await the answer of that number: an earlier one may be left, whose asker was interrupted."""
        assert child.stdin is not None
        assert child.stdout is not None
        assert self._reader is not None
        child.stdin.write(question + "\n")
        child.stdin.flush()

        while True:
            line = self._reader.submit(child.stdout.readline).result(timeout)
            answer: dict[str, Any] = json.loads(line)

            if answer["number"] == self._number:
                return answer
