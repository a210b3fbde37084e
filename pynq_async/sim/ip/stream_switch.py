"""The AXI4-Stream Switch with control register routing (PG085)."""

from functools import partial

from ...hardware.axis_switch import CONTROL, DISABLED, MI_MUX, MOST, SOURCE, UPDATE, mux
from .model import IpModel
from .site import Site


class StreamSwitchModel(IpModel):
    """Hands packets from its inputs to the outputs that take them, by the routes that were committed last.

    What is written to a MI_MUX register counts from the next commit on. Of two outputs that would take one input, the
    lower one has it. Before the first commit all outputs are disabled. An output holds one packet, until its sink has
    taken it; committing drops it, as the reset of the switch does.

    Attributes:
        routes: the input of each output that has one, as committed.
        lost: packets that a commit dropped.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.routes: dict[int, int] = {}
        self.lost = 0
        self._outputs = range(int(site.parameters.get("NUM_MI", MOST)))
        inputs = range(int(site.parameters.get("NUM_SI", MOST)))
        self._sources = {si: site.stream(f"S{si:02}_AXIS") for si in inputs}
        self._sinks = {mi: site.stream(f"M{mi:02}_AXIS") for mi in self._outputs}
        self.words = {mux(mi): DISABLED for mi in self._outputs}

        for si, source in self._sources.items():
            source.on_offer(partial(self._offered, si))

    def load(self, offset: int) -> int:
        """Give a route as it was written, committed or not; the commit bit is clear again at once."""
        return 0 if offset == CONTROL else super().load(offset)

    def store(self, offset: int, word: int) -> None:
        """Take a route, or commit all of them."""
        if offset == CONTROL and word & UPDATE:
            self._commit()
        elif MI_MUX <= offset < mux(len(self._outputs)):
            super().store(offset, word & (DISABLED | SOURCE))

    def _commit(self) -> None:
        self.routes = {}

        for mi in self._outputs:
            word = self.words[mux(mi)]
            si = word & SOURCE

            if not word & DISABLED and si in self._sources and si not in self.routes.values():
                self.routes[mi] = si

        for sink in self._sinks.values():
            self.lost += sink.waiting
            sink.clear()

        for mi in self.routes:
            self._pump(mi)

    def _offered(self, si: int) -> None:
        for mi, source in self.routes.items():
            if source == si:
                self._pump(mi)

    def _pump(self, mi: int) -> None:
        sink = self._sinks[mi]

        while mi in self.routes and not sink.waiting:
            packet = self._sources[self.routes[mi]].take()

            if packet is None:
                return

            sink.send(packet, partial(self._pump, mi))
