"""The model of the AXI4-Stream Switch."""

from pynq_async.sim import SimBoard
from pynq_async.sim.ip import StreamSwitchModel

from ...boards import simulated
from ...designs import design, firmware, ip

BASE = 0x43C0_0000
DISABLED = 0x8000_0000
KNOWN = design({"switch": ip("xilinx.com:ip:axis_switch:1.1", BASE, parameters={"NUM_MI": "3", "NUM_SI": "2"})})


def model(sim: SimBoard) -> StreamSwitchModel:
    found = sim.ip["switch"]
    assert isinstance(found, StreamSwitchModel)
    return found


async def test_routes_count_once_they_are_committed() -> None:
    async with simulated(designs=[KNOWN]) as (sim, board):
        await board.download(firmware())
        switch = board.mmio(BASE, 0x1000)
        assert (await switch.read_block(0x40, 4)).tolist() == [DISABLED] * 3 + [0]
        await switch.write(0x40, 1)
        assert await switch.read(0x40) == 1
        assert model(sim).routes == {}
        await switch.write(0x00, 0b10)
        assert await switch.read(0x00) == 0, "the commit clears itself"
        assert model(sim).routes == {0: 1}
        await switch.write(0x40, DISABLED)
        await switch.write(0x00, 0b01)
        assert model(sim).routes == {0: 1}


async def test_the_lowest_output_has_an_input_that_several_want_and_there_are_no_more_inputs_than_there_are() -> None:
    async with simulated(designs=[KNOWN]) as (sim, board):
        await board.download(firmware())
        switch = board.mmio(BASE, 0x1000)
        await switch.write_block(0x40, [5, 1, 1])
        await switch.write(0x00, 0b10)
        assert model(sim).routes == {1: 1}


async def test_packets_wait_at_an_input_until_an_output_takes_it() -> None:
    async with simulated(designs=[KNOWN]) as (sim, board):
        await board.download(firmware())
        switch, site = board.mmio(BASE, 0x1000), model(sim).site
        entry, left, right = (site.stream(f"{port}_AXIS") for port in ("S00", "M00", "M01"))

        for packet in (b"1", b"2", b"3"):
            entry.send(packet)

        assert (entry.waiting, left.waiting, right.waiting) == (3, 0, 0)
        await switch.write(0x40, 0)
        await switch.write(0x00, 0b10)
        assert (entry.waiting, left.waiting) == (2, 1), "the output takes the next once the sink took this one"
        assert left.take() == b"1"
        await switch.write_block(0x40, [DISABLED, 0])
        await switch.write(0x00, 0b10)
        assert model(sim).lost == 1, "committing resets the switch"
        assert left.take() is None
        assert right.take() == b"3"
        entry.send(b"4")
        assert right.take() == b"4"
