"""The DMA driver: what it moves, in how many calls, and what it refuses."""

import asyncio
from pathlib import Path

import numpy as np
import pynqmetadata
import pytest

from pynq_async import Buffer, load_design
from pynq_async.errors import (
    BufferFreed,
    ConnectionLost,
    Misuse,
    NotInDesign,
    StaleHandle,
)
from pynq_async.hardware import axi_dma
from pynq_async.overlay import DMA
from pynq_async.sim import SimBoard

from .dmas import GATHER, SHORT_PIECES, SIMPLE, WIDE, WIDE_GATHER, Mode, loopback, offer, taken, with_dma

pytestmark = pytest.mark.usefixtures("impatient")
MODES = pytest.mark.parametrize(
    "mode", [SIMPLE, GATHER, SHORT_PIECES, WIDE, WIDE_GATHER], ids=["simple", "gather", "pieces", "wide", "wide gather"]
)


@MODES
async def test_buffers_go_through_a_loopback_again_and_again(mode: Mode) -> None:
    async with (
        with_dma(options={"model_cache": True}, **mode) as (_, board, dma),
        board.allocate((10, 50), "u2") as data,
        board.allocate((10, 50), "u2") as result,
    ):
        for turn in range(5):
            data[:] = np.arange(500).reshape(10, 50) + turn
            await loopback(dma, data, result)
            assert (result == data).all()
            assert await dma.sendchannel.transferred() == await dma.recvchannel.transferred() == 1000


@pytest.mark.parametrize(
    ("mode", "calls"),
    [(SIMPLE, {"mmio.write": 4, "mmio.read": 2}), (WIDE, {"mmio.write": 4, "mmio.read": 2})],
    ids=["simple", "wide"],
)
async def test_a_loopback_takes_ten_calls_data_included(mode: Mode, calls: dict[str, int]) -> None:
    async with (
        with_dma(**mode) as (sim, board, dma),
        board.allocate(1024, "u4") as data,
        board.allocate(1024, "u4") as result,
    ):
        await loopback(dma, data, result)
        data[:] = 7
        sim.counters.calls.clear()
        await loopback(dma, data, result)
        moved = {"buffer.write": 1, "buffer.flush": 1, "buffer.invalidate": 1, "buffer.read": 1}
        assert dict(sim.counters.calls) == calls | moved
        assert sim.counters.calls.total() == 10
        assert (result == 7).all()


async def test_a_loopback_with_descriptors_takes_fourteen() -> None:
    async with (
        with_dma(**GATHER) as (sim, board, dma),
        board.allocate(1024, "u4") as data,
        board.allocate(1024, "u4") as result,
    ):
        await loopback(dma, data, result)
        sim.counters.calls.clear()
        await loopback(dma, data, result)
        assert sim.counters.calls.total() == 14


async def test_the_upper_half_of_an_address_is_written_only_where_it_changes() -> None:
    async with with_dma(**WIDE) as (sim, board, dma), board.allocate(64, "u1") as data:
        written: list[int] = []

        def see(_: int, word: int) -> int:
            written.append(word)
            return word

        sim.on_write(dma.mmio.base + axi_dma.MM2S.address + 4, see)
        memory = data._memory
        assert memory is not None
        low = memory.physical_address

        for high in (0, 3, 3, 0):
            memory.physical_address = low | high << 32
            await dma.sendchannel.transfer(data)

            if high:
                with pytest.raises(Exception, match="decode error"):  # the board has no memory there
                    await dma.sendchannel.wait()
            else:
                await dma.sendchannel.stop()

        memory.physical_address = low
        assert written == [3, 3], "once after each reset"


@MODES
async def test_parts_of_buffers_are_moved_and_nothing_else(mode: Mode) -> None:
    async with (
        with_dma(**mode) as (sim, board, dma),
        board.allocate(1200, "u1") as data,
        board.allocate((3, 400), "u1") as result,
    ):
        data[:] = np.arange(1200) % 251
        result[:] = 1
        await result.sync_to_device()
        result[:] = 2
        await dma.recvchannel.transfer(result[1], start=40, nbytes=300)
        await dma.sendchannel.transfer(data[400:], 100, 300)
        await dma.sendchannel.wait()
        await dma.recvchannel.wait()
        assert (result[1, 40:340] == data[500:800]).all()
        assert (np.delete(result.reshape(-1), np.s_[440:740]) == 2).all(), "the rest is as the host had it"
        on_board = np.frombuffer(sim.memory.read(result.physical_address, 1200), "u1")
        assert (np.delete(on_board, np.s_[440:740]) == 1).all()

        await dma.recvchannel.transfer(result, start=800)
        await dma.sendchannel.transfer(data, nbytes=400)
        await dma.recvchannel.wait()
        assert (result[2] == data[:400]).all()


