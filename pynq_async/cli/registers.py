"""`pynq-async peek` and `poke`: registers by physical address."""

from collections.abc import Callable
from pathlib import Path

import click

from ..board.device import RemoteDevice
from ..config import BoardSpec
from .boards import board_argument, the_board
from .output import say, say_json
from .parameters import examples, json_option, to_integer, to_register
from .running import carry_out

_WORD = 4
_LINE = 16  # bytes shown in a line


def _to_register(context: click.Context, parameter: click.Parameter, text: str) -> int:
    register = to_register(context, parameter, text)

    if register < 0 or register % _WORD:
        raise click.BadParameter(f"{text} is no multiple of {_WORD}: registers are 32 bits wide")

    return register


@click.command(
    epilog=examples("pynq-async peek 192.168.2.99 0x4125_0000", "pynq-async peek 192.168.2.99 0x4400_0000 --count 64")
)
@board_argument
@click.argument("register", metavar="REGISTER", callback=_to_register)
@click.option("--count", type=click.IntRange(1, 65536), default=1, show_default=True, help="How many values to read.")
@click.option(
    "--length",
    type=click.Choice(["1", "2", "4", "8"]),
    default="4",
    show_default=True,
    help="Bytes of each value; 1 and 2 show the lowest of a 32-bit register.",
)
@json_option
def peek(
    board: BoardSpec | str,
    inventory: Path | None,
    register: int,
    count: int,
    length: str,
    timeout: float,
    as_json: bool,
) -> int:
    """Read registers at a physical address.

    The board server reads a register twice for each read, so a FIFO or a clear-on-read register loses a value. Reading
    where no hardware answers, such as a fabric without a design, can hang the board.
    """
    return carry_out(
        _peek(the_board(board, inventory, timeout), register, count, int(length), as_json=as_json), as_json=as_json
    )


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog=examples("pynq-async poke 192.168.2.99 0x4125_0000 0b1010", "pynq-async poke 192.168.2.99 0x4120_0004 -1"),
)
@board_argument
@click.argument("register", metavar="REGISTER", callback=_to_register)
@click.argument("value", metavar="VALUE", callback=to_integer)
@click.option(
    "--length",
    type=click.Choice(["4", "8"]),
    default="4",
    show_default=True,
    help="Bytes to write; 8 are two writes, the lower word first.",
)
@json_option
def poke(
    board: BoardSpec | str,
    inventory: Path | None,
    register: int,
    value: int,
    length: str,
    timeout: float,
    as_json: bool,
) -> int:
    """Write a register at a physical address.

    It is written once and not read back. Writing where no hardware answers can hang the board.
    """
    return carry_out(
        _poke(the_board(board, inventory, timeout), register, value, int(length), as_json=as_json), as_json=as_json
    )


async def _peek(find: Callable[[], BoardSpec], register: int, count: int, length: int, *, as_json: bool) -> int:
    stride = max(length, _WORD)

    async with RemoteDevice(find()) as board:
        window = board.mmio(register, count * stride)

        if length == _WORD:
            values = [int(word) for word in await window.read_block(0, count)]
        else:
            values = [await window.read(stride * index, length) for index in range(count)]

    if as_json:
        say_json({"board": board.name, "register": register, "length": length, "values": values})
    elif count == 1:
        say(f"{register:#010x}: 0x{values[0]:0{2 * length}x}  {values[0]}")
    else:
        _dump(register, values, length, stride)

    return 0


def _dump(register: int, values: list[int], length: int, stride: int) -> None:
    a_line = _LINE // stride

    for first in range(0, len(values), a_line):
        line = values[first : first + a_line]
        shown = " ".join(f"{value:0{2 * length}x}" for value in line)
        content = b"".join(value.to_bytes(length, "little") for value in line)
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in content)
        say(f"{register + first * stride:#010x}: {shown:<{a_line * (2 * length + 1)}} |{text}|")


async def _poke(find: Callable[[], BoardSpec], register: int, value: int, length: int, *, as_json: bool) -> int:
    async with RemoteDevice(find()) as board:
        await board.mmio(register, length).write(0, value, length=8 if length == 8 else 4)

    written = value % (1 << 8 * length)

    if as_json:
        say_json({"board": board.name, "register": register, "length": length, "written": written})
    else:
        say(f"{register:#010x}: wrote 0x{written:0{2 * length}x}")

    return 0
