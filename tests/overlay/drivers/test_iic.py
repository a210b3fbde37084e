"""The driver of the AXI IIC against its model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pynq_async import Overlay
from pynq_async.errors import BoardError, DeadlineExceeded, HardwareError, Misuse, OutOfRange
from pynq_async.hardware import axi_iic as regs
from pynq_async.overlay import AxiIIC
from pynq_async.sim import IicDevice, IicMemory, SimBoard
from pynq_async.sim.ip import IicModel
from tests.boards import begun, settled, simulated

from ..designs import design, firmware, ip

BASE = 0x4160_0000
MEMORY, PICKY, NOBODY = 0x50, 0x21, 0x33
FAST = {"C_IIC_FREQ": 1_000_000, "C_S_AXI_ACLK_FREQ_HZ": 100_000_000}
OLD = design({"iic": ip("xilinx.com:ip:axi_iic:2.0", BASE, parameters=FAST)})
NEW = design({"iic": ip("xilinx.com:ip:axi_iic:2.1", BASE, parameters={**FAST, "C_TIMING_REG_WIDTH": 32})})


class Picky(IicDevice):
    """Acknowledges two bytes of a message, unless the first is 0xBB."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def acknowledge(self, message: bytes) -> bool:
        return len(message) <= 2 and message[:1] != b"\xbb"

    def write(self, message: bytes) -> None:
        self.messages.append(message)


@asynccontextmanager
async def bus(known: object = OLD) -> AsyncIterator[tuple[SimBoard, AxiIIC, IicMemory]]:
    async with simulated(designs=[known]) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=known)  # type: ignore[arg-type]
        memory = IicMemory(bytes(range(256)))
        model(sim).attach(MEMORY, memory)
        model(sim).attach(PICKY, Picky())
        assert isinstance(overlay.iic, AxiIIC)
        yield sim, overlay.iic, memory


def model(sim: SimBoard) -> IicModel:
    found = sim.ip["iic"]
    assert isinstance(found, IicModel)
    return found


async def test_bytes_are_written_and_read() -> None:
    async with bus() as (_, iic, memory):
        await iic.send(MEMORY, bytes([0x10, 7, 8, 9]))
        assert memory.content[0x10:0x13] == bytes([7, 8, 9])
        assert memory.pointer == 0x13
        assert await iic.receive(MEMORY, 3) == bytes([0x13, 0x14, 0x15])
        assert await iic.transfer(MEMORY, [0x0F], 5) == bytes([0x0F, 7, 8, 9, 0x13])
        assert await iic.transfer(MEMORY, [0x80], 1) == b"\x80"
        assert await iic.receive(MEMORY, 1) == b"\x81"
        await iic.wait()


@pytest.mark.parametrize("count", [15, 16, 40])
async def test_messages_may_be_longer_than_the_fifo(count: int) -> None:
    async with bus() as (_, iic, memory):
        content = bytes(3 * index % 256 for index in range(count))
        await iic.send(MEMORY, [0, *content])
        assert memory.content[:count] == content
        assert await iic.transfer(MEMORY, [0], count) == content


async def test_thirteen_bytes_may_be_written_before_a_read() -> None:
    async with bus() as (_, iic, memory):
        assert await iic.transfer(MEMORY, [0, *[5] * 12], 2) == bytes([12, 13])
        assert await iic.transfer(MEMORY, [0, *[6] * 12], 1) == bytes([12])
        assert memory.content[:12] == bytes([6] * 12)


@pytest.mark.parametrize("known", [OLD, NEW])
async def test_h10_every_byte_arrives_although_the_server_loads_the_fifo_twice(known: object) -> None:
    async with bus(known) as (sim, iic, _):
        loads = 0

        def count(_: int, word: int) -> int:
            nonlocal loads
            loads += 1
            return word

        sim.on_read(BASE + regs.RX_FIFO, count)
        assert await iic.transfer(MEMORY, [0], 20) == bytes(range(20))
        assert loads == 40


async def test_h10_a_byte_lost_between_the_two_loads_is_an_error_and_never_wrong_data() -> None:
    async with bus() as (sim, iic, _):
        model(sim).interrupted = True

        with pytest.raises(HardwareError, match=r"iic received 4 bytes, but 2 were lost: .* twice for one read"):
            await iic.transfer(MEMORY, [0], 4)

        with pytest.raises(HardwareError, match="received 2 bytes, but 1 were lost"):
            await iic.receive(MEMORY, 2)

        assert await iic.transfer(MEMORY, [9], 1) == b"\x09", "a single byte cannot be hit"
        model(sim).interrupted = False
        assert await iic.transfer(MEMORY, [0], 4) == bytes(range(4))


