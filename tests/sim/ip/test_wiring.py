"""Interrupt lines and streams between the models of a design."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from pynq_async.sim import IpModel, SimDesign, Site, Stream
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ...boards import simulated
from ...designs import design, firmware, ip
from ..conftest import RawClient


class Source(IpModel):
    """Sets its interrupt line to the level that is stored."""

    def store(self, offset: int, word: int) -> None:
        self.site.line("irq_out")(bool(word))


class Controller(IpModel):
    """Notes its inputs, and passes the last one on."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.inputs: list[tuple[int, bool]] = []

    def interrupt(self, index: int, level: bool) -> None:
        self.inputs.append((index, level))
        self.site.line("irq")(level)


SOURCE, DIRECT, INNER, OUTER = 0x4000_0000, 0x4100_0000, 0x4200_0000, 0x4300_0000

CASCADE = SimDesign(
    design(
        {
            "a/source": ip("acme.com:user:source:1.0", SOURCE, interrupts={"irq_out": ("a/inner", 3)}),
            "direct": ip("acme.com:user:source:1.0", DIRECT, interrupts={"irq_out": ("", 1)}),
            "a/inner": ip("xilinx.com:ip:axi_intc:4.1", INNER, interrupts={"irq": ("outer", 4)}),
            "outer": ip("xilinx.com:ip:axi_intc:4.1", OUTER),
        },
        also={"concat/In3": "a/source/irq_out"},
    ),
    models={"acme.com:user:source": Source, "xilinx.com:ip:axi_intc": Controller},
)


async def test_a_line_passes_the_controllers_on_its_way_to_the_processor() -> None:
    async with simulated(designs=[CASCADE]) as (sim, board):
        await board.download(firmware())

        for level in (1, 1, 0):
            await board.mmio(SOURCE).write(0, level)

        assert sim.ip["a/inner"].inputs == [(3, True), (3, False)], "only a change is one"
        assert sim.ip["outer"].inputs == [(4, True), (4, False)]
        assert sim.fabric.wiring.processor == {61: False}
        await board.mmio(DIRECT).write(0, 1)
        assert sim.fabric.wiring.processor == {61: False, 62: True}
        await board.download(firmware())
        assert sim.fabric.wiring.processor == {}


@pytest.mark.parametrize(
    ("address", "pin", "raw"),
    [
        (SOURCE, "a/source/irq_out", 0),
        (SOURCE, "concat/In3", 0),
        (SOURCE, "a/inner/irq", 0),
        (SOURCE, "", 61),
        (DIRECT, "direct/irq_out", 62),
        (DIRECT, "", 62),
    ],
)
async def test_the_interrupt_service_sees_a_line_rise(address: int, pin: str, raw: int) -> None:
    async with simulated(designs=[CASCADE], interrupt=True) as (sim, board):
        await board.download(firmware())
        client = RawClient(sim.address)
        request = m.RegisterRequest(pin_name=pin, pin_index=3, raw_irq=raw)
        made = (await client.call(methods.REGISTER_INTERRUPT, request)).interrupt_id
        other = m.RegisterRequest(pin_name="another/pin", pin_index=3, raw_irq=raw)
        quiet = (await client.call(methods.REGISTER_INTERRUPT, other)).interrupt_id
        wait = m.WaitRequest(interrupt_id=made, timeout_ms=5000)

        async with asyncio.TaskGroup() as group:
            fired = group.create_task(client.call(methods.WAIT_FOR_INTERRUPT, wait))
            await board.mmio(address).write(0, 1)
            assert (await fired).status == m.WaitResponse.FIRED

        calm = await client.call(methods.WAIT_FOR_INTERRUPT, m.WaitRequest(interrupt_id=quiet, timeout_ms=1))
        assert calm.status == m.WaitResponse.TIMEOUT
        await client.channel.close()


@pytest.mark.parametrize(("kind", "status"), [("0xfffffff7", m.WaitResponse.FIRED), ("0x8", m.WaitResponse.TIMEOUT)])
async def test_the_interrupt_service_sees_a_level_that_is_active_already_but_no_edge(kind: str, status: int) -> None:
    parameters = {"C_KIND_OF_INTR": kind}
    known = SimDesign(
        design(
            {
                "source": ip("acme.com:user:source:1.0", SOURCE, interrupts={"irq_out": ("inner", 3)}),
                "inner": ip("xilinx.com:ip:axi_intc:4.1", INNER, parameters=parameters),
            },
        ),
        models={"acme.com:user:source": Source},
    )

    async with simulated(designs=[known], interrupt=True) as (sim, board):
        await board.download(firmware())
        await board.mmio(SOURCE).write(0, 1)
        client = RawClient(sim.address)
        request = m.RegisterRequest(pin_name="source/irq_out", pin_index=3)
        made = (await client.call(methods.REGISTER_INTERRUPT, request)).interrupt_id

        for _ in range(2):
            answer = await client.call(methods.WAIT_FOR_INTERRUPT, m.WaitRequest(interrupt_id=made, timeout_ms=1))
            assert answer.status == status

        await board.mmio(SOURCE).write(0, 0)
        answer = await client.call(methods.WAIT_FOR_INTERRUPT, m.WaitRequest(interrupt_id=made, timeout_ms=1))
        assert answer.status == m.WaitResponse.TIMEOUT
        await client.channel.close()