@MODES
async def test_a_packet_may_be_shorter_than_its_buffer(mode: Mode) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma), board.allocate(1000, "u1") as result:
        for text in (b"once", b"again" * 90, b"and again"):
            await dma.recvchannel.transfer(result)
            offer(sim, text)
            await dma.recvchannel.wait()
            assert await dma.recvchannel.transferred() == len(text)
            assert result[: len(text)].tobytes() == text


async def test_sending_gives_whole_packets_whatever_their_descriptors() -> None:
    async with with_dma(loop=False, **SHORT_PIECES) as (sim, board, dma), board.allocate(9000, "u1") as data:
        data[:] = np.arange(9000) % 253

        for nbytes in (1, 191, 192, 193, 9000, 9000, 10):
            await dma.sendchannel.transfer(data, nbytes=nbytes)
            assert taken(sim) == data[:nbytes].tobytes()
            await dma.sendchannel.wait()
            assert await dma.sendchannel.transferred() == nbytes


async def test_data_may_stay_on_the_board() -> None:
    async with with_dma() as (sim, board, dma), board.allocate(64, "u1") as one, board.allocate(64, "u1") as other:
        one[:] = 5
        await one.sync_to_device()
        await dma.recvchannel.launch(other)
        await dma.sendchannel.launch(one)
        await dma.sendchannel.finish()
        await dma.recvchannel.finish()
        assert sim.memory.read(other.physical_address, 64) == b"\5" * 64
        assert not other.any()
        await dma.recvchannel.wait()
        assert (other == 5).all()


async def test_starting_and_stopping() -> None:
    async with with_dma() as (sim, board, dma), board.allocate(64, "u1") as data:
        channel = dma.sendchannel
        assert not await channel.running()
        await channel.start()
        assert await channel.running() and not await channel.idle() and not await channel.error()
        await dma.recvchannel.transfer(data)
        await channel.transfer(data)
        await channel.wait()
        assert await channel.idle()
        resets = _resets(sim)
        await channel.stop()
        assert not await channel.running() and not await channel.idle()
        await channel.transfer(data)
        assert await channel.running()
        assert _resets(sim) == resets, "what is idle halts by itself"
        assert repr(channel) == f"<SimpleChannel dma.sendchannel of {board.name}, in flight>"


def _resets(sim: SimBoard) -> int:
    life: int = sim.ip["dma"].send._life
    return life


async def test_looking_at_a_dma_does_no_io() -> None:
    async with with_dma() as (sim, _, dma):
        calls = sim.counters.calls.total()
        assert "not started" in repr(dma.sendchannel)
        assert str(dma.recvchannel) == "dma.recvchannel"
        assert dma.buffer_max_size == (1 << 20) - 1
        assert hasattr(dma, "recvchannel")
        assert sim.counters.calls.total() == calls


async def test_a_channel_that_the_design_leaves_out_is_missed_by_name() -> None:
    async with with_dma(loop=False, C_INCLUDE_MM2S=0) as (sim, board, dma), board.allocate(16, "u1") as result:
        with pytest.raises(NotInDesign, match=r"dma has no sendchannel: the design leaves MM2S out"):
            _ = dma.sendchannel

        with pytest.raises(NotInDesign, match="no sendchannel"):
            dma.stream(16)

        assert not hasattr(dma, "sendchannel")
        await dma.recvchannel.transfer(result)
        offer(sim, b"alone")
        await dma.recvchannel.wait()

    async with with_dma(loop=False, C_INCLUDE_S2MM=0) as (sim, board, dma), board.allocate(16, "u1") as data:
        with pytest.raises(NotInDesign, match=r"no recvchannel: the design leaves S2MM out"):
            _ = dma.recvchannel

        await dma.sendchannel.transfer(data)


@MODES
async def test_one_transfer_at_a_time_a_channel(mode: Mode) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma), board.allocate(64, "u1") as data:
        for _ in range(2):
            await dma.sendchannel.transfer(data)
            writes = sim.counters.calls["mmio.write"]

            with pytest.raises(Misuse, match=r"dma.sendchannel has a transfer in flight; wait for it, or stop"):
                await dma.sendchannel.transfer(data)

            assert sim.counters.calls["mmio.write"] == writes
            assert taken(sim) == bytes(64)
            # Nobody waited for it, but it is done.


