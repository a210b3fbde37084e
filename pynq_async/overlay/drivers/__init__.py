"""Drivers, one file a family of IP."""

from collections.abc import Mapping
from types import MappingProxyType

from ..ip import DefaultIP
from .bram import BlockRAM
from .dma import DMA
from .gpio import AxiGPIO
from .hls import HlsKernel
from .iic import AxiIIC
from .intc import AxiIntc
from .stream_switch import StreamSwitch
from .timer import AxiTimer
from .vdma import AxiVDMA
from .video_mode import VideoMode

_ALL: tuple[type[DefaultIP], ...] = (AxiGPIO, AxiIIC, AxiIntc, AxiTimer, AxiVDMA, BlockRAM, DMA, StreamSwitch)

DRIVERS: Mapping[str, type[DefaultIP]] = MappingProxyType({kind: driver for driver in _ALL for kind in driver.bindto})

__all__ = [
    "DMA",
    "DRIVERS",
    "AxiGPIO",
    "AxiIIC",
    "AxiIntc",
    "AxiTimer",
    "AxiVDMA",
    "BlockRAM",
    "HlsKernel",
    "StreamSwitch",
    "VideoMode",
]
