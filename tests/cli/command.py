"""Running the real command in a process of its own."""

import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

import anyio

COMMAND = (sys.executable, "-W", "error", "-m", "pynq_async")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def values(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)

    @property
    def only_error(self) -> str:
        """The one line on stderr, after its prefix."""
        (line,) = self.err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")


def heed_interrupts() -> None:
    """In a child before it begins: a shell that runs the tests in the background makes all below it ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def pynq_async(*arguments: object, **environment: str) -> Ended:
    """Run `pynq-async` with these arguments; a traceback fails the test."""
    with anyio.fail_after(30):
        done = await anyio.run_process(
            [*COMMAND, *map(str, arguments)], check=False, env=command_environment(**environment)
        )

    ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ended.err, ended.err
    return ended


def command_environment(**more: str) -> dict[str, str]:
    """An environment in which the host's own settings do not count."""
    hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYNQ_REMOTE_DEVICES")
    return {name: value for name, value in os.environ.items() if name not in hidden} | {"PYTHONUTF8": "1"} | more
