"""A design with an AXI VDMA on a simulated board, and a camera for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pynq_async import Design, Overlay, RemoteDevice
from pynq_async.overlay import AxiVDMA, VideoMode
from pynq_async.sim import SimBoard
from pynq_async.sim.ip import VdmaModel
from tests.boards import simulated

from ...designs import design, firmware, ip

BASE = 0x4300_0000
PARAMETERS = {"C_NUM_FSTORES": 4, "C_M_AXI_S2MM_DATA_WIDTH": 64, "C_M_AXI_MM2S_DATA_WIDTH": 32}
COLOUR, GREY = VideoMode(16, 8, 24), VideoMode(15, 4, 8, stride=24)


def vdma_design(**parameters: object) -> Design:
    return design({"video/vdma": ip("xilinx.com:ip:axi_vdma:6.3", BASE, parameters={**PARAMETERS, **parameters})})


DESIGN = vdma_design()


class Camera:
    """Sends a frame every millisecond, each filled with its number."""

    def __init__(self, sim: SimBoard, mode: VideoMode = COLOUR, period: float = 0.001) -> None:
        self.channel = model(sim).s2mm
        self.size = mode.height * mode.bytes_per_line
        self.period = period
        self.number = 0
        self._send()

    def _send(self) -> None:
        if not self.channel.stream.waiting:
            self.number += 1
            self.channel.stream.send(bytes([self.number % 256]) * self.size)

        self.stop = self.channel.site.later(self.period, self._send)


def model(sim: SimBoard) -> VdmaModel:
    found = sim.ip["video/vdma"]
    assert isinstance(found, VdmaModel)
    return found


@asynccontextmanager
async def vdma(known: Design = DESIGN, **options: Any) -> AsyncIterator[tuple[SimBoard, RemoteDevice, AxiVDMA]]:
    async with simulated(designs=[known], **options) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=known)
        driver = overlay.video.vdma
        assert isinstance(driver, AxiVDMA)
        model(sim).mm2s.frame_seconds = 0.001
        yield sim, board, driver
