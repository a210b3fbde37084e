"""Drivers, one file a family of IP."""

from collections.abc import Mapping
from types import MappingProxyType

from ..ip import DefaultIP
from .bram import BlockRAM
from .dma import DMA
from .hls import HlsKernel

_ALL: tuple[type[DefaultIP], ...] = (BlockRAM, DMA)

DRIVERS: Mapping[str, type[DefaultIP]] = MappingProxyType({kind: driver for driver in _ALL for kind in driver.bindto})

__all__ = ["DMA", "DRIVERS", "BlockRAM", "HlsKernel"]
