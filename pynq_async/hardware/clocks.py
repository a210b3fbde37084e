"""The clock generators that feed the programmable logic, one table a family.

Zynq-7000: UG585, appendix B.28 (slcr). Zynq UltraScale+: UG1087, CRL_APB and CRF_APB. Versal: AM012, CRP.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .registers import Field


@dataclass(frozen=True, slots=True)
class Pll:
    """A PLL: output = reference * feedback / divider, where the divider is 2 ** `divide` (absent: 1).

    `base` is the address of the register block; `extra` a further divisor between the PLL and its users.
    """

    base: int
    feedback: Field
    divide: Field | None = None
    extra: Field | None = None


@dataclass(frozen=True, slots=True)
class PlClockControl:
    """The control register of one PL clock."""

    source: Field
    divisors: tuple[Field, ...]
    enable: Field | None


@dataclass(frozen=True, slots=True)
class ClockTree:
    """What a family's PL clocks are made from; `sources` maps the source field's value to a PLL."""

    base: int
    length: int
    reference_mhz: float
    clocks: tuple[PlClockControl, ...]
    sources: Mapping[int, Pll]


_SLCR = 0xF800_0000
_CRL_APB = 0xFF5E_0000
_CRF_APB = 0xFD1A_0000
_CRP = 0xF126_0000


def _zynq_pll(offset: int) -> Pll:
    return Pll(_SLCR, feedback=Field(offset, 12, 7))  # PLL_FDIV


def _zynqmp_pll(base: int, offset: int, extra: Field | None = None) -> Pll:
    return Pll(base, feedback=Field(offset, 8, 7), divide=Field(offset, 16, 1), extra=extra)  # FBDIV, DIV2


def _versal_pll(offset: int) -> Pll:
    return Pll(_CRP, feedback=Field(offset, 8, 8), divide=Field(offset, 16, 2))  # FBDIV, CLKOUTDIV


def _zynq_clock(offset: int) -> PlClockControl:
    return PlClockControl(source=Field(offset, 4, 2), divisors=(Field(offset, 8, 6), Field(offset, 20, 6)), enable=None)


def _zynqmp_clock(offset: int) -> PlClockControl:
    return PlClockControl(
        source=Field(offset, 0, 3),
        divisors=(Field(offset, 8, 6), Field(offset, 16, 6)),
        enable=Field(offset, 24, 1),
    )


def _versal_clock(offset: int) -> PlClockControl:
    return PlClockControl(source=Field(offset, 0, 3), divisors=(Field(offset, 8, 10),), enable=Field(offset, 24, 1))


_IO_PLL, _ARM_PLL, _DDR_PLL = _zynq_pll(0x108), _zynq_pll(0x100), _zynq_pll(0x104)

CLOCK_TREES: dict[str, ClockTree] = {
    "zynq7000": ClockTree(
        base=_SLCR,
        length=0x200,
        reference_mhz=50.0,
        clocks=tuple(_zynq_clock(0x170 + 0x10 * index) for index in range(4)),  # FPGAn_CLK_CTRL
        sources={0: _IO_PLL, 1: _IO_PLL, 2: _ARM_PLL, 3: _DDR_PLL},
    ),
    "zynqmp": ClockTree(
        base=_CRL_APB,
        length=0x100,
        reference_mhz=33.333,
        clocks=tuple(_zynqmp_clock(0xC0 + 4 * index) for index in range(4)),  # PLn_REF_CTRL
        sources={
            0: _zynqmp_pll(_CRL_APB, 0x20),  # IOPLL_CTRL
            2: _zynqmp_pll(_CRL_APB, 0x30),  # RPLL_CTRL
            3: _zynqmp_pll(_CRF_APB, 0x2C, extra=Field(0x4C, 8, 6)),  # DPLL_CTRL through DPLL_TO_LPD_CTRL
        },
    ),
    "versal": ClockTree(
        base=_CRP,
        length=0x1000,
        reference_mhz=33.3333,
        clocks=tuple(_versal_clock(0x5C0 + 4 * index) for index in range(4)),  # PLn_REF_CTRL
        sources={0: _versal_pll(0x40), 3: _versal_pll(0x50)},  # PMCPLL_CTRL, NOCPLL_CTRL
    ),
}
