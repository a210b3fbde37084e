"""Which names the farm knows: also those of boards that do not answer, or never have."""

from ..farm import BoardFarm
from .problems import Refusal


def check_known(farm: BoardFarm, name: str) -> None:
    """Raise `Refusal` for a name that no board of the farm has."""
    if name not in farm and name not in farm.absent:
        names = ", ".join(sorted({*farm, *farm.absent}))
        raise Refusal(404, "no-such-board", f"the farm has no board {name!r}; it has {names}")
