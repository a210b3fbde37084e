"""What this process has put into a board's fabric, as far as it tells which addresses mean something else since."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Generation:
    """A moment in the life of a board's fabric.

    Attributes:
        boot: of the board's kernel.
        programmed: how often this process had begun to program the whole fabric.
        reconfigured: how often it had begun to reconfigure a region since.
    """

    boot: str
    programmed: int
    reconfigured: int


class FabricLog:
    """Counts what is programmed; written only while register access is barred.

    Invariant: an address is not `replaced` only if nothing that this process programmed since covers it.
    """

    def __init__(self) -> None:
        self.programmed = 0
        self._regions: list[tuple[range, ...]] = []

    @property
    def reconfigured(self) -> int:
        """How often a region was reconfigured since the whole fabric was programmed."""
        return len(self._regions)

    def begin(self, ranges: Iterable[range] | None) -> None:
        """Note that the whole fabric, or what lies in some address ranges, is about to be replaced."""
        if ranges is None:
            self.programmed += 1
            self._regions.clear()
        else:
            self._regions.append(tuple(ranges))

    def replaced(self, since: Generation, extent: range) -> bool:
        """Whether something else may be at these addresses than there was."""
        return self.programmed != since.programmed or any(
            extent.start < taken.stop and taken.start < extent.stop
            for ranges in self._regions[since.reconfigured :]
            for taken in ranges
        )
