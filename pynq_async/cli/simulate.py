"""`pynq-async sim`: simulated boards until interrupted."""

import asyncio
import os
import signal
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from ..bitstream import load_design
from ..config import ENVIRONMENT
from ..errors import SimulationError
from ..hardware.hls import is_kernel
from ..sim import spawn
from ..sim.commands import follow_input
from ..sim.making import MODELS
from .output import MB, say, say_json
from .parameters import examples, json_option, to_kernels
from .running import carry_out

_HIGHEST_PORT = 65535


@click.command(
    epilog=examples("pynq-async sim", "pynq-async sim --boards 4 --port 9000", "pynq-async sim --design base.hwh")
)
@click.option("--boards", type=click.IntRange(1, 64), default=1, show_default=True, help="How many boards.")
@click.option(
    "--port",
    type=click.IntRange(1, _HIGHEST_PORT),
    default=7967,
    show_default=True,
    help="Port of the first board; the others follow.",
)
@click.option(
    "--family",
    type=click.Choice(sorted(MODELS)),
    help="Family of devices.  [default: that of the designs, or zynq7000]",
)
@click.option(
    "--design",
    "designs",
    type=click.Path(exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="A .hwh, or a bitstream with its description, whose IP is simulated. May be repeated.",
)
@click.option(
    "--kernel",
    "kernels",
    multiple=True,
    callback=to_kernels,
    metavar="IP=MODULE:FUNCTION",
    help="The Python function that an HLS kernel carries out; it is called with a pynq_async.sim.KernelCall. May be "
    "repeated.",
)
@click.option("--model", help="What the boards call themselves.  [default: fits the family]")
@click.option("--release", type=click.Choice(["3.1", "4.0"]), default="4.0", show_default=True, help="PYNQ release.")
@click.option(
    "--cma", type=click.IntRange(1), default=128, show_default=True, metavar="MIB", help="Buffer memory of each board."
)
@click.option(
    "--bandwidth", type=click.FloatRange(0, min_open=True), metavar="MB/S", help="Limit of each board's bulk data."
)
@click.option(
    "--latency", type=click.FloatRange(0), default=0.0, show_default=True, metavar="MS", help="Added to every call."
)
@json_option
def sim(
    boards: int,
    port: int,
    family: str | None,
    designs: tuple[str, ...],
    kernels: dict[str, str],
    model: str | None,
    release: str,
    cma: int,
    bandwidth: float | None,
    latency: float,
    as_json: bool,
) -> int:
    """Run simulated boards on consecutive ports until Ctrl-C.

    Each is a process of its own and speaks the protocol of a real board.

    While they run, lines on standard input do something to every board: `set IP CHANNEL VALUE` sets the pins of an AXI
    GPIO (press a button: `set btns_gpio 1 0b0001`), and `raise IP/PIN` raises an interrupt.
    """
    options: dict[str, Any] = {
        "family": family,
        "model": model,
        "designs": designs,
        "kernels": kernels,
        "release": release,
        "cma_bytes": cma << 20,
        "bandwidth": bandwidth and bandwidth * MB,
        "latency": latency / 1000,
    }

    if port + boards - 1 > _HIGHEST_PORT:
        raise click.BadParameter(f"{boards} boards from {port} on need ports beyond {_HIGHEST_PORT}")

    try:
        return carry_out(_serve(boards, port, options, as_json=as_json), as_json=as_json)
    except KeyboardInterrupt:
        return 0


async def _serve(boards: int, port: int, options: dict[str, Any], *, as_json: bool) -> int:
    for number in range(port, port + boards):
        _check_free(number)

    options["family"] = options["family"] or await _family(options["designs"])
    options["model"] = options["model"] or MODELS[options["family"]]

    async with spawn(boards, port, **options) as addresses:
        if as_json:
            say_json({"boards": addresses})
        else:
            what = "simulated board" if boards == 1 else "simulated boards"
            say(f"{boards} {what} ({options['model']}, {options['family']}) until Ctrl-C:")

            for address in addresses:
                say(f"  {address}")

            say(f"export {ENVIRONMENT}={','.join(addresses)}")

            for path in options["designs"]:
                await _say_what_is_expected(Path(path), options["kernels"])

        def tell(command: str) -> None:
            for address in addresses:
                address.tell(command)

        if hasattr(signal, "SIGTTIN"):
            # In the background a terminal cannot be read: an error for who tries, instead of a stop for all of us.
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)

        follow_input(asyncio.get_running_loop(), tell)
        await asyncio.get_running_loop().create_future()

    return 0


async def _say_what_is_expected(path: Path, functions: Collection[str]) -> None:
    """Say when the IP of a design answers, and which of its kernels never end."""
    design = await load_design(path)
    which = "any" if path.suffix.lower() == ".hwh" else "this"
    say(f"{path.name}: its IP answers once {which} {'partial ' if design.partial else ''}bitstream is programmed")
    endless = [name for name, ip in design.ip.items() if is_kernel(ip.registers) and name not in functions]

    if endless:
        say(f"  kernels without a function, busy for ever once started: {', '.join(endless)} (--kernel)")


async def _family(designs: tuple[str, ...]) -> str:
    families = [(await load_design(path)).family for path in designs]
    return next(filter(None, families), "zynq7000")


def _check_free(port: int) -> None:
    """Raise `SimulationError` when somebody listens on a port: as real ones do, simulated boards would share it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SimulationError(f"port {port} cannot be used ({error.strerror}); choose another --port") from None
