"""`pynq-async info`: what a board is."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..board.device import RemoteDevice
from ..errors import RemoteFileNotFound
from ..farm import BoardSpec
from .boards import board_argument, the_board
from .output import bytes_text, console, say_json, table
from .parameters import examples, json_option
from .running import carry_out

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@click.command(
    epilog=examples(
        "pynq-async info 192.168.2.99",
        "pynq-async info --json pynq.local:7967",
        "pynq-async info --inventory lab.toml bench-left",
    )
)
@board_argument
@json_option
def info(board: BoardSpec | str, inventory: Path | None, timeout: float, as_json: bool) -> int:
    """Show what a board is and what is loaded on it."""
    return carry_out(_info(the_board(board, inventory, timeout), as_json=as_json), as_json=as_json)


async def _info(find: Callable[[], BoardSpec], *, as_json: bool) -> int:
    async with RemoteDevice(find()) as board:
        facts = await _facts(board)

    if as_json:
        say_json(facts)
    else:
        _show(facts)

    return 0


async def _facts(board: RemoteDevice) -> dict[str, Any]:
    loaded = await board.loaded()
    version = await _text(board, "/proc/version")
    memory = dict(re.findall(r"^(\w+):\s+(\d+) kB$", await _text(board, "/proc/meminfo"), re.MULTILINE))
    kernel = re.match(r"Linux version (\S+)", version)

    return {
        "name": board.name,
        "model": board.model,
        "arch": board.arch,
        "family": board.family,
        "kernel": kernel[1] if kernel else version.strip(),
        "boot_id": (await _text(board, _BOOT_ID)).strip(),
        "cma_free_bytes": int(memory["CmaFree"]) * 1024 if "CmaFree" in memory else None,
        "cma_total_bytes": int(memory["CmaTotal"]) * 1024 if "CmaTotal" in memory else None,
        "services": sorted(board.services),
        "loaded": {"name": loaded.name, "digest": loaded.digest} if loaded else None,
    }


async def _text(board: RemoteDevice, path: str) -> str:
    try:
        return (await board.read_file(path)).decode("utf-8", "replace")
    except RemoteFileNotFound:
        return ""


def _show(facts: dict[str, Any]) -> None:
    loaded, free, total = facts["loaded"], facts["cma_free_bytes"], facts["cma_total_bytes"]
    rows = {
        "name": facts["name"],
        "model": facts["model"],
        "family": f"{facts['family']} ({facts['arch']})",
        "kernel": facts["kernel"],
        "boot id": facts["boot_id"],
        "buffer memory": f"{bytes_text(free)} of {bytes_text(total)} free" if None not in (free, total) else "unknown",
        "loaded": f"{loaded['name']} (sha256 {loaded['digest'][:12]}...)" if loaded else "nothing by this package",
        "services": "\n".join(facts["services"]) or "not listed by the board server",
    }
    shown = table("", "")
    shown.show_header = False
    shown.box = None

    for label, value in rows.items():
        shown.add_row(label, value)

    console().print(shown)
