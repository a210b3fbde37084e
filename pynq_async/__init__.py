"""Drive AMD/Xilinx FPGA boards over the network, natively in asyncio."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .bitstream import Bitstream, Design, load_bitstream, load_design
    from .board.buffer import Buffer
    from .board.clocks import Clocks
    from .board.device import RemoteDevice
    from .board.gpio import Gpio, GpioPin
    from .board.interrupts import InterruptPin, Interrupts
    from .board.loaded import Loaded
    from .board.mmio import MMIO
    from .board.sensors import Reading, Sensors
    from .config import Address, BoardSpec, Limits, Timeouts, Tls
    from .farm import BoardFarm, Health, MapResult, Results
    from .overlay import DefaultHierarchy, DefaultIP, Overlay
    from .progress import Progress
else:
    # Imported when first asked for: pytest loads the plugin of this package, and with it this file, in every test run.
    _HOMES = {
        "bitstream": ("Bitstream", "Design", "load_bitstream", "load_design"),
        "board.buffer": ("Buffer",),
        "board.clocks": ("Clocks",),
        "board.device": ("RemoteDevice",),
        "board.gpio": ("Gpio", "GpioPin"),
        "board.interrupts": ("InterruptPin", "Interrupts"),
        "board.loaded": ("Loaded",),
        "board.mmio": ("MMIO",),
        "board.sensors": ("Reading", "Sensors"),
        "config": ("Address", "BoardSpec", "Limits", "Timeouts", "Tls"),
        "farm": ("BoardFarm", "Health", "MapResult", "Results"),
        "overlay": ("DefaultHierarchy", "DefaultIP", "Overlay"),
        "progress": ("Progress",),
    }

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                module = import_module(f"{__name__}.{home}")
                globals().update({each: getattr(module, each) for each in names})
                return globals()[name]

        if name in ("config", "errors"):
            return import_module(f"{__name__}.{name}")

        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})


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
