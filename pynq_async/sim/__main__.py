"""`python -m pynq_async.sim`: one simulated board, until its input ends or it is told to stop.

A line of JSON on standard output says where it is, or why it does not start. On standard input it takes commands:
`set btns_gpio 1 0b0001`, `raise mixer/overflow`. What happens to it, and what kernels print, is on standard error.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
import warnings
from functools import partial

from ..errors import PynqError
from .commands import carry_out, follow_input
from .known_designs import kernel_option
from .making import make_board
from .options import FAMILIES
from .server import serve


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pynq_async.sim", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7967, help="0 takes a free one")
    parser.add_argument("--model", help="what the device tree says; empty leaves it out  [default: fits the family]")
    parser.add_argument("--family", choices=sorted(FAMILIES), help="default: that of the designs, else zynq7000")
    parser.add_argument(
        "--design",
        action="append",
        default=[],
        metavar="FILE",
        help="a .hwh, or a bitstream with its description, whose IP is simulated; may be repeated",
    )
    parser.add_argument(
        "--kernel",
        action="append",
        default=[],
        metavar="IP=MODULE:FUNCTION",
        help="the Python function that an HLS kernel carries out, called with a pynq_async.sim.KernelCall; may be "
        "repeated",
    )
    parser.add_argument("--release", default="4.0", help="PYNQ release of the board server: 3.1 or 4.0")
    parser.add_argument("--cma-bytes", type=int, default=128 * 2**20, help="size of the contiguous memory")
    parser.add_argument("--firmware-bytes", type=int, default=64 * 2**20, help="size of the RAM disk for firmware")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--interrupt", action="store_true", help="serve the proposed interrupt service")
    parser.add_argument("--model-cache", action="store_true", help="cacheable buffers need flush and invalidate")
    parser.add_argument("--hazards", default="", help="such as crash_on_race,race_window=0.002")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to every call")
    parser.add_argument("--bandwidth", type=float, default=None, help="bytes a second of bulk payload")
    parser.add_argument("--program-seconds", type=float, default=0.0, help="how long programming takes")
    parser.add_argument("--drift", action="store_true", help="temperatures rise and fall as time goes by")
    return parser


async def _run(arguments: argparse.Namespace) -> None:
    options = vars(arguments).copy()
    host, port = options.pop("host"), options.pop("port")
    kernels = dict(kernel_option(text) for text in options.pop("kernel"))
    board = await make_board(designs=options.pop("design"), kernels=kernels, **options)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no handlers in the loop; there Ctrl+C ends `asyncio.run`.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)

    async with serve(board, host, port) as address:
        say = board.on_crash = partial(_say, address)
        warnings.showwarning = lambda message, *_: say(str(message))
        _report(address=address)

        def obey(line: str) -> None:
            try:
                carry_out(board, line)
            except PynqError as problem:
                say(str(problem))

        kind = os.fstat(0).st_mode

        # The pipe ends when the parent closes it, or dies; a terminal or `/dev/null` means nothing.
        if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
            follow_input(loop, obey, stop.set)

        await stop.wait()


def _report(**fields: str) -> None:
    """Tell whoever started us, with the only line that standard output has."""
    assert sys.__stdout__ is not None
    sys.__stdout__.write(json.dumps(fields) + "\n")
    sys.__stdout__.flush()


def _say(address: str, text: str) -> None:
    sys.stderr.write(f"{address}: {text}\n")


def main() -> int:
    """Serve one board; returns the exit code."""
    try:
        arguments = _parser().parse_args()

        with contextlib.redirect_stdout(sys.stderr):
            asyncio.run(_run(arguments))
    except KeyboardInterrupt:
        return 0
    except PynqError as problem:
        _report(error=str(problem))
        return 1

    return 0


if __name__ == "__main__":
    sys.exit(main())
