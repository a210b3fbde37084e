"""What is done to a simulated board in a process of its own, as lines of text on its standard input."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable

from ..errors import SimulationError
from .board import SimBoard
from .ip import GpioModel

USAGE = "set IP CHANNEL VALUE, or raise IP/PIN"


def carry_out(board: SimBoard, line: str) -> None:
    """Set the pins of an AXI GPIO, `set btns_gpio 1 0b0001`, or raise an interrupt, `raise mixer/overflow`.

    Raises `SimulationError` for another command, or for an IP or pin that the programmed design does not have.
    """
    match line.split():
        case ["set", name, channel, value]:
            model = board.ip[name]

            if not isinstance(model, GpioModel):
                raise SimulationError(f"{name} is no AXI GPIO but {model.site.type}")

            model.set_input(_number(channel), _number(value))
        case ["raise", pin]:
            if not board.raise_interrupt(pin):
                raise SimulationError(f"no interrupt {pin!r} can be raised: no design that has one is programmed")
        case []:
            pass
        case _:
            raise SimulationError(f"{line.strip()!r} is no command; write {USAGE}")


def follow_input(
    loop: asyncio.AbstractEventLoop, obey: Callable[[str], None], ended: Callable[[], None] = lambda: None
) -> None:
    """Have `obey` called in the loop with each line of our standard input, and `ended` when there is no more."""

    def follow() -> None:
        begun = b""

        with contextlib.suppress(OSError, RuntimeError):  # it cannot be read, or the loop is closed
            # Not `sys.stdin`: its lock would be held here while the interpreter ends.
            while data := os.read(0, 4096):
                *lines, begun = (begun + data).split(b"\n")

                for line in lines:
                    loop.call_soon_threadsafe(obey, line.decode(errors="replace"))

            loop.call_soon_threadsafe(ended)

    threading.Thread(target=follow, daemon=True, name="input").start()


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise SimulationError(f"{text!r} is no number; write 1, 0x1 or 0b0001") from None
