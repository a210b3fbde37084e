"""Hardware that goes on using memory (H30)."""

from pynq_async import Overlay
from pynq_async.hardware.axi_dma import RUN, S2MM
from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..designs import design, ip
from .conftest import assert_works, careless, endangered, firmware

BASE = 0x4040_0000
DESIGN = design({"dma": ip("xilinx.com:ip:axi_dma:7.1", BASE, parameters={"C_INCLUDE_SG": 0, "C_SG_LENGTH_WIDTH": 16})})


def send(sim: SimBoard) -> None:
    """A packet comes to the DMA."""
    sim.ip["dma"].site.stream("S_AXIS_S2MM").send(b"\xff" * 64)


async def test_h30_hardware_writes_to_memory_that_was_freed_without_defence() -> None:
    async with careless(designs=[DESIGN]) as (sim, raw):
        await raw.write_file("/lib/firmware/dma.bin", firmware().data)
        await raw.write_file("/sys/class/fpga_manager/fpga0/firmware", b"dma.bin")
        mine = await raw.allocate(64)
        where = (await raw.call(methods.PHYSICAL_ADDRESS, m.AddressRequest(buffer_id=mine))).address
        registers = await raw.map(BASE)

        for offset, word in ((S2MM.control, RUN), (S2MM.address, where), (S2MM.length, 64)):
            await raw.store(registers, offset, word)

        await raw.free(mine)
        other = await raw.allocate(4096)
        send(sim)
        assert (await raw.fetch(other))[0][:64] == b"\xff" * 64, "it was somebody else's"
        await raw.free(other)


async def test_h30_hardware_is_stopped_before_its_memory_is_freed() -> None:
    async with endangered(designs=[DESIGN]) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN)
        mine = await board.allocate(64, "u1")
        await overlay.dma.recvchannel.transfer(mine)
        where = mine.physical_address
        await mine.free()

        async with board.allocate(4096, "u1") as other:
            assert other.physical_address == where
            send(sim)
            await other.sync_from_device()
            assert not other.any()

        assert sim.counters.strays == 0
        await assert_works(sim, board)


async def test_h30_hardware_is_stopped_before_a_restarted_server_gives_its_memory_out_again() -> None:
    async with endangered(designs=[DESIGN]) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN)
        mine = await board.allocate(64, "u1")
        await overlay.dma.recvchannel.transfer(mine)
        where = mine.physical_address
        await sim.restart()

        async with board.allocate(4096, "u1") as other:
            assert other.physical_address == where
            send(sim)
            await other.sync_from_device()
            assert not other.any()

        await mine.free()
        assert sim.counters.strays == 0
        await assert_works(sim, board)
