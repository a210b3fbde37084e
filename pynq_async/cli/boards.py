"""Which boards a command is about: addresses, or names and tags of an inventory."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..config import Address, Timeouts
from ..farm import BoardSpec, load_inventory
from .parameters import timeout_option, to_address

F = TypeVar("F", bound=Callable[..., Any])


def inventory_option(function: F) -> F:
    """`--inventory`, read before the boards are."""
    return click.option(
        "--inventory",
        type=click.Path(path_type=Path),
        metavar="FILE",
        is_eager=True,
        help="A TOML file of boards; name them in the place of addresses.",
    )(function)


def board_argument(function: F) -> F:
    """The one ADDRESS of a command, which may be a name of `--inventory`; see `the_board`."""
    return click.argument("board", metavar="ADDRESS", callback=to_board)(inventory_option(timeout_option(function)))


def the_board(board: BoardSpec | str, inventory: Path | None, timeout: float) -> Callable[[], BoardSpec]:
    """How to find the one board of a command; calling it raises `InvalidArgument`."""
    asked = asked_timeout()
    return lambda: chosen([board], inventory, (), timeout, asked=asked)[0]


def to_board(context: click.Context, parameter: click.Parameter, text: str) -> BoardSpec | str:
    """Read HOST[:PORT], or take the name of a board in the inventory."""
    if context.params.get("inventory") is not None:
        return text

    address = to_address(context, parameter, text)
    return BoardSpec(str(address), address)


def to_boards(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[BoardSpec | str, ...]:
    """Read any number of them, each once."""
    return tuple(dict.fromkeys(to_board(context, parameter, text) for text in texts))


def chosen(
    boards: Collection[BoardSpec | str], inventory: Path | None, tags: Iterable[str], timeout: float, *, asked: bool
) -> list[BoardSpec]:
    """The boards, with those of the inventory that are named and have all tags; raises `InvalidArgument`.

    `timeout` is for connecting; `asked` says that it goes before what the inventory says.
    """
    specs = [board for board in boards if isinstance(board, BoardSpec)]
    names = [board for board in boards if isinstance(board, str)]

    if inventory is not None:
        specs += load_inventory(inventory, names=names or None, tags=tags)
    elif not specs:
        specs = [BoardSpec(str(address), address) for address in Address.from_env()]

    return [
        replace(spec, timeouts=replace(spec.timeouts or Timeouts(), connect=timeout))
        if asked or spec.timeouts is None
        else spec
        for spec in specs
    ]


def asked_timeout() -> bool:
    """Whether `--timeout` is on the command line."""
    source = click.get_current_context().get_parameter_source("timeout")
    return source is ParameterSource.COMMANDLINE
