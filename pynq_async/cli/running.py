"""Running a command's work: one event loop, errors in one sentence, warnings in one line."""

import asyncio
import sys
import warnings
from collections.abc import Coroutine
from typing import Any, TextIO

from ..errors import PynqError
from .output import error_values, say, say_error, say_json, sentence


def carry_out(work: Coroutine[Any, Any, int], *, as_json: bool = False) -> int:
    """Run `work` to its end and give its exit code; an error of this package is said in a sentence and gives 1."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return asyncio.run(_say_errors(work, as_json=as_json))


async def _say_errors(work: Coroutine[Any, Any, int], *, as_json: bool) -> int:
    # Inside the loop: an error's frames hold gRPC's calls, and older gRPC complains when they outlive their loop.
    try:
        return await work
    except PynqError as error:
        if as_json:
            say_json(error_values(error))
        else:
            say_error(sentence(error))

        return 1


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    say(f"warning: {message}", file=sys.stderr)