async def test_a_line_falls_when_its_ip_is_replaced() -> None:
    part = design({"new": ip("acme.com:user:other:1.0", SOURCE)}, partial=True)

    async with simulated(designs=[CASCADE, part]) as (sim, board):
        await board.download(firmware())
        await board.mmio(SOURCE).write(0, 1)
        old = sim.ip["a/source"]
        await board.download(firmware(1, partial=True), partial=True)
        assert sim.ip["a/inner"].inputs == [(3, True), (3, False)]
        old.store(0, 1)
        assert sim.ip["a/inner"].inputs == [(3, True), (3, False)], "what is gone drives nothing"


CONNECTIONS = {
    "dma/M_AXIS_MM2S": "fifo/S_AXIS",
    "fifo/M_AXIS": "slice/S_AXIS",
    "slice/M_AXIS": "core/src",
    "core/dst": "dma/S_AXIS_S2MM",
    "camera/video": "split/S_AXIS",
    "split/M00_AXIS": "core/left",
    "split/M01_AXIS": "core/right",
}


async def test_streams_join_the_models_through_what_only_hands_on() -> None:
    ends = {"dma": ip("xilinx.com:ip:axi_dma:7.1", 0x4040_0000), "core": ip("acme.com:hls:core:1.0", 0x43C0_0000)}
    known = replace(design(ends), streams=CONNECTIONS)  # the others have no address

    async with simulated(designs=[known]) as (sim, board):
        await board.download(firmware())
        dma, core = sim.ip["dma"].site, sim.ip["core"].site
        assert dma.stream("M_AXIS_MM2S") is core.stream("src") is dma.stream("M_AXIS_MM2S")
        assert core.stream("dst") is dma.stream("S_AXIS_S2MM")
        alone = [core.stream(port) for port in ("left", "right", "nowhere", "dst", "src")]
        assert len(set(alone)) == 5


async def test_a_ring_of_what_only_hands_on_ends_somewhere() -> None:
    known = replace(design({"dma": ip("xilinx.com:ip:axi_dma:7.1", 0x4040_0000)}), streams={"a/M": "b/S", "b/M": "a/S"})

    async with simulated(designs=[known]) as (sim, board):
        await board.download(firmware())
        assert isinstance(sim.fabric.streams.at("a/M"), Stream)


async def test_an_end_that_is_replaced_takes_its_packets_and_its_notice_along() -> None:
    static = design(
        {"dma": ip("xilinx.com:ip:axi_dma:7.1", 0x4040_0000), "core": ip("acme.com:user:core:1.0", 0x43C0_0000)},
        streams={"dma/M_AXIS_MM2S": "core/src", "core/dst": "dma/S_AXIS_S2MM"},
    )
    part = design({"core": ip("acme.com:user:core:2.0", 0x43C0_0000)}, partial=True)

    async with simulated(designs=[static, part]) as (sim, board):
        await board.download(firmware())
        dma, old = sim.ip["dma"].site, sim.ip["core"].site
        noticed: list[str] = []
        old.stream("src").on_offer(lambda: noticed.append("old core"))
        dma.stream("S_AXIS_S2MM").on_offer(lambda: noticed.append("dma"))
        old.stream("dst").send(b"stale")
        dma.stream("M_AXIS_MM2S").send(b"kept")
        assert noticed == ["dma", "old core"]
        await board.download(firmware(1, partial=True), partial=True)
        new = sim.ip["core"].site
        assert dma.stream("S_AXIS_S2MM").take() is None
        assert new.stream("src").take() == b"kept"
        dma.stream("M_AXIS_MM2S").send(b"more")
        new.stream("dst").send(b"fresh")
        assert noticed == ["dma", "old core", "dma"]


def test_packets_are_taken_in_order_and_the_source_hears_of_it() -> None:
    stream = Stream()
    taken: list[str] = []
    assert stream.take() is None
    stream.send(b"1", lambda: taken.append("1"))
    stream.send(bytearray(b"2"))
    assert stream.waiting == 2
    assert (stream.take(), taken, stream.take(), stream.waiting) == (b"1", ["1"], b"2", 0)


def test_a_source_that_sends_as_soon_as_it_may_keeps_the_order() -> None:
    stream = Stream()
    got: list[bytes] = []

    def send(number: int) -> Callable[[], None]:
        def again() -> None:
            if number < 2000:
                stream.send(str(number).encode(), send(number + 1))

        return again

    def pump() -> None:
        while (packet := stream.take()) is not None:
            got.append(packet)

    stream.on_offer(pump)
    send(0)()
    assert got == [str(number).encode() for number in range(2000)]
