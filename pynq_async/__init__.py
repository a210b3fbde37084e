"""Drive AMD/Xilinx FPGA boards over the network, natively in asyncio."""

from .bitstream import Bitstream, Design, load_bitstream, load_design
from .board.buffer import Buffer
from .board.clocks import Clocks
from .board.device import RemoteDevice
from .board.gpio import Gpio, GpioPin
from .board.interrupts import InterruptPin, Interrupts
from .board.loaded import Loaded
from .board.mmio import MMIO
from .board.sensors import Reading, Sensors
from .config import Address, Limits, Timeouts, Tls
from .farm import BoardFarm, BoardSpec, Health, MapResult, Results
from .overlay import DefaultHierarchy, DefaultIP, Overlay
from .progress import Progress

__all__ = [
    "MMIO",
    "Address",
    "Bitstream",
    "BoardFarm",
    "BoardSpec",
    "Buffer",
    "Clocks",
    "DefaultHierarchy",
    "DefaultIP",
    "Design",
    "Gpio",
    "GpioPin",
    "Health",
    "InterruptPin",
    "Interrupts",
    "Limits",
    "Loaded",
    "MapResult",
    "Overlay",
    "Progress",
    "Reading",
    "RemoteDevice",
    "Results",
    "Sensors",
    "Timeouts",
    "Tls",
    "load_bitstream",
    "load_design",
]
