"""Which model stands for which IP."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ...hardware.hls import is_kernel
from .dma import DmaModel
from .gpio import GpioModel
from .hls import HlsModel
from .iic import IicModel
from .intc import IntcModel
from .model import IpModel
from .shutdown_manager import ShutdownManagerModel
from .site import Site
from .stream_switch import StreamSwitchModel
from .timer import TimerModel
from .vdma import VdmaModel

Factory = Callable[[Site], IpModel]

# By vendor, library and name.
MODELS: Mapping[str, Factory] = MappingProxyType(
    {
        "xilinx.com:ip:axi_dma": DmaModel,
        "xilinx.com:ip:axi_gpio": GpioModel,
        "xilinx.com:ip:axi_intc": IntcModel,
        "xilinx.com:ip:axi_timer": TimerModel,
        "xilinx.com:ip:axis_switch": StreamSwitchModel,
        "xilinx.com:ip:axi_iic": IicModel,
        "xilinx.com:ip:axi_vdma": VdmaModel,
        "xilinx.com:ip:dfx_axi_shutdown_manager": ShutdownManagerModel,
        "xilinx.com:ip:pr_axi_shutdown_manager": ShutdownManagerModel,
    }
)


def model_for(site: Site) -> Factory:
    """The model that comes with this package; a file of registers where there is none for this IP."""
    kernel = site.kernel is not None or is_kernel(site.registers)
    return MODELS.get(without_version(site.type), HlsModel if kernel else IpModel)


def without_version(type_: str) -> str:
    """`xilinx.com:ip:axi_gpio` of `xilinx.com:ip:axi_gpio:2.0`."""
    return ":".join(type_.split(":")[:3])
