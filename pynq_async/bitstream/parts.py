"""Which family of devices a part number or a processing system belongs to."""

import re
from typing import Literal

Family = Literal["zynq7000", "zynqmp", "versal"]

# MODTYPE of the block that is the processing system, as Vivado writes it into a hardware description.
PROCESSING_SYSTEMS: dict[str, Family] = {
    "processing_system7": "zynq7000",
    "zynq_ultra_ps_e": "zynqmp",
    "versal_cips": "versal",
    "pspmc": "versal",
    "ps_wizard": "versal",
    "ps11": "versal",
    "pmcps": "versal",
}

# xc commercial, xa automotive, xq and xqr for defence and space; Vivado leaves the prefix out for some 7-series parts.
_PREFIX = r"(?:xc|xa|xqr|xq)?"

# The digits matter: xcvu9p is a Virtex and xc2vp30 a Virtex-II Pro, xcve2302 and xc2vp3402 are Versal.
_PARTS: tuple[tuple[str, Family], ...] = (
    (r"7z\d{3}", "zynq7000"),
    (r"zu\d{1,2}[a-z]|k2[46]\b", "zynqmp"),
    (r"v[cemphnr]\d{4}|2v[emp]\d{4}", "versal"),
)


def family_of(part: str) -> Family | None:
    """The family of a part such as `7z020clg400` or `xczu7ev-ffvc1156-2-e`; None where it has no processing system."""
    for pattern, family in _PARTS:
        if re.match(_PREFIX + rf"(?:{pattern})", part.lower()):
            return family

    return None
