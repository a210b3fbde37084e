"""The shutdown manager: stops the traffic of a region before it is reconfigured (PG305)."""

from ...hardware.shutdown_manager import ALL_QUIET, CONTROL, REQUEST
from .model import IpModel
from .site import Site


class ShutdownManagerModel(IpModel):
    """After a request it reads as quiet, `Hazards.manager_polls` reads later."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.asked = False
        self._waiting: int | None = None

    def load(self, offset: int) -> int:
        """Give the state at the control register."""
        if offset != CONTROL:
            return super().load(offset)

        if self._waiting is None:
            return 0

        if self._waiting > 0:
            self._waiting -= 1
            return 0

        return ALL_QUIET

    def store(self, offset: int, word: int) -> None:
        """Take a request, or its end, at the control register."""
        if offset != CONTROL:
            super().store(offset, word)
            return

        self.asked = bool(word & REQUEST)
        self._waiting = self.site.hazards.manager_polls if self.asked else None
