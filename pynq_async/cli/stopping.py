"""Work without an end, until Ctrl-C or SIGTERM."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from .output import say

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Do `work` until it is stopped by a signal, which cancels it once; a second signal ends the process at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

        say("Stopping; Ctrl-C again ends at once.", file=sys.stderr)
        task.cancel()

    try:
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop)
    except NotImplementedError:  # on Windows Ctrl-C cancels what `asyncio.run` runs
        await work
        return

    try:
        await work
    except asyncio.CancelledError:
        if not stopped:
            raise

        task.uncancel()
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
