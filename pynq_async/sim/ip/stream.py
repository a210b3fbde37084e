"""AXI4-Stream connections between models of IP."""

from collections import deque
from collections.abc import Callable


def _nothing() -> None:
    """Nobody wants to know."""


class Stream:
    """One AXI4-Stream connection: whole packets (up to TLAST) in order, held by the source until the sink takes them.

    ::

        def pump(self) -> None:                       # the sink's notice, and called again whenever it has room
            while self.room and (packet := self.stream.take()) is not None:
                ...
    """

    def __init__(self) -> None:
        self._offered: deque[tuple[bytes, Callable[[], None]]] = deque()
        self._notice: Callable[[], None] = _nothing
        self._taking = False

    @property
    def waiting(self) -> int:
        """Packets that were offered and not taken."""
        return len(self._offered)

    def send(self, packet: bytes | bytearray | memoryview, taken: Callable[[], None] = _nothing) -> None:
        """Offer a packet to the sink; `taken` is called when the sink took it."""
        self._offered.append((bytes(packet), taken))

        # A sink that is taking asks for the next packet itself, once it is done with this one.
        if not self._taking:
            self._notice()

    def take(self) -> bytes | None:
        """Take the oldest packet that is offered; None when there is none."""
        if not self._offered:
            return None

        packet, taken = self._offered.popleft()
        self._taking, before = True, self._taking

        try:
            taken()
        finally:
            self._taking = before

        return packet

    def on_offer(self, notice: Callable[[], None] | None) -> None:
        """Call `notice` when a packet is offered, other than from inside `take`; there is one notice, the last."""
        self._notice = notice or _nothing

    def clear(self) -> None:
        """Forget what is offered, since the source is no more."""
        self._offered.clear()
