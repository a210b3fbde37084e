"""The tables of the AXI IIC and the AXI VDMA against the register lists of real designs."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pynq_async import load_design
from pynq_async.hardware import axi_iic, axi_vdma
from pynq_async.hardware.axi_vdma import VdmaRegisters

OVERLAYS = Path(os.environ.get("PYNQ_ASYNC_OVERLAYS") or Path(__file__).parents[4] / "shared" / "overlays")

IIC = {  # the names of the table, by the fields of the description
    "CR": {
        "EN": "ENABLE",
        "TX_FIFO_Reset": "TX_FIFO_RESET",
        "MSMS": "MASTER",
        "TX": "TRANSMIT",
        "TXAK": "NO_ACKNOWLEDGE",
        "RSTA": "REPEATED_START",
        "GC_EN": "GENERAL_CALL",
    },
    "SR": {
        "BB": "BUS_BUSY",
        "SRW": "SLAVE_READ",
        "TX_FIFO_Full": "TX_FULL",
        "RX_FIFO_Full": "RX_FULL",
        "RX_FIFO_Empty": "RX_EMPTY",
        "TX_FIFO_Empty": "TX_EMPTY",
    },
    "TX_FIFO": {"Start": "START", "Stop": "STOP"},
    "GIE": {"GIE": "GLOBAL_ENABLE"},
}
STATUS = {
    "Halted": "HALTED",
    "VDMAIntErr": "INTERNAL_ERROR",
    "VDMASlvErr": "SLAVE_ERROR",
    "VDMADecErr": "DECODE_ERROR",
    "SOFEarlyErr": "SOF_EARLY",
    "EOLEarlyErr": "EOL_EARLY",
    "SOFLateErr": "SOF_LATE",
    "EOLLateErr": "EOL_LATE",
    "FrmCnt_Irq": "FRAME_COUNT_IRQ",
    "DlyCnt_Irq": "DELAY_IRQ",
    "Err_Irq": "ERROR_IRQ",
}
CONTROL = {
    "RS": "RUN",
    "Circular_Park": "CIRCULAR",
    "Reset": "RESET",
    "GenlockEn": "GENLOCK",
    "FrmCnt_IrqEn": "FRAME_COUNT_IRQ_ENABLE",
    "Err_IrqEn": "ERROR_IRQ_ENABLE",
}


async def registers(overlay: str, name: str) -> Mapping[str, Any]:
    path = OVERLAYS / overlay / "base.hwh"

    if not path.exists():
        pytest.skip(f"{path} is not here; PYNQ_ASYNC_OVERLAYS names the folder of real overlays")

    found: Mapping[str, Any] = (await load_design(path)).ip_dict[name]["registers"]
    return found


def mask(entry: Mapping[str, Any], field: str) -> int:
    place = entry["fields"][field]
    return ((1 << int(place["bit_width"])) - 1) << int(place["bit_offset"])


def same_bits(table: ModuleType, entry: Mapping[str, Any], names: Mapping[str, str]) -> None:
    for field, name in names.items():
        if field in entry["fields"]:
            assert mask(entry, field) == getattr(table, name), name


async def test_the_table_of_the_iic_is_that_of_a_real_design() -> None:
    real = await registers("zcu104-base", "fmch_axi_iic")
    assert {name: entry["address_offset"] for name, entry in real.items()} == {
        name: getattr(axi_iic, name) for name in real
    }

    for register, names in IIC.items():
        same_bits(axi_iic, real[register], names)


@pytest.mark.parametrize("overlay", ["pynq-z2-base", "zcu104-base"])
@pytest.mark.parametrize("own", [axi_vdma.MM2S, axi_vdma.S2MM], ids=lambda own: own.name)
async def test_the_table_of_the_vdma_is_that_of_real_designs(overlay: str, own: VdmaRegisters) -> None:
    real = await registers(overlay, "video/axi_vdma")
    offsets = {
        "VDMACR": own.control,
        "VDMASR": own.status,
        "VSIZE": own.vertical,
        "HSIZE": own.horizontal,
        "FRMDLY_STRIDE": own.stride,
        **{f"SA{index + 1}": own.addresses + 4 * index for index in range(axi_vdma.MOST_STORES)},
    }
    assert {name: real[f"{own.name}_{name}"]["address_offset"] for name in offsets} == offsets
    assert real["PARK_PTR_REG"]["address_offset"] == axi_vdma.PARK_PTR
    assert real["VDMA_VERSION"]["address_offset"] == axi_vdma.VERSION
    same_bits(axi_vdma, real[f"{own.name}_VDMACR"], CONTROL)
    same_bits(axi_vdma, real[f"{own.name}_VDMASR"], STATUS)
    assert mask(real[f"{own.name}_VDMACR"], "IRQFrameCount") == axi_vdma.FRAME_COUNT.mask
    assert mask(real[f"{own.name}_VSIZE"], "Vertical_Size") == axi_vdma.LINES.mask
    assert mask(real[f"{own.name}_HSIZE"], "Horizontal_Size") == axi_vdma.BYTES.mask
    assert mask(real[f"{own.name}_FRMDLY_STRIDE"], "Stride") == axi_vdma.STRIDE.mask
    kind = "Rd" if own.name == "MM2S" else "Wr"
    assert mask(real["PARK_PTR_REG"], f"{kind}FrmPtrRef") == own.parked.mask
    assert mask(real["PARK_PTR_REG"], f"{kind}FrmStore") == own.current.mask
