"""`pynq-async download`: a bitstream to any number of boards at once."""

from pathlib import Path
from typing import Any

import click

from ..bitstream import Bitstream, load_bitstream
from ..board.loaded import Loaded
from ..farm import BoardFarm, BoardSpec, Results
from .boards import asked_timeout, chosen, inventory_option, to_boards
from .output import bytes_text, console, error_values, mark, say_error, say_json, sentence, table
from .parameters import examples, json_option, timeout_option
from .progress import Bars
from .running import carry_out

_STAGES = {"upload": "upload", "verify": "read back", "program": "program"}


@click.command(
    short_help="Program a bitstream into boards, all at once.",
    epilog=examples(
        "pynq-async download base.bit 192.168.2.99",
        "pynq-async download base.bit 192.168.2.99 192.168.2.100 --verify full",
        "pynq-async download base.bit --inventory lab.toml --tag zcu104",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("boards", metavar="[ADDRESS]...", nargs=-1, callback=to_boards)
@inventory_option
@click.option("--tag", "tags", multiple=True, help="Only boards of the inventory with this tag; may be repeated.")
@click.option("--partial", is_flag=True, help="Reconfigure a region only.")
@click.option("--no-clocks", is_flag=True, help="Leave the clocks of the fabric as they are.")
@click.option(
    "--verify",
    type=click.Choice(["marker", "full"]),
    default="marker",
    show_default=True,
    help="full also reads the bitstream back.",
)
@timeout_option
@json_option
def download(
    file: Path,
    boards: tuple[BoardSpec | str, ...],
    inventory: Path | None,
    tags: tuple[str, ...],
    partial: bool,
    no_clocks: bool,
    verify: str,
    timeout: float,
    as_json: bool,
) -> int:
    """Program FILE (.bit, .bin, .xsa or .pdi) into boards, all at once.

    Without an ADDRESS the boards are those of PYNQ_REMOTE_DEVICES, or all of the inventory. Nothing is sent unless all
    of them answer. A hardware description beside FILE (base.hwh for base.bit) sets the clocks.
    """
    if tags and inventory is None:
        raise click.UsageError("--tag needs --inventory")

    asked = asked_timeout()

    async def work() -> int:
        specs = chosen(boards, inventory, tags, timeout, asked=asked)
        return await _download(file, specs, partial, not no_clocks, verify == "full", as_json=as_json)

    return carry_out(work(), as_json=as_json)


async def _download(
    file: Path,
    boards: list[BoardSpec],
    partial: bool,
    clocks: bool,
    read_back: bool,
    *,
    as_json: bool,
) -> int:
    farm = BoardFarm(boards)
    bitstream = await load_bitstream(file)
    stages = {stage: title for stage, title in _STAGES.items() if read_back or stage != "verify"}

    async with farm:
        with Bars(farm, stages, quiet=as_json) as bars:
            results = await farm.download(
                bitstream,
                partial=partial,
                clocks=clocks,
                verify="full" if read_back else "marker",
                progress=bars.report,
                check=False,
            )

    if as_json:
        say_json(_values(farm, bitstream, results))
    else:
        _show(farm, bitstream, results)

    return 1 if results.failures else 0


def _values(farm: BoardFarm, bitstream: Bitstream, results: Results[Loaded]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "bitstream": bitstream.name,
        "digest": bitstream.digest,
        "bytes": len(bitstream.data),
        "boards": {
            name: {"uploaded_bytes": results[name].uploaded_bytes}
            if name in results
            else error_values(results.failures[name])
            for name in farm
        },
    }

    if results.failures:
        values["error"] = _summary(farm, results)

    return values


def _show(farm: BoardFarm, bitstream: Bitstream, results: Results[Loaded]) -> None:
    out = console()
    shown = table("board", "", "result")

    for name in farm:
        if name in results:
            sent = results[name].uploaded_bytes
            how = f"{bytes_text(sent)} sent" if sent else "the board had it already"
            shown.add_row(name, mark(out, True), f"{bitstream.name} loaded, {how}")
        else:
            shown.add_row(name, mark(out, False), sentence(results.failures[name], board=name))

    out.print(shown)

    if results.failures:
        say_error(_summary(farm, results))


def _summary(farm: BoardFarm, results: Results[Loaded]) -> str:
    if len(farm) == 1:
        return sentence(*results.failures.values())

    return f"{len(results.failures)} of {len(farm)} boards failed: {', '.join(results.failures)}"
