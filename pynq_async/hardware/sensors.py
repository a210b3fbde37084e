"""What the monitors of the chips measure, and in which files Linux shows it.

UG480 (XADC), UG580 (SYSMONE4), UG1085 chapter "PS SYSMON", AM006 (Versal). Linux: xilinx-xadc-core.c; xilinx-ams.c as
Xilinx had it up to 5.15 (`ams`) and as it is in the kernel since (`xilinx-ams`, whose channels have no names);
versal-sysmon.c. The files: Documentation/ABI/testing/sysfs-bus-iio and Documentation/hwmon/sysfs-interface.rst.
"""

from dataclasses import dataclass

IIO_DEVICES = tuple(f"/sys/bus/iio/devices/iio:device{number}" for number in range(4))
HWMON_DEVICES = tuple(f"/sys/class/hwmon/hwmon{number}" for number in range(24))


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity of a monitor, in thousandths of its unit: (`FILE_raw` + `FILE_offset`) * `FILE_scale`.

    Attributes:
        name: what is measured.
        file: how the names of its files begin.
        unit: of the quantity.
        scale: where there is no file for it; the raw number is then two's complement of 16 bits.
        die: whether it is the temperature of the die.
    """

    name: str
    file: str
    unit: str = "V"
    scale: float | None = None
    die: bool = False


def _temperature(name: str, file: str, *, scale: float | None = None, die: bool = False) -> Channel:
    return Channel(name, file, "°C", scale, die)


def _voltages(names: str, first: int, *, named: bool) -> tuple[Channel, ...]:
    return tuple(
        Channel(name, f"in_voltage{number}_{name}" if named else f"in_voltage{number}")
        for number, name in enumerate(names.split(), first)
    )


_PS = "vccpsintlp vccpsintfp vccpsaux vccpsddr vccpsio3 vccpsio0 vccpsio1 vccpsio2 psmgtravcc psmgtravtt vccams"
_PL = "vccint vccaux vccvrefp vccvrefn vccbram vccplintlp vccplintfp vccplaux"

# By the device's `name`. Channels 0 to 6 of the UltraScale+ monitor are left out: to read one stops all others.
MONITORS: dict[str, tuple[Channel, ...]] = {
    "xadc": (
        _temperature("temp", "in_temp0", die=True),
        *_voltages("vccint vccaux vccbram vccpint vccpaux vccoddr vrefp vrefn", 0, named=True),
    ),
    "ams": (
        _temperature("ps_temp", "in_temp0_ps_temp", die=True),
        _temperature("remote_temp", "in_temp1_remote_temp"),
        _temperature("pl_temp", "in_temp2_pl_temp"),
        *_voltages(_PS, 7, named=True),
        *_voltages(_PL, 18, named=True),
    ),
    "xilinx-ams": (
        _temperature("ps_temp", "in_temp7", die=True),
        _temperature("remote_temp", "in_temp8"),
        *_voltages(_PS, 9, named=False),
        _temperature("pl_temp", "in_temp20"),
        *_voltages(_PL, 21, named=False),
    ),
    # The names of its supplies come from the design and cannot be listed.
    "xlnx,versal-sysmon": (_temperature("temp", "in_temp160_temp", scale=1000 / 128, die=True),),
}


@dataclass(frozen=True, slots=True)
class Feature:
    """A kind of quantity that chips on the board measure, in `KINDn_input`; `scale` makes it the unit."""

    kind: str
    numbers: range
    unit: str
    scale: float


FEATURES = (
    Feature("temp", range(1, 5), "°C", 1e-3),
    Feature("in", range(8), "V", 1e-3),
    Feature("curr", range(1, 5), "A", 1e-3),
    Feature("power", range(1, 5), "W", 1e-6),
)