async def test_reads_slow_the_bus_down_where_the_design_lets_them() -> None:
    async with bus(NEW) as (sim, iic, _):
        fast = model(sim).load(regs.TLOW)
        await iic.send(MEMORY, [0])
        assert model(sim).load(regs.TLOW) == fast
        await iic.receive(MEMORY, 1)
        assert model(sim).load(regs.TLOW) == 100_000_000 // 12_500
        await iic.reset()
        assert model(sim).load(regs.TLOW) == fast
        assert await iic.transfer(MEMORY, [3], 2) == bytes([3, 4])

    async with bus(OLD) as (sim, iic, _):
        fast = model(sim).load(regs.TLOW)
        await iic.receive(MEMORY, 1)
        assert model(sim).load(regs.TLOW) == fast


async def test_a_device_that_is_not_there_is_an_error_and_the_bus_is_usable() -> None:
    async with bus() as (_, iic, _memory):
        for attempt in (iic.send(NOBODY, [1, 2, 3]), iic.receive(NOBODY, 2), iic.receive(NOBODY, 1)):
            with pytest.raises(HardwareError, match=r"iic: the device at 0x33 is not there or refused a byte"):
                await attempt

        for count in (1, 2):
            with pytest.raises(HardwareError, match="0x33 is not there"):
                await iic.transfer(NOBODY, [1, 2, 3], count)

        assert await iic.transfer(MEMORY, [1], 2) == bytes([1, 2])


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_byte_that_is_refused_is_an_error_and_what_is_read_after_it_is_not_believed(count: int) -> None:
    async with bus() as (sim, iic, _):
        await iic.send(PICKY, [1, 2])

        with pytest.raises(HardwareError, match="refused a byte"):
            await iic.send(PICKY, [1, 2, 3])

        with pytest.raises(HardwareError, match="refused a byte"):
            await iic.send(PICKY, [0xBB, *range(30)])

        # The core goes on with the read by itself when the last byte written was refused.
        with pytest.raises(HardwareError, match="refused a byte"):
            await iic.transfer(PICKY, [0xBB], count)

        assert await iic.transfer(PICKY, [4], count) == b"\xff" * count
        picky = model(sim).devices[PICKY]
        assert isinstance(picky, Picky)
        assert picky.messages[0] == b"\1\2" and picky.messages[-1] == b"\4"
        assert await iic.transfer(MEMORY, [1], 2) == bytes([1, 2])


async def test_a_bus_that_another_master_has_is_waited_for() -> None:
    async with bus() as (sim, iic, memory):
        model(sim).occupy(True)

        with pytest.raises(DeadlineExceeded, match=r"iic: the bus is not free after 0.02 s"):
            await iic.send(MEMORY, [0, 1], timeout=0.02)

        with pytest.raises(DeadlineExceeded):
            await iic.wait(0.01)

        reads = sim.counters.calls["mmio.read"]

        async with asyncio.TaskGroup() as group:
            group.create_task(iic.send(MEMORY, [0, 77]))
            await begun(sim, "mmio.read", reads + 2)
            model(sim).occupy(False)

        assert memory.content[0] == 77


async def test_lost_arbitration_is_an_error() -> None:
    async with bus() as (sim, iic, memory):
        await iic.wait()
        core = model(sim)

        def interfere(_: int, word: int) -> int:
            if word == regs.ENABLE:
                core.site.later(0, lambda: core.occupy(True))
                core.site.later(0.005, lambda: core.occupy(False))

            return word

        forget = sim.on_write(BASE + regs.CR, interfere)

        with pytest.raises(HardwareError, match=r"another master has the bus \(arbitration lost\)"):
            await iic.send(MEMORY, [0, 1])

        forget()
        await iic.send(MEMORY, [0, 1])
        assert memory.content[0] == 1


async def test_what_cannot_be_is_refused_before_anything_is_sent() -> None:
    async with bus() as (sim, iic, _):
        calls = sim.counters.calls.total()

        for attempt, error, words in (
            (iic.send(0x80, [1]), OutOfRange, "an I2C address is 0x0 to 0x7f, not 0x80"),
            (iic.send(-1, [1]), OutOfRange, "not -0x1"),
            (iic.send("a", [1]), Misuse, "is a number, not 'a'"),  # type: ignore[arg-type]
            (iic.send(MEMORY, []), Misuse, "at least one byte"),
            (iic.send(MEMORY, [256]), Misuse, "are no bytes"),
            (iic.send(MEMORY, 5), Misuse, "are no bytes"),  # type: ignore[arg-type]
            (iic.receive(MEMORY, 0), OutOfRange, "bytes to read is 0x1 to 0xff, not 0x0"),
            (iic.receive(MEMORY, 256), OutOfRange, "not 0x100"),
            (iic.transfer(MEMORY, range(14), 1), OutOfRange, "at most 13 bytes before a read, not 14"),
        ):
            with pytest.raises(error, match=words):
                await attempt

        assert sim.counters.calls.total() == calls


