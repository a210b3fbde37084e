"""Scheduler, workers and simulated boards, each in a process of its own that ends with its input, so with us."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_START = 50.0
_GRACE = 10.0


class Child:
    """A process that says in a line of JSON when it is ready.

    Attributes:
        ready: what it said.
    """

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=ROOT,
            env={**os.environ, "DASK_LOGGING__DISTRIBUTED": "critical"},
        )
        self.ready: dict[str, Any] = {}

    def wait_until_ready(self) -> None:
        assert self._process.stdout is not None

        with ThreadPoolExecutor(1) as reader:
            line = reader.submit(self._process.stdout.readline)

            try:
                self.ready = json.loads(line.result(_START))
            except BaseException:
                self._process.kill()  # ends the line
                raise

    @property
    def address(self) -> str:
        return str(self.ready["address"])

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(_GRACE)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None

        with contextlib.suppress(OSError):
            self._process.stdin.close()

        try:
            self.signal(signal.SIGCONT)
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process.stdout.close()


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
