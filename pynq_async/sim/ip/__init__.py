"""Models of the IP of a design: what answers at their addresses on a simulated board."""

from .axi_iic import AxiIicModel
from .axi_vdma import AxiVdmaModel
from .axis_switch import StreamSwitchModel
from .bram import BramModel
from .dma import DmaModel
from .gpio import GpioModel
from .hls import HlsModel
from .iic_device import IicDevice, IicMemory
from .intc import IntcModel
from .kernel_call import KernelCall
from .model import IpModel
from .shutdown_manager import ShutdownManagerModel
from .site import Kernel, Site
from .stream import Stream
from .table import MODELS, Factory
from .timer import TimerModel

__all__ = [
    "MODELS",
    "AxiIicModel",
    "AxiVdmaModel",
    "BramModel",
    "DmaModel",
    "Factory",
    "GpioModel",
    "HlsModel",
    "IicDevice",
    "IicMemory",
    "IntcModel",
    "IpModel",
    "Kernel",
    "KernelCall",
    "ShutdownManagerModel",
    "Site",
    "Stream",
    "StreamSwitchModel",
    "TimerModel",
]
