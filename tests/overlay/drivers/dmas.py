"""Boards with an AXI DMA in their fabric, for the tests of its driver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pynq_async import Buffer, Design, Overlay, RemoteDevice
from pynq_async.overlay import DMA
from pynq_async.sim import SimBoard
from tests.boards import simulated
from tests.designs import design, firmware, ip

BASE = 0x4040_0000
LOOP = {"dma/M_AXIS_MM2S": "dma/S_AXIS_S2MM"}
Mode = dict[str, Any]
SIMPLE: Mode = {"C_INCLUDE_SG": 0}
GATHER: Mode = {"C_INCLUDE_SG": 1}
SHORT_PIECES: Mode = {"C_INCLUDE_SG": 1, "C_SG_LENGTH_WIDTH": 8}
WIDE: Mode = {"C_ADDR_WIDTH": 40}
WIDE_GATHER: Mode = {"C_ADDR_WIDTH": 40, "C_INCLUDE_SG": 1}


def dma_design(*, loop: bool = True, **parameters: Any) -> Design:
    """A design with a DMA whose streams are connected to each other, or to nothing."""
    settings = {"C_INCLUDE_SG": 0, "C_SG_LENGTH_WIDTH": 20, "C_ADDR_WIDTH": 32} | parameters
    return design({"dma": ip("xilinx.com:ip:axi_dma:7.1", BASE, parameters=settings)}, streams=LOOP if loop else {})


@asynccontextmanager
async def with_dma(
    *, loop: bool = True, options: dict[str, Any] | None = None, **parameters: Any
) -> AsyncIterator[tuple[SimBoard, RemoteDevice, DMA]]:
    """A board with such a design loaded; on leaving, the DMA must never have touched memory that was free."""
    known = dma_design(loop=loop, **parameters)

    async with simulated(designs=[known], **(options or {})) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=known)
        assert isinstance(overlay.dma, DMA)
        yield sim, board, overlay.dma

    assert sim.counters.strays == 0


async def loopback(dma: DMA, data: Buffer, result: Buffer) -> None:
    """Send one buffer and receive it in another."""
    await dma.sendchannel.transfer(data)
    await dma.recvchannel.transfer(result)
    await dma.sendchannel.wait()
    await dma.recvchannel.wait()


def offer(sim: SimBoard, packet: bytes) -> None:
    """Let the other side of the stream send a packet to the DMA."""
    sim.ip["dma"].site.stream("S_AXIS_S2MM").send(packet)


def taken(sim: SimBoard) -> bytes | None:
    """Let the other side of the stream take a packet from the DMA."""
    packet: bytes | None = sim.ip["dma"].site.stream("M_AXIS_MM2S").take()
    return packet
