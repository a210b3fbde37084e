"""The clock generators of the processing system: its CPU clock, and those for the programmable logic.

Zynq-7000: UG585, appendix B.28 (slcr). Zynq UltraScale+: UG1087, CRL_APB and CRF_APB. Versal: AM012, CRP, CRF and CRL.
The files of the device tree are those of Linux: zynq-7000.dtsi, zynqmp-clk-ccf.dtsi and versal-clk.dtsi, by old and new
names. Linux times its serial port by them, so they are right on a board that has a console.
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
class ClockControl:
    """The control register of one clock, in the block at `base`; `sources` maps the source field's value to a PLL."""

    base: int
    source: Field
    divisors: tuple[Field, ...]
    enable: Field | None
    sources: Mapping[int, Pll]


@dataclass(frozen=True, slots=True)
class ClockTree:
    """What a family's clocks are made from.

    Attributes:
        reference_mhz: the crystal's frequency on most boards.
        reference_files: where the device tree may have it in Hz, as a big-endian 32-bit number.
        cpu: the clock of the application processors.
        pl: the clocks for the programmable logic, all in one block.
    """

    reference_mhz: float
    reference_files: tuple[str, ...]
    cpu: ClockControl
    pl: tuple[ClockControl, ...]


_SLCR = 0xF800_0000
_CRL_APB = 0xFF5E_0000
_CRF_APB = 0xFD1A_0000
_CRP = 0xF126_0000
_CRF = 0xFD1A_0000
_CRL = 0xFF5E_0000


def _zynq_pll(offset: int) -> Pll:
    return Pll(_SLCR, feedback=Field(offset, 12, 7))  # PLL_FDIV


def _zynqmp_pll(base: int, offset: int, extra: Field | None = None) -> Pll:
    return Pll(base, feedback=Field(offset, 8, 7), divide=Field(offset, 16, 1), extra=extra)  # FBDIV, DIV2


def _versal_pll(base: int, offset: int, extra: Field | None = None) -> Pll:
    return Pll(base, feedback=Field(offset, 8, 8), divide=Field(offset, 16, 2), extra=extra)  # FBDIV, CLKOUTDIV


_ARM_PLL, _DDR_PLL, _IO_PLL = _zynq_pll(0x100), _zynq_pll(0x104), _zynq_pll(0x108)

_ZYNQ = ClockTree(
    reference_mhz=50.0,
    reference_files=(
        "/proc/device-tree/axi/slcr@f8000000/clkc@100/ps-clk-frequency",
        "/proc/device-tree/amba/slcr@f8000000/clkc@100/ps-clk-frequency",
    ),
    cpu=ClockControl(  # ARM_CLK_CTRL
        _SLCR,
        source=Field(0x120, 4, 2),
        divisors=(Field(0x120, 8, 6),),
        enable=None,
        sources={0: _ARM_PLL, 1: _ARM_PLL, 2: _DDR_PLL, 3: _IO_PLL},
    ),
    pl=tuple(
        ClockControl(  # FPGAn_CLK_CTRL
            _SLCR,
            source=Field(offset, 4, 2),
            divisors=(Field(offset, 8, 6), Field(offset, 20, 6)),
            enable=None,
            sources={0: _IO_PLL, 1: _IO_PLL, 2: _ARM_PLL, 3: _DDR_PLL},
        )
        for offset in (0x170, 0x180, 0x190, 0x1A0)
    ),
)

_ZYNQMP = ClockTree(
    reference_mhz=33.333,
    reference_files=(
        "/proc/device-tree/pss_ref_clk/clock-frequency",
        "/proc/device-tree/pss-ref-clk/clock-frequency",
    ),
    cpu=ClockControl(  # ACPU_CTRL
        _CRF_APB,
        source=Field(0x60, 0, 3),
        divisors=(Field(0x60, 8, 6),),
        enable=Field(0x60, 24, 1),
        sources={
            0: _zynqmp_pll(_CRF_APB, 0x20),  # APLL_CTRL
            2: _zynqmp_pll(_CRF_APB, 0x2C),  # DPLL_CTRL
            3: _zynqmp_pll(_CRF_APB, 0x38),  # VPLL_CTRL
        },
    ),
    pl=tuple(
        ClockControl(  # PLn_REF_CTRL
            _CRL_APB,
            source=Field(offset, 0, 3),
            divisors=(Field(offset, 8, 6), Field(offset, 16, 6)),
            enable=Field(offset, 24, 1),
            sources={
                0: _zynqmp_pll(_CRL_APB, 0x20),  # IOPLL_CTRL
                2: _zynqmp_pll(_CRL_APB, 0x30),  # RPLL_CTRL
                3: _zynqmp_pll(_CRF_APB, 0x2C, extra=Field(0x4C, 8, 6)),  # DPLL_CTRL through DPLL_TO_LPD_CTRL
            },
        )
        for offset in (0xC0, 0xC4, 0xC8, 0xCC)
    ),
)

_VERSAL = ClockTree(
    reference_mhz=33.3333,
    reference_files=("/proc/device-tree/ref_clk/clock-frequency", "/proc/device-tree/ref/clock-frequency"),
    cpu=ClockControl(  # ACPU_CTRL
        _CRF,
        source=Field(0x10C, 0, 3),
        divisors=(Field(0x10C, 8, 10),),
        enable=Field(0x10C, 25, 1),
        sources={
            0: _versal_pll(_CRP, 0x40, extra=Field(0x100, 8, 10)),  # PMCPLL_CTRL through PPLL_TO_XPD_CTRL
            1: _versal_pll(_CRL, 0x40, extra=Field(0x100, 8, 10)),  # RPLL_CTRL through RPLL_TO_XPD_CTRL
            2: _versal_pll(_CRF, 0x40),  # APLL_CTRL
            3: _versal_pll(_CRP, 0x50, extra=Field(0x104, 8, 10)),  # NOCPLL_CTRL through NPLL_TO_XPD_CTRL
        },
    ),
    pl=tuple(
        ClockControl(  # PLn_REF_CTRL
            _CRP,
            source=Field(offset, 0, 3),
            divisors=(Field(offset, 8, 10),),
            enable=Field(offset, 24, 1),
            sources={0: _versal_pll(_CRP, 0x40), 3: _versal_pll(_CRP, 0x50)},  # PMCPLL_CTRL, NOCPLL_CTRL
        )
        for offset in (0x5C0, 0x5C4, 0x5C8, 0x5CC)
    ),
)

CLOCK_TREES: dict[str, ClockTree] = {"zynq7000": _ZYNQ, "zynqmp": _ZYNQMP, "versal": _VERSAL}
