"""The process beside a test run, as the test run sees it: started when first asked, and asked synchronously.

The standard library is all this imports: a test run that uses no board pays for no gRPC, and one that does has the only
event loop of its process for itself.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from ..errors import InvalidArgument, SimulationError

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
        boards: addresses of real boards; none are simulated ones.
    """

    def __init__(self, boards: Sequence[str] = ()) -> None:
        self._boards = list(boards)
        self._child: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
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
            said = self._end_and_listen()
            raise SimulationError(f"the process of the boards ended: {said}") from None

        if "invalid" in answer:
            raise InvalidArgument(answer["invalid"])

        if "failed" in answer:
            raise SimulationError(answer["failed"])

        return answer["result"]

    def close(self, grace: float = _GRACE) -> None:
        """End the process: it leaves when its input ends, and is killed where it does not. Once is enough."""
        child, reader, errors = self._child, self._reader, self._errors
        self._child = self._reader = self._errors = None

        if child is None or reader is None or errors is None:
            return

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
        errors.close()

    def _start(self) -> subprocess.Popen[str]:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="answers of the boards")
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, json.dumps(self._boards), *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
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

    def _end_and_listen(self) -> str:
        """End it and return the last thing it printed."""
        child, errors = self._child, self._errors
        assert child is not None
        assert errors is not None

        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)

        errors.seek(0)
        said = errors.read().strip().rpartition("\n")[2]
        code = child.returncode
        self.close(grace=0)
        return said or f"exit code {code}"
