"""Data widths of the AXI ports between processing system and programmable logic (Zynq UltraScale+).

UG1087: FPD_SLCR.AXI_FS and LPD_SLCR.AXI_FS for the ports with the processing system as master, AFIFMn.AFIFM_RDCTRL
and AFIFM_WRCTRL for those with it as subordinate. A design's widths stand in the parameters of its processing system.
"""

from dataclasses import dataclass

from .registers import Field


@dataclass(frozen=True, slots=True)
class AxiPort:
    """The `fields`, in the block at `base`, that hold a port's width; `codes` maps a width in bits to their value."""

    parameter: str
    base: int
    fields: tuple[Field, ...]
    codes: dict[int, int]


_MASTER_CODES = {32: 0, 64: 1, 128: 2}
_SUBORDINATE_CODES = {32: 2, 64: 1, 128: 0}
_FPD_SLCR = 0xFD61_5000
_LPD_SLCR = 0xFF41_9000
_AFIFM = (0xFD36_0000, 0xFD37_0000, 0xFD38_0000, 0xFD39_0000, 0xFD3A_0000, 0xFD3B_0000, 0xFF9B_0000)

AXI_PORTS: tuple[AxiPort, ...] = (
    AxiPort("C_MAXIGP0_DATA_WIDTH", _FPD_SLCR, (Field(0, 8, 2),), _MASTER_CODES),  # DW_SS0_SEL
    AxiPort("C_MAXIGP1_DATA_WIDTH", _FPD_SLCR, (Field(0, 10, 2),), _MASTER_CODES),  # DW_SS1_SEL
    AxiPort("C_MAXIGP2_DATA_WIDTH", _LPD_SLCR, (Field(0, 8, 2),), _MASTER_CODES),  # DW_SS2_SEL
    *(
        # FABRIC_WIDTH of the read and of the write channel
        AxiPort(f"C_SAXIGP{index}_DATA_WIDTH", base, (Field(0, 0, 2), Field(0x14, 0, 2)), _SUBORDINATE_CODES)
        for index, base in enumerate(_AFIFM)
    ),
)
