"""Arguments and options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..config import Address, Timeouts
from ..errors import InvalidArgument
from ..sim.known_designs import kernel_option

F = TypeVar("F", bound=Callable[..., Any])


def examples(*lines: str) -> str:
    """The end of a command's help: commands that work as they stand."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def to_address(_context: click.Context, _parameter: click.Parameter, text: str) -> Address:
    """Read HOST[:PORT]."""
    try:
        return Address.parse(text)
    except InvalidArgument as error:
        raise click.BadParameter(str(error)) from None


def to_kernels(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Read any number of IP=MODULE:FUNCTION."""
    try:
        return dict(kernel_option(text) for text in texts)
    except InvalidArgument as error:
        raise click.BadParameter(str(error)) from None


def to_addresses(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[Address, ...]:
    """Read any number of HOST[:PORT], each once."""
    return tuple(dict.fromkeys(to_address(context, parameter, text) for text in texts))


def to_integer(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """Read a number as Python writes it: 0x4125_0000, 1092943872, -1, 0b1010."""
    try:
        return int(text, 0)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no number; write 0x4125_0000, 1092943872 or 0b1010") from None


def to_register(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """Read a register's address, which must be written 0x...: a forgotten prefix would be another address."""
    if not text.lower().startswith("0x"):
        raise click.BadParameter(f"{text!r} is no address; write it as 0x4125_0000")

    return to_integer(_context, _parameter, text)


def json_option(function: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, errors too.")(function)


def timeout_option(function: F) -> F:
    """`--timeout`."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=Timeouts().connect,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for a board to answer.",
    )(function)
