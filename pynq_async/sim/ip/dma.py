"""The AXI DMA (PG021): data moves between the board's memory and AXI4-Streams, in simple and scatter-gather mode."""

from functools import partial
from typing import Any

from ...hardware.axi_dma import (
    DECODE_ERROR,
    DMA_ERRORS,
    FIRST,
    INTERNAL_ERROR,
    LAST,
    LENGTH_BITS,
    MM2S,
    S2MM,
    STREAMS,
)
from .dma_channel import DmaChannel, Piece
from .model import IpModel
from .site import Site


class DmaModel(IpModel):
    """Both channels of a DMA, as far as the design includes them.

    A transfer takes no time once the other side of the stream is there; it stalls as long as it is not. Not modelled:
    cyclic and keyhole mode, the delay interrupt, several channels a direction, control and status streams.

    ::

        sim.ip["axi_dma_0"].recv.trouble = SLAVE_ERROR          # the next transfer ends in this error

    Attributes:
        send: the channel from memory to stream (MM2S), or None.
        recv: the channel from stream to memory (S2MM), or None.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        settings: dict[str, Any] = {
            "gather": self._number("C_INCLUDE_SG", 0) == 1,
            "length_bits": self._number("C_SG_LENGTH_WIDTH", LENGTH_BITS),
            "wide": self._number("C_ADDR_WIDTH", 32) > 32,
            "reset": self._reset,
        }
        self.send = SendChannel(site, MM2S, **settings) if self._number("C_INCLUDE_MM2S", 1) else None
        self.recv = ReceiveChannel(site, S2MM, **settings) if self._number("C_INCLUDE_S2MM", 1) else None

    def load(self, offset: int) -> int:
        """Read a register of one of the channels."""
        channel = self._channel(offset)
        return channel.load(offset) if channel is not None else 0

    def store(self, offset: int, word: int) -> None:
        """Write a register of one of the channels."""
        channel = self._channel(offset)

        if channel is not None:
            channel.store(offset, word)

    def _channel(self, offset: int) -> DmaChannel | None:
        return self.send if offset < S2MM.control else self.recv

    def _reset(self) -> None:
        """Reset both channels, whichever was asked to (PG021, DMACR.Reset)."""
        for channel in (self.send, self.recv):
            if channel is not None:
                channel.reset()

    def _number(self, name: str, default: int) -> int:
        # Descriptions have some parameters in lower case only.
        found = self.site.parameters.get(name) or self.site.parameters.get(name.lower())
        return int(found) if found else default


class SendChannel(DmaChannel):
    """From memory to stream: each transfer, or each run of descriptors from SOF to EOF, is a packet."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._offered: Piece | None = None
        self._packet = bytearray()
        self._life = 0
        self._stream = args[0].stream(STREAMS[MM2S.name])
        super().__init__(*args, **settings)

    def reset(self) -> None:
        """Withdraw what the stream has not taken, too."""
        super().reset()
        self._life += 1
        self._offered = None
        self._packet = bytearray()
        self._stream.clear()

    def pump(self) -> None:
        """Read pieces until a packet is complete, and offer it."""
        while self.busy and self._offered is None:
            piece = self.next_piece()

            if piece is None:
                if self.busy:
                    self.drained()

                return

            error = self.take_trouble(DMA_ERRORS)

            if error or not self.site.physical(piece.address, piece.nbytes):
                self.fail(error or DECODE_ERROR, piece)
                return

            self._packet += self.site.memory.read(piece.address, piece.nbytes)

            if piece.last:
                packet, self._packet = self._packet, bytearray()
                self._offered = piece
                self._stream.send(packet, partial(self._taken, self._life))
            else:
                self.piece_done(piece, piece.nbytes)

    def _taken(self, life: int) -> None:
        if life != self._life or self._offered is None:
            return

        piece, self._offered = self._offered, None
        # A real one reads as the stream takes: whether the memory is still somebody's is seen now.
        self.site.physical(piece.address, piece.nbytes)
        self.piece_done(piece, piece.nbytes)
        self.packet_done()
        self.pump()


class ReceiveChannel(DmaChannel):
    """From stream to memory: a packet fills one transfer, or as many descriptors as it needs."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._piece: Piece | None = None
        self._rest = b""
        self._inside = False
        self._stream = args[0].stream(STREAMS[S2MM.name])
        super().__init__(*args, **settings)
        self._stream.on_offer(self.pump)

    def reset(self) -> None:
        """Forget the rest of a packet that was longer than its descriptors, too."""
        super().reset()
        self._piece = None
        self._rest = b""
        self._inside = False

    def pump(self) -> None:
        """Take packets as long as there is room for them."""
        while self.busy:
            self._piece = self._piece or self.next_piece()

            if self._piece is None:
                if self.busy:
                    self.drained()

                return

            if not self._rest:
                packet = self._stream.take()

                if packet is None:
                    return

                self._rest, self._inside = packet, False

            self._fill(self._piece)

    def _fill(self, piece: Piece) -> None:
        data, rest = self._rest[: piece.nbytes], self._rest[piece.nbytes :]
        self._rest, self._piece = rest, None
        error = self.take_trouble(DMA_ERRORS)

        if error or not self.site.physical(piece.address, len(data)):
            self.fail(error or DECODE_ERROR, piece)
            return

        self.site.memory.write(piece.address, data)

        if rest and not self.gather:
            # PG021, S2MM_DMASR.DMAIntErr: the packet is bigger than LENGTH says.
            self._rest = b""
            self.fail(INTERNAL_ERROR)
            return

        self.piece_done(piece, len(data), (0 if self._inside else FIRST) | (0 if rest else LAST))
        self._inside = bool(rest)

        if not rest:
            self.length = 0 if self.gather else len(data)
            self.packet_done()
