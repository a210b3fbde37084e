"""The AXI DMA (PG021): buffers of the board to and from AXI4-Streams."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy.typing as npt

from ...errors import NotInDesign
from ...hardware.axi_dma import LENGTH_BITS, MM2S, S2MM, DmaRegisters
from ..ip import DefaultIP, IpDescription
from .dma_channel import DmaChannel
from .dma_engine import DmaEngine
from .dma_scatter_gather import ScatterGatherChannel
from .dma_simple import SimpleChannel
from .dma_stream import DmaStream, Extents
from .dma_transfer import ChannelSettings

_CHANNELS = {"sendchannel": MM2S, "recvchannel": S2MM}


class DMA(DefaultIP):
    """A DMA, in simple or scatter-gather mode, as the design has it.

        dma = overlay.axi_dma_0

        async with board.allocate(1024, "u4") as data, board.allocate(1024, "u4") as result:
            data[:] = np.arange(1024)
            await dma.recvchannel.transfer(result)
            await dma.sendchannel.transfer(data)
            await dma.sendchannel.wait()
            await dma.recvchannel.wait()

    Attributes:
        sendchannel: from memory to stream; only if the design includes it, as with `recvchannel`.
        recvchannel: from stream to memory.
        buffer_max_size: the most bytes one transfer can have in simple mode; scatter-gather takes any.
    """

    bindto: ClassVar = ("xilinx.com:ip:axi_dma",)

    sendchannel: DmaChannel
    recvchannel: DmaChannel

    def __init__(self, description: IpDescription) -> None:
        super().__init__(description)
        self._engine = DmaEngine(self.board.name, self.name, self.mmio)
        self.buffer_max_size = (1 << _number(self.parameters, "C_SG_LENGTH_WIDTH", LENGTH_BITS)) - 1

        for attribute, registers in _CHANNELS.items():
            if _number(self.parameters, f"C_INCLUDE_{registers.name}", 1):
                setattr(self, attribute, self._channel(attribute, registers))

    def __getattr__(self, name: str) -> Any:
        if name in _CHANNELS and "description" in self.__dict__:
            channel = _CHANNELS[name].name
            raise NotInDesign(
                self.board.name,
                f"{self.name} has no {name}: the design leaves {channel} out (C_INCLUDE_{channel} is 0)",
            )

        return super().__getattr__(name)

    def stream(
        self,
        shape: Extents,
        dtype: npt.DTypeLike = "u4",
        *,
        result_shape: Extents | None = None,
        result_dtype: npt.DTypeLike | None = None,
        depth: int = 2,
    ) -> DmaStream:
        """A pipeline that sends frames of `shape` and `dtype` and receives a result for each; see `DmaStream`.

        Results have the frames' shape and type unless told. `depth` is how many buffers each direction has. Raises
        `NotInDesign` when the design leaves a channel out.
        """
        send, receive = self.sendchannel, self.recvchannel
        frame = (shape, dtype)
        result = (
            shape if result_shape is None else result_shape,
            dtype if result_dtype is None else result_dtype,
        )
        return DmaStream(self.board, send, receive, frame, result, depth)

    def _channel(self, attribute: str, registers: DmaRegisters) -> DmaChannel:
        def number(name: str, default: int) -> int:
            return _number(self.parameters, name.format(registers.name), default)

        data_bytes = number("C_M_AXI_{}_DATA_WIDTH", 32) // 8
        longest = self.buffer_max_size

        if number("C_MICRO_DMA", 0):  # one burst is all it can
            longest = min(longest, data_bytes * number("C_{}_BURST_SIZE", 16))

        settings = ChannelSettings(
            name=f"{self.name}.{attribute}",
            registers=registers,
            gathers=number("C_INCLUDE_SG", 0) == 1,
            longest=longest,
            data_bytes=data_bytes,
            realigns=number("C_INCLUDE_{}_DRE", 0) == 1,
            address_bits=number("C_ADDR_WIDTH", 32),
        )
        kind = ScatterGatherChannel if settings.gathers else SimpleChannel
        return kind(self.board, self._engine, settings, self._ready)


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    """A parameter of the design; descriptions have some in lower case only."""
    text = parameters.get(name) or parameters.get(name.lower())
    return int(text) if text else default
