"""What a simulated board measures of itself, in the files in which its kernel shows it."""

import math
import time
from collections.abc import Callable
from functools import partial

from ..hardware.sensors import HWMON_DEVICES, IIO_DEVICES, MONITORS, Channel
from .filesystem import FileSystem, FunctionFile
from .options import Family

# How the drivers show raw numbers: the offset and scale of temperatures, and the scale of voltages.
_XADC = (-2219, 123.040771484, 0.732421875)
_AMS = (-36058, 7.771514892, 0.045776367)
_SYSMON = (0, 0.0, 0.0)

# UltraScale+ by the kernels of PYNQ 3.1 and 4.0: Xilinx's own driver, and Linux's.
_MONITORS = {
    ("zynq7000", "3.1"): ("xadc", _XADC),
    ("zynq7000", "4.0"): ("xadc", _XADC),
    ("zynqmp", "3.1"): ("ams", _AMS),
    ("zynqmp", "4.0"): ("xilinx-ams", _AMS),
    ("versal", "3.1"): ("xlnx,versal-sysmon", _SYSMON),
    ("versal", "4.0"): ("xlnx,versal-sysmon", _SYSMON),
}
_TYPICAL = {
    "temp": 46.5,
    "ps_temp": 41.0,
    "remote_temp": 42.5,
    "pl_temp": 40.5,
    "vccint": 1.0,
    "vccaux": 1.8,
    "vccbram": 1.0,
    "vccpint": 1.0,
    "vccpaux": 1.8,
    "vccoddr": 1.5,
    "vrefp": 1.25,
    "vccpsintlp": 0.85,
    "vccpsintfp": 0.85,
    "vccpsaux": 1.8,
    "vccpsddr": 1.2,
    "vccpsio3": 3.3,
    "vccpsio0": 1.8,
    "vccpsio1": 1.8,
    "vccpsio2": 1.8,
    "psmgtravcc": 0.85,
    "psmgtravtt": 1.8,
    "vccams": 1.8,
    "vccvrefp": 1.25,
    "vccplintlp": 0.85,
    "vccplintfp": 0.85,
    "vccplaux": 1.8,
}
# The board's input, measured by a chip beside the fabric: file, value, and the file's unit.
_SUPPLY = {"in1": (12.05, 1e-3), "curr1": (0.9, 1e-3), "power1": (10.845, 1e-6)}
_SUPPLY_CHIP = "ina226"
_SWING, _TURN = 2.5, 40.0  # °C, seconds


class Drifting(dict[str, float]):
    """What sensors measure, with temperatures that rise and fall as time goes by; `seed` says where they begin."""

    def __init__(self, seed: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seed = seed
        self._clock = clock

    def __getitem__(self, name: str) -> float:
        value = super().__getitem__(name)
        return value + _SWING * math.sin(2 * math.pi * self._clock() / _TURN + self._seed) if "temp" in name else value


def add_sensors(
    files: FileSystem, family: Family, release: str, values: dict[str, float] | None = None
) -> dict[str, float]:
    """Add the files of a board's sensors; returns what they measure, by name, to be changed by tests.

    A sensor that is taken out of the dictionary reads as empty, as one that the kernel fails to read.
    """
    values = {} if values is None else values
    monitor, scales = _MONITORS[family.name, release]
    _add(files, f"{IIO_DEVICES[0]}/name", lambda: monitor)

    for channel in MONITORS[monitor]:
        values[channel.name] = _TYPICAL.get(channel.name, 0.0)
        _add_channel(files, values, channel, *scales)

    if family.name != "zynq7000":
        _add(files, f"{HWMON_DEVICES[0]}/name", lambda: _SUPPLY_CHIP)

        for file, (value, unit) in _SUPPLY.items():
            name = f"{_SUPPLY_CHIP}.{file}"
            values[name] = value
            _add(files, f"{HWMON_DEVICES[0]}/{file}_input", partial(_shown, values, name, unit))

    return values


def _add_channel(
    files: FileSystem, values: dict[str, float], channel: Channel, offset: int, degrees: float, volts: float
) -> None:
    path = f"{IIO_DEVICES[0]}/{channel.file}"
    scale = volts if channel.unit == "V" else channel.scale or degrees
    offset = offset if channel.unit != "V" else 0
    mask = -1 if channel.scale is None else 0xFFFF
    _add(files, f"{path}_raw", partial(_shown, values, channel.name, scale / 1000, offset, mask))

    if channel.scale is None:
        _add(files, f"{path}_scale", lambda: f"{scale:.9f}")

        if offset:
            _add(files, f"{path}_offset", lambda: str(offset))


def _shown(values: dict[str, float], name: str, unit: float, offset: int = 0, mask: int = -1) -> str:
    return f"{round(values[name] / unit - offset) & mask}" if name in values else ""


def _add(files: FileSystem, path: str, text: Callable[[], str]) -> None:
    files.add(path, FunctionFile(lambda: f"{content}\n".encode() if (content := text()) else b""))
