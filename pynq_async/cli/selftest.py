"""`pynq-async selftest`: is this board ready?"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ..bitstream import load_bitstream
from ..config import BoardSpec
from .boards import board_argument, the_board
from .output import console, mark, say_error, say_json
from .parameters import examples, json_option
from .running import carry_out
from .stages import Outcome, SelfTest

_NAME_WIDTH = 13


@click.command(
    short_help="Try a new board, stage by stage.",
    epilog=examples("pynq-async selftest 192.168.2.99", "pynq-async selftest 192.168.2.99 --bitstream base.bit"),
)
@board_argument
@click.option("--bitstream", type=click.Path(path_type=Path), metavar="FILE", help="Also program this one.")
@json_option
def selftest(
    board: BoardSpec | str, inventory: Path | None, bitstream: Path | None, timeout: float, as_json: bool
) -> int:
    """Try a new board, stage by stage: network, server, files, buffers, registers, FPGA manager, firmware.

    Each stage passes, fails with its cause, or is skipped because one that it needs has failed. Without --bitstream
    the fabric is left as it is.
    """
    return carry_out(_selftest(the_board(board, inventory, timeout), bitstream, as_json=as_json), as_json=as_json)


async def _selftest(find: Callable[[], BoardSpec], file: Path | None, *, as_json: bool) -> int:
    spec = find()
    bitstream = await load_bitstream(file) if file else None
    out = console()

    def show(outcome: Outcome) -> None:
        if not as_json:
            out.print(_line(out, outcome))

    outcomes = await SelfTest(spec, bitstream).run(show)
    failed = [outcome.stage for outcome in outcomes if outcome.passed is False]
    problem = f"{spec.name}: {len(failed)} of {len(outcomes)} stages failed: {', '.join(failed)}" if failed else None

    if as_json:
        verdict = {"board": spec.name, "passed": not failed, "stages": [asdict(outcome) for outcome in outcomes]}
        say_json(verdict | ({"error": problem} if problem else {}))
    elif problem:
        say_error(problem)

    return 1 if failed else 0


def _line(out: Console, outcome: Outcome) -> Table:
    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True)
    row.add_column(width=_NAME_WIDTH, no_wrap=True)
    row.add_column()
    detail = f"skipped: {outcome.detail}" if outcome.passed is None else outcome.detail
    row.add_row(mark(out, outcome.passed), outcome.stage, detail, style="dim" if outcome.passed is None else "")
    return row
