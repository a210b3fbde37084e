"""Models of the IP of a design: what answers at their addresses on a simulated board."""

from .bram import BramModel
from .dma import DmaModel
from .gpio import GpioModel
from .hls import HlsModel
from .iic import IicModel
from .iic_device import IicDevice, IicMemory
from .intc import IntcModel
from .kernel_call import KernelCall
from .model import IpModel
from .shutdown_manager import ShutdownManagerModel
from .site import Kernel, Site
from .stream import Stream
from .stream_switch import StreamSwitchModel
from .table import MODELS, Factory
from .timer import TimerModel
from .vdma import VdmaModel

__all__ = [
    "MODELS",
    "BramModel",
    "DmaModel",
    "Factory",
    "GpioModel",
    "HlsModel",
    "IicDevice",
    "IicMemory",
    "IicModel",
    "IntcModel",
    "IpModel",
    "Kernel",
    "KernelCall",
    "ShutdownManagerModel",
    "Site",
    "Stream",
    "StreamSwitchModel",
    "TimerModel",
    "VdmaModel",
]
