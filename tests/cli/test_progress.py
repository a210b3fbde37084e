"""The live bars."""

import io

import pytest
from rich.console import Console

from pynq_async.cli.progress import Bars
from pynq_async.progress import Progress

STAGES = {"upload": "upload", "verify": "read back", "program": "program"}


def drawn(bars: Bars, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(bars._draw())
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_row_a_board_and_a_column_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    bars = Bars(["one", "two"], STAGES, quiet=True)
    bars.report(Progress("one", "upload", 50, 100))
    bars.report(Progress("two", "upload", 100, 100))
    bars.report(Progress("two", "program", 0, 0))
    header, _, one, two = drawn(bars, 80)

    assert header.split() == ["board", "upload", "read", "back", "program"]
    assert " 50%" in one
    assert two.split()[2:] == ["-", "..."]


def test_a_stage_that_was_not_needed_is_done_at_the_end() -> None:
    bars = Bars(["one"], STAGES, quiet=True)
    bars.report(Progress("one", "program", 0, 0))
    bars.report(Progress("one", "done", 0, 0))

    assert len(set(drawn(bars, 80)[-1].split()[1:])) == 1
    assert "..." not in drawn(bars, 80)[-1]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_rows_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    bars = Bars(["192.168.2.100"], STAGES, quiet=True)
    bars._console.width = width
    bars.report(Progress("192.168.2.100", "upload", 50, 100))

    assert len(drawn(bars, width)) == 3
    assert any("50%" in line for line in drawn(bars, width))


def test_nothing_is_shown_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars(["one"], STAGES, quiet=False) as bars:
        bars.report(Progress("one", "upload", 50, 100))
        bars.report(Progress("one", "something else", 50, 100))

    assert capsys.readouterr() == ("", "")
