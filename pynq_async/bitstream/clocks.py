"""The clocks that the processing system gives to the fabric, with frequencies where pynqmetadata leaves them out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .parts import Family


@dataclass(frozen=True, slots=True)
class PlClock:
    """One clock from the processing system to the fabric, as the design was built.

    Attributes:
        index: its number, 0 to 3.
        enabled: whether the design uses it; one that it does not is left alone.
        mhz: the frequency that the tools achieved, else the one that was asked for, None where the design has neither.
        divisor0: the first divisor of the source's frequency.
        divisor1: the second one; None on Versal, which has one.
        reference_mhz: frequency of the reference clock on the board that the design was built for.
    """

    index: int
    enabled: bool
    mhz: float | None
    divisor0: int | None
    divisor1: int | None
    reference_mhz: float | None


@dataclass(frozen=True, slots=True)
class _Names:
    achieved: str
    requested: str
    reference: str


# Names of parameters of the processing system in hardware descriptions of Vivado 2020 to 2024.
_NAMES: dict[Family, _Names] = {
    "zynq7000": _Names(
        achieved="PCW_ACT_FPGA{}_PERIPHERAL_FREQMHZ",
        requested="PCW_FPGA{}_PERIPHERAL_FREQMHZ",
        reference="PCW_CRYSTAL_PERIPHERAL_FREQMHZ",
    ),
    "zynqmp": _Names(
        achieved="PSU__CRL_APB__PL{}_REF_CTRL__ACT_FREQMHZ",
        requested="PSU__CRL_APB__PL{}_REF_CTRL__FREQMHZ",
        reference="PSU__PSS_REF_CLK__FREQMHZ",
    ),
    "versal": _Names(
        achieved="PMC_CRP_PL{}_REF_CTRL_ACT_FREQMHZ",
        requested="PMC_CRP_PL{}_REF_CTRL_FREQMHZ",
        reference="PMC_REF_CLK_FREQMHZ",
    ),
}


def pl_clocks(
    clocks: Mapping[int, Mapping[str, Any]], parameters: Mapping[str, str], family: Family
) -> dict[int, PlClock]:
    """Join pynqmetadata's `clock_dict` with the parameters of the processing system."""
    names = _NAMES[family]
    reference = _mhz(parameters.get(names.reference))
    return {
        index: PlClock(
            index=index,
            enabled=bool(clock.get("enable")),
            mhz=_mhz(clock.get("frequency"))
            or _mhz(parameters.get(names.achieved.format(index)))
            or _mhz(parameters.get(names.requested.format(index))),
            divisor0=clock.get("divisor0"),
            divisor1=clock.get("divisor1"),
            reference_mhz=reference,
        )
        for index, clock in clocks.items()
    }


def _mhz(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None

    return number if math.isfinite(number) and number > 0 else None
