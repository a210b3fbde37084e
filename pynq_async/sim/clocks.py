"""What the boot loader leaves in the clock generators of the processing system; `hardware.clocks` has their fields."""

from types import MappingProxyType

from ..hardware.clocks import CLOCK_TREES
from .memory import Memory
from .options import Family

_BOOTED = MappingProxyType(
    {
        # UG585 appendix B.28, at the 50 MHz of a Pynq-Z2: CPU 650 MHz, PL clocks as its base design has them.
        "zynq7000": {
            0xF800_0100: 0x0001_A008,  # ARM_PLL_CTRL: 1300 MHz
            0xF800_0104: 0x0001_5008,  # DDR_PLL_CTRL: 1050 MHz
            0xF800_0108: 0x0001_4008,  # IO_PLL_CTRL: 1000 MHz
            0xF800_0120: 0x1F00_0200,  # ARM_CLK_CTRL: ARM PLL / 2
            0xF800_0170: 0x0020_0500,  # FPGA0_CLK_CTRL: IO PLL / 5 / 2
            0xF800_0180: 0x0010_0700,  # FPGA1_CLK_CTRL: IO PLL / 7
            0xF800_0190: 0x0010_0500,  # FPGA2_CLK_CTRL: IO PLL / 5
            0xF800_01A0: 0x0020_0500,  # FPGA3_CLK_CTRL: IO PLL / 5 / 2
        },
        # UG1087, at the 33.333 MHz of a ZCU104: CPU 1200 MHz, PL clocks as its base design has them.
        "zynqmp": {
            0xFD1A_0020: 0x0001_4800,  # APLL_CTRL: 1200 MHz
            0xFD1A_002C: 0x0001_4000,  # DPLL_CTRL: 1067 MHz
            0xFD1A_0038: 0x0001_5A00,  # VPLL_CTRL: 1500 MHz
            0xFD1A_004C: 0x0000_0300,  # DPLL_TO_LPD_CTRL: / 3
            0xFD1A_0060: 0x0300_0100,  # ACPU_CTRL: APLL / 1
            0xFF5E_0020: 0x0001_5A00,  # IOPLL_CTRL: 1500 MHz
            0xFF5E_0030: 0x0001_5A00,  # RPLL_CTRL: 1500 MHz
            0xFF5E_00C0: 0x0101_0F00,  # PL0_REF_CTRL: IOPLL / 15
            0xFF5E_00C4: 0x0101_0500,  # PL1_REF_CTRL: IOPLL / 5
            0xFF5E_00C8: 0x0101_0A00,  # PL2_REF_CTRL: IOPLL / 10
            0xFF5E_00CC: 0x0101_0600,  # PL3_REF_CTRL: IOPLL / 6
        },
        # AM012, at the 33.3333 MHz of a VCK190: CPU 1350 MHz, PL0 100 MHz.
        "versal": {
            0xF126_0040: 0x0001_4800,  # PMCPLL_CTRL: 1200 MHz
            0xF126_0050: 0x0002_7800,  # NOCPLL_CTRL: 1000 MHz
            0xF126_0100: 0x0200_0100,  # PPLL_TO_XPD_CTRL: / 1
            0xF126_0104: 0x0200_0100,  # NPLL_TO_XPD_CTRL: / 1
            0xF126_05C0: 0x0100_0C00,  # PL0_REF_CTRL: PMCPLL / 12
            0xF126_05C4: 0x0000_0C00,  # PL1_REF_CTRL to PL3_REF_CTRL: off
            0xF126_05C8: 0x0000_0C00,
            0xF126_05CC: 0x0000_0C00,
            0xFD1A_0040: 0x0001_5100,  # APLL_CTRL: 1350 MHz
            0xFD1A_010C: 0x0200_0102,  # ACPU_CTRL: APLL / 1
            0xFF5E_0040: 0x0001_4800,  # RPLL_CTRL: 1200 MHz
            0xFF5E_0100: 0x0200_0200,  # RPLL_TO_XPD_CTRL: / 2
        },
    }
)

_CRYSTALS = MappingProxyType({"zynq7000": 50_000_000, "zynqmp": 33_333_000, "versal": 33_333_333})


def crystal_file(family: Family) -> tuple[str, bytes]:
    """Give the file of the device tree that has the crystal's frequency, and its content."""
    return CLOCK_TREES[family.name].reference_files[0], _CRYSTALS[family.name].to_bytes(4, "big")


def set_up_clocks(memory: Memory, family: Family) -> None:
    """Put the clock generators into the state after booting, so that clocks have the frequencies of a real board."""
    for address, word in _BOOTED[family.name].items():
        memory.store(address, word)
