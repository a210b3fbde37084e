"""`pynq-async demo`: images through several simulated boards, or a bitstream and buffers to boards; all verified."""

import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..bitstream import Bitstream, load_bitstream, load_design
from ..config import Address, Timeouts
from ..farm import BoardFarm
from ..sim import spawn
from ..sim.making import MODELS
from .output import MB, bytes_text, console, mark, rate_text, say, say_error, say_json, table
from .parameters import examples, json_option, timeout_option, to_addresses
from .progress import Bars
from .punctuality import Punctuality
from .resizer_demo import ResizerPlan, resize_pictures
from .running import carry_out
from .traffic import STAGES, Report, Traffic

_MIB = 1 << 20
_LEAST_CMA, _LEAST_FIRMWARE = 128 * _MIB, 64 * _MIB
_COMMAND_LINE = click.core.ParameterSource.COMMANDLINE
_LARGEST_BUFFER = 2047  # MiB; the protocol's size is an int32


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked for."""

    boards: int
    bitstream: Path | None
    addresses: tuple[Address, ...]
    nbytes: int
    timeouts: Timeouts
    as_json: bool


@click.command(
    short_help="Images through simulated boards, or your bitstream on boards.",
    epilog=examples(
        "pynq-async demo",
        "pynq-async demo --boards 8 --bitstream base.bit",
        "pynq-async demo --address 192.168.2.99 --address 192.168.2.100 --bitstream base.bit",
    ),
)
@click.option("--boards", type=click.IntRange(1, 64), default=4, show_default=True, help="How many boards to simulate.")
@click.option("--images", type=click.IntRange(1, 999), default=24, show_default=True, help="How many images to resize.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="pynq-async-demo",
    show_default=True,
    metavar="FOLDER",
    help="Where the resized images go, as PNG files.",
)
@click.option(
    "--bitstream",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Download this instead, and then stream buffers.",
)
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="HOST[:PORT]",
    callback=to_addresses,
    help="A real board for that, instead of simulated ones; may be given several times.",
)
@click.option(
    "--size",
    type=click.IntRange(1, _LARGEST_BUFFER),
    default=64,
    show_default=True,
    metavar="MIB",
    help="Size of the buffer that is streamed to each board.",
)
@timeout_option
@json_option
@click.pass_context
def demo(
    context: click.Context,
    boards: int,
    images: int,
    output: Path,
    bitstream: Path | None,
    addresses: tuple[Address, ...],
    size: int,
    timeout: float,
    as_json: bool,
) -> int:
    """Resize images on several simulated boards, or try a bitstream and boards of your own.

    Without --bitstream and --address: images are made, sent by DMA to a kernel that resizes them, on whichever board is
    free, compared with what the host makes of them, and written as files to look at. Each board is a process of its
    own.

    With them: a bitstream and buffers are streamed to all boards at once, and every byte is verified. On real boards
    the fabric is left as it is unless there is a --bitstream, and registers are written only in a block memory of its
    design.
    """

    def given(*names: str) -> list[str]:
        return [f"--{name}" for name in names if context.get_parameter_source(name) is _COMMAND_LINE]

    timeouts = Timeouts(connect=timeout)

    if bitstream is None and not addresses:
        if given("size"):
            raise click.UsageError("--size is for a --bitstream or an --address; images have the size they have")

        return carry_out(
            resize_pictures(ResizerPlan(boards, images, output, timeouts, as_json)),
            as_json=as_json,
        )

    if unused := given("images", "output"):
        raise click.UsageError(f"{' and '.join(unused)}: with a --bitstream or an --address no images are resized")

    if addresses and given("boards"):
        raise click.UsageError("--boards is for simulated boards; with --address there are none")

    plan = _Plan(boards, bitstream, addresses, size * _MIB, timeouts, as_json)
    return carry_out(_demo(plan), as_json=as_json)


async def _demo(plan: _Plan) -> int:
    bitstream = await load_bitstream(plan.bitstream) if plan.bitstream is not None else None
    design = await load_design(bitstream) if bitstream and bitstream.description else None

    async with _addresses(plan, bitstream) as addresses, BoardFarm(addresses, timeouts=plan.timeouts) as farm:
        begun = time.perf_counter()

        async with Punctuality() as punctuality:
            with Bars(farm, STAGES, quiet=plan.as_json) as bars:
                traffic = Traffic(farm, plan.nbytes, bars.report, simulated=not plan.addresses)
                await traffic.run(bitstream, design)

        outcome = _Outcome(farm, plan, bitstream, traffic, time.perf_counter() - begun, punctuality.latest)

    outcome.show()
    return 0 if outcome.verified else 1


@asynccontextmanager
async def _addresses(plan: _Plan, bitstream: Bitstream | None) -> AsyncIterator[Mapping[str, str | Address]]:
    """Addresses by name: those given, or those of simulated boards that run meanwhile."""
    if plan.addresses:
        yield {str(address): address for address in plan.addresses}
        return

    family = bitstream.family if bitstream and bitstream.family else "zynq7000"
    firmware = len(bitstream.data) if bitstream else 0

    if not plan.as_json:
        say(
            f"Starting {plan.boards} simulated {'board' if plan.boards == 1 else 'boards'} ({MODELS[family]}) ...",
            file=sys.stderr,
        )

    async with spawn(
        plan.boards,
        family=family,
        model=MODELS[family],
        cma_bytes=max(_LEAST_CMA, plan.nbytes + 16 * _MIB),
        firmware_bytes=max(_LEAST_FIRMWARE, 2 * firmware),
    ) as addresses:
        yield {f"sim-{number}": address for number, address in enumerate(addresses, start=1)}


class _Outcome:
    """The result of a demo, for people and for machines."""

    def __init__(
        self,
        farm: BoardFarm,
        plan: _Plan,
        bitstream: Bitstream | None,
        traffic: Traffic,
        seconds: float,
        lateness: float,
    ) -> None:
        self._boards = {name: (str(board.address), board.model, board.family) for name, board in farm.items()}
        self._plan = plan
        self._bitstream = bitstream
        self._reports = traffic.reports
        self._totals = traffic.totals
        self._seconds = seconds
        self._lateness = lateness

    @property
    def verified(self) -> bool:
        """Whether every board did everything and every byte was right."""
        return all(report.problem is None for report in self._reports.values())

    def show(self) -> None:
        """Print it."""
        if self._plan.as_json:
            say_json(self._values())
            return

        self._show_table()

        for name, report in self._reports.items():
            if report.problem:
                say_error(f"{name}: {report.problem}")

    def _values(self) -> dict[str, Any]:
        bitstream = self._bitstream
        failed = [name for name, report in self._reports.items() if report.problem]
        values: dict[str, Any] = {
            "verified": self.verified,
            "simulated": not self._plan.addresses,
            "bitstream": bitstream
            and {"name": bitstream.name, "digest": bitstream.digest, "bytes": len(bitstream.data)},
            "buffer_bytes": self._plan.nbytes,
            "seconds": round(self._seconds, 3),
            "longest_pause_ms": round(1000 * self._lateness, 1),
            "boards": {name: self._board_values(name, report) for name, report in self._reports.items()},
            "totals": {
                "uploaded_bytes": sum(report.uploaded_bytes for report in self._reports.values()),
                "to_board_mb_s": _mb(self._totals.get("to_board")),
                "from_board_mb_s": _mb(self._totals.get("from_board")),
                "registers_s": _rounded(self._totals.get("registers")),
            },
        }

        if failed:
            values["error"] = f"{len(failed)} of {len(self._reports)} boards failed: {', '.join(failed)}"

        return values

    def _board_values(self, name: str, report: Report) -> dict[str, Any]:
        address, model, family = self._boards[name]
        values = {
            "address": address,
            "model": model,
            "family": family,
            "design": report.design,
            "uploaded_bytes": report.uploaded_bytes,
            "upload_mb_s": _mb(report.upload),
            "to_board_mb_s": _mb(report.to_board),
            "from_board_mb_s": _mb(report.from_board),
            "registers_s": _rounded(report.registers),
            "verified": report.problem is None,
        }
        return values | ({"error": report.problem} if report.problem else {})

    def _show_table(self) -> None:
        out = console()
        numbers = ("sent", "upload\nMB/s", "to\nboard\nMB/s", "from\nboard\nMB/s", "regis-\nters/s")
        shown = table("board", "model", "design", *numbers, "verified", right=numbers)

        for name, report in self._reports.items():
            shown.add_row(
                name,
                self._boards[name][1],
                report.design or "-",
                bytes_text(report.uploaded_bytes),
                rate_text(report.upload),
                rate_text(report.to_board),
                rate_text(report.from_board),
                f"{report.registers:,.0f}" if report.registers else "-",
                mark(out, report.problem is None),
            )

        out.print(shown)
        count = len(self._reports)
        out.print(
            f"{count} {'board' if count == 1 else 'boards'} together: "
            f"{rate_text(self._totals.get('to_board'))} MB/s to the boards, "
            f"{rate_text(self._totals.get('from_board'))} MB/s from them; "
            f"{self._seconds:.1f} s in all."
        )
        out.print(f"The event loop was never late by more than {1000 * self._lateness:.0f} ms.")


def _mb(rate: float | None) -> float | None:
    return None if rate is None else round(rate / MB, 3)


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)


__all__ = ["demo"]