async def test_several_tasks_may_wait_for_one_transfer() -> None:
    async with with_dma(loop=False) as (sim, board, dma), board.allocate(64, "u1") as result:
        await dma.recvchannel.transfer(result)

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(dma.recvchannel.wait())

            await asyncio.sleep(0)
            offer(sim, b"\7" * 64)

        assert (result == 7).all()
        assert sim.counters.calls["buffer.read"] == 1
        await dma.recvchannel.wait()
        assert sim.counters.calls["buffer.read"] == 1


async def test_both_directions_at_once_from_many_tasks() -> None:
    async with with_dma(options={"hazards": None}) as (_, board, dma):
        turn = asyncio.Lock()

        async def use(value: int) -> None:
            async with board.allocate(256, "u1") as data, board.allocate(256, "u1") as result:
                data[:] = value

                async with turn, asyncio.TaskGroup() as group:
                    group.create_task(_through(dma, data, result))

                assert (result == value).all()

        async with asyncio.TaskGroup() as group:
            for value in range(1, 6):
                group.create_task(use(value))


async def _through(dma: DMA, data: Buffer, result: Buffer) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(dma.recvchannel.transfer(result))
        group.create_task(dma.sendchannel.transfer(data))

    async with asyncio.TaskGroup() as group:
        group.create_task(dma.recvchannel.wait())
        group.create_task(dma.sendchannel.wait())


async def test_a_freed_buffer_between_arrival_and_waiting() -> None:
    async with with_dma(loop=False) as (sim, board, dma):
        result = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(result)
        offer(sim, bytes(64))
        await dma.recvchannel.finish()
        await result.free()

        with pytest.raises(BufferFreed):
            await dma.recvchannel.wait()


async def test_descriptors_follow_a_restarted_server() -> None:
    async with with_dma(**GATHER) as (sim, board, dma):
        async with board.allocate(64, "u1") as data:
            await dma.recvchannel.transfer(data)
            await dma.sendchannel.transfer(data)
            await dma.recvchannel.wait()
            await sim.restart()

            with pytest.raises((StaleHandle, ConnectionLost)):  # whichever is noticed first
                await dma.sendchannel.transfer(data)

        async with board.allocate(64, "u1") as data, board.allocate(64, "u1") as result:
            data[:] = 3
            await loopback(dma, data, result)
            assert (result == 3).all()


async def test_the_register_table_is_that_of_a_real_description() -> None:
    hwhs = Path(pynqmetadata.__file__).parent / "tests" / "hwhs"
    found = (await load_design(hwhs / "resizer.hwh")).ip_dict["axi_dma_0"]["registers"]

    for registers, address in ((axi_dma.MM2S, "SA"), (axi_dma.S2MM, "DA")):
        names = {
            "DMACR": registers.control,
            "DMASR": registers.status,
            "CURDESC": registers.current,
            "CURDESC_MSB": registers.current + 4,
            "TAILDESC": registers.tail,
            "TAILDESC_MSB": registers.tail + 4,
            address: registers.address,
            f"{address}_MSB": registers.address + 4,
            "LENGTH": registers.length,
        }

        for name, offset in names.items():
            assert found[f"{registers.name}_{name}"]["address_offset"] == offset

        bits = {
            "DMACR": {
                "RS": axi_dma.RUN,
                "Reset": axi_dma.RESET,
                "IOC_IrqEn": axi_dma.IOC_IRQ_ENABLE,
                "Err_IrqEn": axi_dma.ERR_IRQ_ENABLE,
                "IRQThreshold": axi_dma.THRESHOLD.mask,
            },
            "DMASR": {
                "Halted": axi_dma.HALTED,
                "Idle": axi_dma.IDLE,
                "SGIncld": axi_dma.SG_INCLUDED,
                "DMAIntErr": axi_dma.INTERNAL_ERROR,
                "DMASlvErr": axi_dma.SLAVE_ERROR,
                "DMADecErr": axi_dma.DECODE_ERROR,
                "SGIntErr": axi_dma.SG_INTERNAL_ERROR,
                "SGSlvErr": axi_dma.SG_SLAVE_ERROR,
                "SGDecErr": axi_dma.SG_DECODE_ERROR,
                "IOC_Irq": axi_dma.IOC_IRQ,
                "Err_Irq": axi_dma.ERR_IRQ,
            },
        }

        for name, fields in bits.items():
            for field, mask in fields.items():
                place = found[f"{registers.name}_{name}"]["fields"][field]
                assert ((1 << place["bit_width"]) - 1) << place["bit_offset"] == mask, field