async def test_calls_of_several_tasks_do_not_mix() -> None:
    async with bus() as (_, iic, memory):
        await asyncio.gather(*(iic.send(MEMORY, [10 * task, *[task] * 5]) for task in range(8)))
        assert all(memory.content[10 * task :][:5] == bytes([task] * 5) for task in range(8))
        read = await asyncio.gather(*(iic.transfer(MEMORY, [10 * task], 2) for task in range(8)))
        assert read == [bytes([task] * 2) for task in range(8)]


@pytest.mark.parametrize("loads", [1, 3, 8])
async def test_after_a_cancelled_read_the_bus_is_free(loads: int) -> None:
    async with bus() as (sim, iic, _):
        await iic.receive(MEMORY, 1)
        before = sim.counters.calls["mmio.read"]
        task = asyncio.create_task(iic.receive(MEMORY, 30))
        await begun(sim, "mmio.read", before + loads)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task

        await settled(sim)
        assert not model(sim).load(regs.SR) & regs.BUS_BUSY
        assert await iic.transfer(MEMORY, [0], 3) == bytes([0, 1, 2])


async def test_a_transaction_that_an_earlier_program_left_behind_is_ended() -> None:
    async with bus() as (sim, iic, _):
        core = iic.mmio
        await core.write(regs.CR, regs.ENABLE)
        await core.write(regs.TX_FIFO, regs.START | MEMORY << 1)
        await core.write(regs.TX_FIFO, 0x20)
        await core.wait_for(regs.ISR, regs.TRANSMIT_EMPTY, regs.TRANSMIT_EMPTY, 1)
        assert model(sim).load(regs.SR) & regs.BUS_BUSY
        assert await iic.transfer(MEMORY, [5], 2) == bytes([5, 6])


@pytest.mark.parametrize("method", ["mmio.read", "mmio.write"])
@pytest.mark.parametrize("after", [False, True])
async def test_lost_and_slow_calls_are_errors_or_waited_for_and_the_bus_is_usable(method: str, after: bool) -> None:
    async with bus() as (sim, iic, memory):
        sim.faults.delay("*", 0.002)
        assert await iic.transfer(MEMORY, [1], 2) == bytes([1, 2])

        for act in (lambda: iic.send(MEMORY, [0, 1]), lambda: iic.transfer(MEMORY, [0], 3)):
            sim.faults.drop(method, after=after)

            with pytest.raises(BoardError):
                await act()

            await settled(sim)

        sim.faults.clear()
        await iic.send(MEMORY, [0x40, 99])
        assert memory.content[0x40] == 99
        assert await iic.transfer(MEMORY, [0x40], 2) == bytes([99, 0x41])


async def test_the_time_of_a_wait_includes_our_other_tasks() -> None:
    """And it is said that it was a task of ours, not the bus, that was waited for."""
    async with bus() as (sim, iic, _):
        await iic.receive(MEMORY, 1)
        sim.faults.delay("mmio.read", 0.2)

        async with asyncio.TaskGroup() as group:
            reads = sim.counters.calls["mmio.read"]
            long = group.create_task(iic.receive(MEMORY, 1))
            await begun(sim, "mmio.read", reads + 1)

            for seconds in (0.02, 0):
                with pytest.raises(DeadlineExceeded, match=r"iic: another task still uses the bus after 0"):
                    async with asyncio.timeout(0.1):
                        await iic.wait(seconds)

            sim.faults.clear()
            await long

        await iic.wait(0)


async def test_who_waits_for_another_master_holds_nobody_up() -> None:
    async with bus() as (sim, iic, _):
        await iic.wait()
        model(sim).occupy(True)
        reads = sim.counters.calls["mmio.read"]

        async with asyncio.TaskGroup() as group:
            patient = group.create_task(iic.wait(30))
            await begun(sim, "mmio.read", reads + 2)

            for attempt in (iic.wait(0.02), iic.wait(0), iic.send(MEMORY, [1], timeout=0.02)):
                with pytest.raises(DeadlineExceeded, match="iic: the bus is not free after 0"):
                    async with asyncio.timeout(5):
                        await attempt

            model(sim).occupy(False)
            await patient


@pytest.mark.parametrize("timeout", [None, "1", float("nan")])
async def test_a_time_is_a_number(timeout: Any) -> None:
    async with bus() as (sim, iic, _):
        calls = sum(sim.counters.calls.values())

        for attempt in (iic.wait(timeout), iic.send(MEMORY, [1], timeout=timeout)):
            with pytest.raises(Misuse, match="a timeout is a number of seconds, not"):
                await attempt

        assert sum(sim.counters.calls.values()) == calls
