"""Models of the IP of a design: what answers at their addresses on a simulated board."""

from .axi_gpio import AxiGpioModel
from .axi_timer import AxiTimerModel
from .bram import BramModel
from .dma import DmaModel
from .hls import HlsModel
from .intc import IntcModel
from .kernel_call import KernelCall
from .model import IpModel
from .shutdown_manager import ShutdownManagerModel
from .site import Kernel, Site
from .stream import Stream
from .table import MODELS, Factory

__all__ = [
    "MODELS",
    "AxiGpioModel",
    "AxiTimerModel",
    "BramModel",
    "DmaModel",
    "Factory",
    "HlsModel",
    "IntcModel",
    "IpModel",
    "Kernel",
    "KernelCall",
    "ShutdownManagerModel",
    "Site",
    "Stream",
]
