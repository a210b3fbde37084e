"""Scheduler, workers and simulated boards, each in a process of its own that ends with its input, so with us."""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_START = 50.0
_GRACE = 10.0


@cache
def _nursery() -> str:
    """Where processes are forked, from the first use until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="pynq_async.")
    path = os.path.join(folder.name, "nursery")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.cluster.nursery", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "DASK_LOGGING__DISTRIBUTED": "critical"},
    )
    assert process.stdout is not None

    def end() -> None:
        process.communicate()
        folder.cleanup()

    atexit.register(end)
    assert process.stdout.readline() == b"ready\n"
    return path


class Child:
    """A process that says in a line of JSON when it is ready.

    Attributes:
        ready: what it said.
    """

    def __init__(self, *arguments: str) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(_START)
        self._connection.connect(_nursery())
        self._connection.sendall(json.dumps(arguments).encode() + b"\n")
        self._said = self._connection.makefile()
        self._pid = int(self._said.readline())
        self.ready: dict[str, Any] = {}

    def wait_until_ready(self) -> None:
        self.ready = json.loads(self._said.readline())

    @property
    def address(self) -> str:
        return str(self.ready["address"])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)

    def end_input(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            self.signal(signal.SIGCONT)

    def close(self) -> None:
        with self._connection, self._said:
            self._connection.settimeout(_GRACE)

            try:
                self._said.read()  # until it has ended
            except ConnectionError:
                pass
            except TimeoutError:
                self.signal(signal.SIGKILL)
                raise


@contextmanager
def children(*commands: list[str]) -> Iterator[list[Child]]:
    """Start processes side by side, and end them so too."""
    started: list[Child] = []

    try:
        started.extend(Child(*command) for command in commands)

        for child in started:
            child.wait_until_ready()

        yield started
    finally:
        with contextlib.ExitStack() as stack:
            for child in started:
                stack.callback(child.close)
                child.end_input()


def boards(*options: str) -> list[list[str]]:
    """A command for each simulated board; an option may give more of its own, as `--model ZCU104`."""
    return [
        ["pynq_async.sim", "--port", "0", "--seed", str(seed), *option.split()] for seed, option in enumerate(options)
    ]


def scheduler(allowed_failures: str = "3") -> list[str]:
    """The command of a scheduler; an item may cost it so many workers."""
    return ["tests.cluster.served", "scheduler", allowed_failures]


def worker(address: str, **specs: str) -> list[str]:
    """The command of a worker with boards: names to addresses, which tags may follow after commas."""
    return ["tests.cluster.served", "worker", address, json.dumps(specs)]
