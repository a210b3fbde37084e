"""The AXI Video DMA in register direct mode (PG020)."""

from collections.abc import Callable

from ...hardware import axi_vdma as regs
from .model import IpModel
from .site import Site
from .vdma_channel import VdmaChannel


class Display(VdmaChannel):
    """MM2S: offers the frame in memory to the stream, again and again.

    The next frame is read from memory and offered `frame_seconds` after the sink has taken the last one, so that a
    sink that always takes does not keep the board busy.
    """

    def __init__(self, site: Site) -> None:
        self.frame_seconds = 1 / 60
        self._waiting: Callable[[], None] | None = None
        super().__init__(site, regs.MM2S)

    def reset(self) -> None:
        """Be as after power-up."""
        super().reset()
        self._withdraw()

    def pump(self) -> None:
        """Offer a frame, unless one is on offer."""
        if not self.running:
            self._withdraw()
        elif not self.stream.waiting and self._waiting is None and (place := self._next_place()) is not None:
            lines = [self.site.memory.read(start, self.bytes) for start in place]
            self.stream.send(b"".join(lines), self._taken)

    def _store_control(self, word: int) -> None:
        super()._store_control(word)

        if not self.running:
            self._withdraw()

    def _taken(self) -> None:
        self._frame_done()
        self._waiting = self.site.later(self.frame_seconds, self._again)

    def _again(self) -> None:
        self._waiting = None
        self.pump()

    def _withdraw(self) -> None:
        self.stream.clear()

        if self._waiting is not None:
            self._waiting()
            self._waiting = None


class Capture(VdmaChannel):
    """S2MM: puts each packet of the stream into a frame store."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, regs.S2MM)
        self.stream.on_offer(self.pump)

    def pump(self) -> None:
        """Take what is offered; a frame of another size is flagged, and what is too much of it dropped."""
        while self.running and self.stream.waiting and (place := self._next_place()) is not None:
            packet = self.stream.take() or b""
            size = self.lines * self.bytes

            for index, start in enumerate(place):
                self.site.memory.write(start, packet[index * self.bytes : (index + 1) * self.bytes])

            short = regs.SOF_EARLY | regs.INTERNAL_ERROR if len(packet) < size else 0
            self._frame_done(short or (regs.SOF_LATE if len(packet) > size else 0))


class VdmaModel(IpModel):
    """Video frames between memory and streams; one packet is a frame, line after line without gaps.

    ::

        vdma = sim.ip["video/axi_vdma"]
        vdma.s2mm.stream.send(camera_frame.tobytes())       # when nothing else feeds the stream
        shown = vdma.mm2s.stream.take()

    Attributes:
        mm2s: the channel from memory to stream.
        s2mm: the channel from stream to memory.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.mm2s = Display(site)
        self.s2mm = Capture(site)
        self._channels: list[VdmaChannel] = [
            channel
            for channel in (self.mm2s, self.s2mm)
            if site.parameters.get(regs.INCLUDE.format(channel.registers.name), "1") != "0"
        ]

    def load(self, offset: int) -> int:
        """Read a register."""
        if offset == regs.VERSION:
            return regs.VERSION_6_3

        if offset == regs.PARK_PTR:
            word = 0

            for channel in self._channels:
                word = channel.registers.parked.put(word, channel.parked)
                word = channel.registers.current.put(word, channel.shown)

            return word

        return next((channel.load(offset) for channel in self._channels if channel.owns(offset)), 0)

    def store(self, offset: int, word: int) -> None:
        """Write a register."""
        for channel in self._channels:
            if offset == regs.PARK_PTR:
                channel.parked = channel.registers.parked.of(word)
            elif channel.owns(offset):
                channel.store(offset, word)
