"""Designs as trees of drivers: `Overlay`, `DefaultIP` and the drivers of common IP."""

from .drivers import DMA, AxiGPIO, AxiIIC, AxiIntc, AxiTimer, AxiVDMA, BlockRAM, HlsKernel, StreamSwitch, VideoMode
from .hierarchy import DefaultHierarchy
from .ip import DefaultIP, IpDescription
from .overlay import Overlay
from .registers import BitField, Register, RegisterMap, RegisterValue

__all__ = [
    "DMA",
    "AxiGPIO",
    "AxiIIC",
    "AxiIntc",
    "AxiTimer",
    "AxiVDMA",
    "BitField",
    "BlockRAM",
    "DefaultHierarchy",
    "DefaultIP",
    "HlsKernel",
    "IpDescription",
    "Overlay",
    "Register",
    "RegisterMap",
    "RegisterValue",
    "StreamSwitch",
    "VideoMode",
]
