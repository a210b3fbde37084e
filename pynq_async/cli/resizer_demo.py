"""The demo without a bitstream of one's own: PYNQ-HelloWorld's image resizer on several simulated boards."""

import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bitstream import Bitstream, load_bitstream, load_design, shipped_description, synthetic_bitstream
from ..concurrency import in_a_thread
from ..config import Timeouts
from ..farm import BoardFarm
from ..sim import spawn
from ..sim.making import MODELS
from .output import MB, console, mark, rate, rate_text, say, say_error, say_json, table
from .pictures import Picture
from .progress import Bars
from .punctuality import Punctuality
from .resizer import STAGES, Resizer, make_folder

_DESIGN = "resizer"
_FAMILY = "zynq7000"
_BITSTREAM_BYTES = 4_000_000  # as much as the bitstream of a Pynq-Z2
_KERNELS = {"resize_accel_0": "pynq_async.sim.resizer:resize_accel"}


@dataclass(frozen=True, slots=True)
class ResizerPlan:
    """What was asked for."""

    boards: int
    images: int
    output: Path
    timeouts: Timeouts
    as_json: bool


async def resize_pictures(plan: ResizerPlan) -> int:
    """Run the demo; returns the exit code."""
    make_folder(plan.output)
    pictures = [Picture.numbered(number) for number in range(plan.images)]

    async with _boards(plan) as (addresses, bitstream), BoardFarm(addresses, timeouts=plan.timeouts) as farm:
        design = await load_design(bitstream)
        begun = time.perf_counter()

        async with Punctuality() as punctuality:
            with Bars(farm, STAGES, quiet=plan.as_json) as bars:
                resizer = Resizer(farm, pictures, plan.output, bars.report)
                await resizer.run(bitstream, design)

        models = {name: board.model for name, board in farm.items()}
        outcome = _Outcome(plan, resizer, models, time.perf_counter() - begun, punctuality.latest)

    outcome.show()
    return 0 if outcome.verified else 1


@asynccontextmanager
async def _boards(plan: ResizerPlan) -> AsyncIterator[tuple[Mapping[str, str], Bitstream]]:
    """Simulated boards that know the design, by name, and its bitstream, which is made up."""
    if not plan.as_json:
        count = f"{plan.boards} simulated {'board' if plan.boards == 1 else 'boards'}"
        say(f"Starting {count} ({MODELS[_FAMILY]}) with an image resizer ...", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{_DESIGN}.bit")
        await in_a_thread(lambda: _write_files(file))
        bitstream = await load_bitstream(file)

        async with spawn(
            plan.boards, family=_FAMILY, model=MODELS[_FAMILY], designs=[file], kernels=_KERNELS
        ) as addresses:
            yield {f"sim-{number}": address for number, address in enumerate(addresses, start=1)}, bitstream


def _write_files(bitstream: Path) -> None:
    bitstream.write_bytes(synthetic_bitstream(size=_BITSTREAM_BYTES, design=_DESIGN))
    bitstream.with_suffix(".hwh").write_bytes(shipped_description(_DESIGN))


class _Outcome:
    """The result, for people and for machines."""

    def __init__(
        self, plan: ResizerPlan, resizer: Resizer, models: Mapping[str, str], seconds: float, lateness: float
    ) -> None:
        self._plan = plan
        self._reports = resizer.reports
        self._results = sorted(resizer.results, key=lambda result: result.picture.number)
        self._missing = resizer.missing
        self._models = models
        self._seconds = seconds
        self._lateness = lateness
        self._problems = [f"{name}: {report.problem}" for name, report in self._reports.items() if report.problem]
        self._problems += [
            f"{result.board}: {result.file.name} is not what the host makes of it"
            for result in self._results
            if not result.same
        ]

        if self._missing:
            self._problems.append(f"{self._missing} of {plan.images} images were not resized")

    @property
    def verified(self) -> bool:
        """Whether every picture came back, and as it must be."""
        return not self._problems

    def show(self) -> None:
        """Print it."""
        if self._plan.as_json:
            say_json(self._values())
            return

        self._show_table()

        for problem in self._problems:
            say_error(problem)

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {
            "verified": self.verified,
            "simulated": True,
            "design": _DESIGN,
            "output": str(self._plan.output.absolute()),
            "seconds": round(self._seconds, 3),
            "longest_pause_ms": round(1000 * self._lateness, 1),
            "boards": {name: self._board_values(name) for name in self._reports},
            "images": [
                {
                    "file": result.file.name,
                    "board": result.board,
                    "from": [result.picture.rows, result.picture.cols],
                    "to": [result.picture.to_rows, result.picture.to_cols],
                    "verified": result.same,
                }
                for result in self._results
            ],
        }
        return values | ({"error": "; ".join(self._problems)} if self._problems else {})

    def _board_values(self, name: str) -> dict[str, Any]:
        report = self._reports[name]
        moved = rate(report.nbytes, report.seconds)
        values = {
            "model": self._models[name],
            "images": report.images,
            "mb_s": moved and round(moved / MB, 3),
            "verified": self._is_right(name),
        }
        return values | ({"error": report.problem} if report.problem else {})

    def _is_right(self, name: str) -> bool:
        same = all(result.same for result in self._results if result.board == name)
        return same and self._reports[name].problem is None

    def _show_table(self) -> None:
        out = console()
        numbers = ("images", "MB", "MB/s")
        shown = table("board", "model", "design", *numbers, "verified", right=numbers)

        for name, report in self._reports.items():
            shown.add_row(
                name,
                self._models[name],
                f"{_DESIGN}.bit",
                str(report.images),
                f"{report.nbytes / MB:.1f}",
                rate_text(rate(report.nbytes, report.seconds)),
                mark(out, self._is_right(name)),
            )

        out.print(shown)
        moved = sum(report.nbytes for report in self._reports.values())
        count = len(self._reports)
        out.print(
            f"{len(self._results)} images on {count} {'board' if count == 1 else 'boards'} in {self._seconds:.1f} s, "
            f"{moved / MB:,.0f} MB there and back; each is compared with what the host makes of it."
        )
        out.print(f"The event loop was never late by more than {1000 * self._lateness:.0f} ms.")
        out.print(f"Look at them: {self._plan.output.absolute()}", soft_wrap=True)
