"""Live bars: a row a board, a column a stage."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..progress import Progress
from .output import console, mark, table

_TIMES_A_SECOND = 10
_PERCENT = 5  # characters of ' 100%'
_WIDEST, _NARROWEST = 20, 4


@dataclass(slots=True)
class _Cell:
    done: int
    total: int


class Bars(AbstractContextManager["Bars"]):
    """Shows on stderr how far each board is in each stage; nothing where stderr is no terminal, or if `quiet`.

    `report` is called for every megabyte and from any thread, so it only stores two numbers. A thread of rich draws
    ten times a second from what is stored then; no lock is shared with the event loop.

    Args:
        boards: names, in the order of rows.
        stages: those of `Progress` that get a column, with its title.
        quiet: show nothing.
    """

    def __init__(self, boards: Iterable[str], stages: Mapping[str, str], *, quiet: bool) -> None:
        self._console = console(stderr=True)
        self._stages = dict(stages)
        self._cells: dict[str, dict[str, _Cell]] = {board: {} for board in boards}
        self._live: Live | None = None

        if not quiet and self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._draw,
                refresh_per_second=_TIMES_A_SECOND,
                transient=True,
            )

    def __enter__(self) -> "Bars":
        if self._live is not None:
            self._live.start()

        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.stop()

    def report(self, progress: Progress) -> None:
        """Take note of a step."""
        cells = self._cells[progress.board]

        if progress.stage in self._stages:
            cells[progress.stage] = _Cell(progress.done, progress.total)

        if progress.stage == "done":
            for stage in self._stages:
                cells.setdefault(stage, _Cell(1, 1))

            for cell in cells.values():
                cell.done = cell.total = cell.total or 1

    def _draw(self) -> Table:
        shown = table("board", *self._stages.values())
        room = self._console.width - max(map(len, self._cells), default=0)
        width = min(room // len(self._stages) - 2 - _PERCENT, _WIDEST)

        for column in shown.columns[1:]:
            column.min_width = max(width, 0) + _PERCENT  # or the columns would jump about

        for board, cells in self._cells.items():
            shown.add_row(board, *(self._cell(cells.get(stage), width) for stage in self._stages))

        return shown

    def _cell(self, cell: _Cell | None, width: int) -> RenderableType:
        if cell is None:
            return Text("-", style="dim")

        if not cell.total:
            return Text("...", style="yellow")

        if cell.done >= cell.total:
            return mark(self._console, True)

        percent = Text(f"{100 * cell.done // cell.total:>3}%")

        if width < _NARROWEST:
            return percent

        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_row(ProgressBar(cell.total, cell.done, width=width), percent)
        return row
