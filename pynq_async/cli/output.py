"""What is printed: sentences, JSON, tables."""

import json
from collections.abc import Mapping
from typing import IO, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import FarmError

MB = 1e6
_PIPE_WIDTH = 200


def console(*, stderr: bool = False) -> Console:
    """A console for results (or, on stderr, for progress) that takes text as it is and has NO_COLOR in mind.

    Where output is no terminal, lines are as long as they need to be.
    """
    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False)

    if not made.is_terminal:
        made.width = _PIPE_WIDTH

    return made


def say(text: str, *, file: IO[str] | None = None) -> None:
    """Print a line, at once."""
    click.echo(text, file=file)


def say_error(text: str) -> None:
    """Print an error's sentence on stderr."""
    click.echo(f"error: {text}", err=True)


def say_json(values: Mapping[str, Any]) -> None:
    """Print a result for machines."""
    click.echo(json.dumps(values, indent=2))


def sentence(error: BaseException, *, board: str = "") -> str:
    """An error in words, one line a failed board; without the board's name where `board` says it already."""
    if isinstance(error, FarmError) and len(error.failures) == 1:
        ((name, error),) = error.failures.items()
        board = board and name

    text = str(error) or type(error).__name__
    return text.removeprefix(f"{board}: ") if board else text


def error_values(error: BaseException) -> dict[str, Any]:
    """An error for machines: its sentence, its type, and for a farm the same for every board that failed."""
    values: dict[str, Any] = {"error": sentence(error), "type": type(error).__name__}

    if isinstance(error, FarmError):
        values["boards"] = {name: error_values(failure) for name, failure in error.failures.items()}

    return values


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A table that fits on a narrow terminal; the columns named in `right` hold numbers."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")

    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name in right)

    return made


def mark(out: Console, result: bool | None) -> Text:
    """A tick, a cross, or a dash for what was not done, in characters that the output can show."""
    if result is None:
        return Text("-", style="dim")

    shown = ("✓", "✗") if out.encoding.lower().startswith("utf") else ("ok", "FAILED")
    return Text(shown[0], style="bold green") if result else Text(shown[1], style="bold red")


def rate(count: float, seconds: float | None) -> float | None:
    """`count` a second; None where nothing was measured."""
    return count / seconds if count and seconds else None


def rate_text(bytes_a_second: float | None) -> str:
    """A rate in MB/s without its unit."""
    if bytes_a_second is None:
        return "-"

    value = bytes_a_second / MB
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def bytes_text(count: int) -> str:
    """A number of bytes in kB or MB, as in 4.0 MB."""
    if count < 1000:
        return f"{count} B"

    return f"{count / MB:.1f} MB" if count >= MB else f"{count / 1000:.0f} kB"
