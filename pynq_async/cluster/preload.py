"""Boards for `dask worker`.

::

    dask worker tcp://scheduler:8786 --preload pynq_async.cluster.preload --inventory lab.toml --tag camera

With no option, those of `PYNQ_REMOTE_DEVICES`. Boards that do not answer are taken when they do.
"""

from collections.abc import Callable

import click
from distributed import Worker

from ..errors import InvalidArgument
from ..farm import BoardFarm
from .boards import WorkerBoards, boards_of_the_environment


@click.command()
@click.option("--board", "boards", multiple=True, metavar="ADDRESS", help="a board; may be repeated")
@click.option("--inventory", metavar="FILE", help="an inventory file with the boards")
@click.option("--name", "names", multiple=True, help="only this board of the inventory; may be repeated")
@click.option("--tag", "tags", multiple=True, help="only boards of the inventory with this tag; may be repeated")
async def dask_setup(
    worker: Worker, boards: tuple[str, ...], inventory: str | None, names: tuple[str, ...], tags: tuple[str, ...]
) -> None:
    """Give the worker its boards; called by Dask."""
    plugin = WorkerBoards(boards_of(boards, inventory, names, tags))
    await worker.plugin_add(plugin, catch_errors=False)


def boards_of(
    boards: tuple[str, ...], inventory: str | None, names: tuple[str, ...], tags: tuple[str, ...]
) -> Callable[[], BoardFarm]:
    """What makes the farm that the options describe; raises `InvalidArgument`."""
    if inventory is not None:
        if boards:
            raise InvalidArgument("--board and --inventory exclude each other; write the board into the inventory")

        return lambda: BoardFarm.from_inventory(inventory, names=names or None, tags=tags, require=0, exclusive=True)

    if names or tags:
        raise InvalidArgument("--name and --tag choose among the boards of an --inventory; none is given")

    return (lambda: BoardFarm(boards, require=0, exclusive=True)) if boards else boards_of_the_environment
