"""AXI GPIO: the driver against the simulated IP, by polling and by interrupt."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from pynq_async import Design, Overlay
from pynq_async.board import interrupt_service
from pynq_async.errors import BoardError, DeadlineExceeded, Misuse, NotInDesign, OutcomeUnknown, OutOfRange
from pynq_async.hardware import axi_gpio as regs
from pynq_async.sim import SimBoard
from tests.boards import settled, simulated
from tests.overlay.designs import design, firmware, ip
from tests.test_cancellation import at_every_place

if TYPE_CHECKING:
    from pynq_async.overlay import AxiGPIO
    from pynq_async.sim.ip import GpioModel

BASE, LEVELS, EDGES = 0x4120_0000, 0x4180_0000, 0x4181_0000
LEDS = {"C_GPIO_WIDTH": 4, "C_ALL_OUTPUTS": 1, "C_DOUT_DEFAULT": "0x00000006"}
BUTTONS = {"C_GPIO_WIDTH": 4, "C_ALL_INPUTS": 1, "C_INTERRUPT_PRESENT": 1}
DUAL = {**BUTTONS, "C_IS_DUAL": 1, "C_GPIO2_WIDTH": 2, "C_ALL_INPUTS_2": 1}
MIXED = {"C_GPIO_WIDTH": 8, "C_DOUT_DEFAULT": "0x00000081", "C_INTERRUPT_PRESENT": 1}
WIRED_TO = {"polled": None, "levels": "levels", "edges": "edges", "service": "edges"}


def only(parameters: Mapping[str, object], wired_to: str | None = None) -> Design:
    """A design with one AXI GPIO, its interrupt wired to a controller, the processor (`""`) or nothing."""
    pins = {} if wired_to is None else {"ip2intc_irpt": (wired_to, 3)}
    return design(
        {
            "gpio": ip("xilinx.com:ip:axi_gpio:2.0", BASE, parameters=parameters, interrupts=pins),
            "levels": ip("xilinx.com:ip:axi_intc:4.1", LEVELS),
            "edges": ip("xilinx.com:ip:axi_intc:4.1", EDGES, parameters={"C_KIND_OF_INTR": "0xffffffff"}),
        }
    )


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test need not wait for long until the board's service has been asked once more."""
    monkeypatch.setattr(interrupt_service, "_SLICE", 0.03)


class Bench:
    """A board with one AXI GPIO: its driver and its model."""

    def __init__(self, sim: SimBoard, overlay: Overlay) -> None:
        self.sim = sim
        self.overlay = overlay
        self.gpio: AxiGPIO = overlay.gpio
        self.model: GpioModel = sim.ip["gpio"]

    @property
    def calls(self) -> int:
        """How many register accesses the board has seen."""
        return self.sim.counters.calls["mmio.read"] + self.sim.counters.calls["mmio.write"]

    async def waited(self, rounds: int = 2) -> None:
        """Let whoever waits ask the board again."""
        enough = self._asked + rounds

        async with asyncio.timeout(5):
            while self._asked < enough:
                await asyncio.sleep(0.001)

    @property
    def _asked(self) -> int:
        calls = self.sim.counters.calls
        return calls["mmio.read"] + calls["interrupt.wait_for_interrupt"]


@asynccontextmanager
async def bench(parameters: Mapping[str, object], wired_to: str | None = None, **options: Any) -> AsyncIterator[Bench]:
    """A board with one AXI GPIO."""
    known = only(parameters, wired_to)

    async with simulated(designs=[known], **options) as (sim, board):
        yield Bench(sim, await Overlay.load(board, firmware(), design=known))


@pytest.fixture(params=["polled", "levels", "service"])
async def buttons(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Two channels of inputs, waited for in all ways there are."""
    async with bench(DUAL, WIRED_TO[request.param], interrupt=request.param == "service") as made:
        yield made


async def test_outputs_are_written_whole_and_in_part() -> None:
    async with bench(LEDS) as here:
        leds, output = here.gpio.channel1, here.model.output
        assert len(leds) == leds.width == 4 and leds.direction == "out"
        await leds.write(0b1010)
        assert output(1) == 0b1010
        await leds[0].on()
        await leds[3].off()
        assert output(1) == 0b0011
        await leds[1:3].toggle()
        assert output(1) == 0b0101
        await leds[1:4].write(0b111, mask=0b001)
        assert output(1) == 0b0111
        await leds.write(0b1000, mask=0b1100)
        assert output(1) == 0b1011
        assert await leds.read() == 0b1011
        assert await leds[1:3].read() == 0b01
        await here.gpio[0].off()
        await leds[-1].off()
        assert output(1) == 0b0010
        await leds.off()
        await leds.on()
        assert output(1) == 0b1111
        assert [str(wire) for wire in here.gpio] == [f"gpio.channel1[{index}]" for index in range(4)]


async def test_a_write_is_one_call_and_keeps_what_was_there_before() -> None:
    async with bench(LEDS) as here:
        calls = here.calls
        await here.gpio.channel1[0].on()
        assert here.model.output(1) == 0b0111
        assert here.calls == calls + 2, "what the outputs hold is read once"
        await here.gpio.channel1[1:3].write(0b10)
        await here.gpio.channel1[0].toggle()
        assert here.model.output(1) == 0b0100
        assert here.calls == calls + 4

        again = await Overlay.load(
            here.overlay.board, here.overlay.bitstream, design=here.overlay.design, download=False
        )
        await again.gpio.channel1[3].on()
        assert here.model.output(1) == 0b1100


async def test_writes_of_many_tasks_lose_nothing() -> None:
    async with bench(LEDS) as here, asyncio.TaskGroup() as group:
        for wire in here.gpio.channel1:
            group.create_task(wire.write(1))

    assert here.model.output(1) == 0b1111


async def test_inputs_are_read() -> None:
    async with bench(DUAL) as here:
        here.model.set_input(1, 0b1010)
        here.model.set_input(2, 0b01)
        calls = here.calls
        assert await here.gpio.channel1.read() == 0b1010
        assert await here.gpio.channel1[1].read() == 1
        assert await here.gpio.channel1[2:4].read() == 0b10
        assert await here.gpio.channel2.read() == 0b01
        assert await here.gpio.channel1.trimask() == 0b1111
        assert here.calls == calls + 4
        assert repr(here.gpio.channel2) == "<Channel gpio.channel2, in>"


async def test_what_cannot_be_right_is_refused_before_anything_is_sent() -> None:
    async with bench({**LEDS, "C_IS_DUAL": 1, "C_GPIO2_WIDTH": 4, "C_ALL_INPUTS_2": 1}) as here:
        leds, buttons = here.gpio.channel1, here.gpio.channel2
        calls = here.sim.counters.calls.total()

        refused: list[tuple[Callable[[], Awaitable[object]], type[BoardError], str]] = [
            (lambda: buttons.write(1), Misuse, "gpio.channel2 cannot be written: it is all inputs in this design"),
            (lambda: buttons[0].toggle(), Misuse, "cannot be written"),
            (lambda: buttons.setdirection("out"), Misuse, "all inputs in this design: it cannot be 'out'"),
            (lambda: here.gpio.setdirection("in"), Misuse, "all outputs in this design"),
            (lambda: leds.setdirection(cast("Any", "up")), Misuse, "'in', 'out' or 'inout', not 'up'"),
            (lambda: leds.write(16), OutOfRange, r"gpio.channel1: 0x10 does not fit into 4 bits"),
            (lambda: leds[1:3].write(4), OutOfRange, r"channel1\[1:3\]: 0x4 does not fit into 2 bits"),
            (lambda: leds.write(-1), OutOfRange, "does not fit"),
            (lambda: leds.write(1, mask=0x1F), OutOfRange, "does not fit"),
            (lambda: leds.write(cast("Any", "on")), Misuse, "'on' is no integer"),
            (lambda: leds.wait_for_value(1, 1), Misuse, "only inputs can be waited for"),
            (lambda: buttons.wait_for_value(16, 1), OutOfRange, "does not fit"),
            (lambda: here.gpio.setdirection("out", channel=3), Misuse, "channels 1 and 2, not 3"),
        ]

        for act, error, words in refused:
            with pytest.raises(error, match=words):
                await act()

        for index in (4, -5, slice(0, 5), slice(2, 2), slice(0, 4, 2), slice(3, 1), slice(0, "a"), "x", None):
            with pytest.raises(OutOfRange, match="gpio.channel1 has wires 0 to 3, one or in a row, not"):
                leds[index]  # type: ignore[index]

        assert here.sim.counters.calls.total() == calls


async def test_a_channel_that_is_not_there_is_said() -> None:
    async with bench(LEDS) as here:
        with pytest.raises(NotInDesign, match="gpio has one channel only in this design"):
            _ = here.gpio.channel2

        assert not hasattr(here.gpio, "channel2")


async def test_wires_without_a_direction_follow_their_use() -> None:
    async with bench(MIXED) as here:
        pins, model = here.gpio.channel1, here.model
        model.set_input(1, 0xFF)
        assert pins.direction == "inout"
        assert await pins.trimask() == 0xFF
        assert await pins.read() == 0xFF
        await pins[0:4].write(0b0110)
        assert (model.output(1), await pins.trimask()) == (0x06, 0xF0)
        calls = here.calls
        await pins[0].on()
        assert await pins[4:8].read() == 0xF
        assert here.calls == calls + 2, "directions that are right are not written"
        assert await pins[0].read() == 1
        assert (model.output(1), await pins.trimask()) == (0x06, 0xF1)


async def test_directions_are_set_and_heeded() -> None:
    async with bench(MIXED) as here:
        pins = here.gpio.channel1
        await pins[0:4].setdirection("out")
        await pins[4:8].setdirection("in")
        assert here.model.output(1) == 0x01, "the default of what it drives"
        await pins[0:4].write(0b1010)
        assert await pins.read() == 0x0A
        assert here.model.output(1) == 0x0A

        for act in (pins[4].on, pins.on, pins[3:5].toggle):
            with pytest.raises(Misuse, match="the wires are inputs; see setdirection"):
                await act()

        await here.gpio.setdirection("inout")
        await pins.write(0x55)
        assert here.model.output(1) == 0x55
        await here.gpio.setdirection("in")
        assert here.model.output(1) == 0
        assert pins.direction == "in"


async def test_the_levels_at_inputs_do_not_become_what_they_drive_later() -> None:
    async with bench(MIXED) as here:
        pins, model = here.gpio.channel1, here.model
        model.set_input(1, 0b0111_1110)
        await pins[0].setdirection("out")
        await pins[0].on()
        await pins.setdirection("out")
        assert model.output(1) == 0x81


async def test_a_value_that_holds_is_not_waited_for(buttons: Bench) -> None:
    calls = buttons.calls
    buttons.model.set_input(1, 0b0100)
    await buttons.gpio.channel1[2].wait_for_value(1, timeout=1)
    await buttons.gpio.channel1.wait_for_value(0b0100, timeout=1)
    assert buttons.calls == calls + 2


async def test_a_value_is_waited_for(buttons: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        wait = group.create_task(buttons.gpio.channel1[1:3].wait_for_value(0b10, timeout=5))

        for value in (0b0001, 0b0010, 0b1111):
            await buttons.waited()
            buttons.model.set_input(1, value)

        await buttons.waited()
        assert not wait.done()
        buttons.model.set_input(1, 0b1101)


async def test_a_wait_that_is_in_vain_says_what_was_there() -> None:
    async with bench(BUTTONS) as here:
        here.model.set_input(1, 0b0101)

        with pytest.raises(DeadlineExceeded, match=r"gpio.channel1\[0:2\] did not become 0b10 in 0.3 s; it is 0b1$"):
            await here.gpio.channel1[0:2].wait_for_value(0b10, timeout=0.3)

        with pytest.raises(DeadlineExceeded, match=r"gpio.channel1 did not change in 0.3 s; it is 0b101$"):
            await here.gpio.channel1.wait_for_change(timeout=0.3)


@pytest.mark.parametrize("way", WIRED_TO)
async def test_a_change_right_after_the_look_is_not_missed(way: str) -> None:
    async with bench(DUAL, WIRED_TO[way], interrupt=way == "service") as here:
        loads = 0

        def press(_: int, word: int) -> int:
            nonlocal loads
            loads += 1

            if loads % 2 == 0:  # each read loads twice
                here.model.set_input(1, min(loads // 2, 3))

            return word

        here.sim.on_read(BASE + regs.GPIO_DATA, press)
        await here.gpio.channel1.wait_for_value(2, timeout=5)
        await here.gpio.channel1.wait_for_value(3, timeout=5)


@pytest.mark.parametrize("way", ["levels", "edges", "service"])
async def test_by_interrupt_the_inputs_are_read_when_there_is_something_new_only(way: str) -> None:
    async with bench(BUTTONS, WIRED_TO[way], interrupt=way == "service") as here:
        assert regs.INTERRUPT_PIN in here.gpio.interrupts
        loads = 0

        def count(_: int, word: int) -> int:
            nonlocal loads
            loads += 1
            return word

        here.sim.on_read(BASE + regs.GPIO_DATA, count)

        async with asyncio.TaskGroup() as group:
            group.create_task(here.gpio.channel1.wait_for_value(2, timeout=5))
            await here.waited(6)
            here.model.set_input(1, 1)
            await here.waited(6)
            before = loads
            await here.waited(6)
            assert loads == before
            here.model.set_input(1, 2)

        assert loads == 2 * 4, "at first, when the interrupt was enabled, and at each change"


async def test_changes_are_waited_for_without_a_gap(buttons: Bench) -> None:
    channel = buttons.gpio.channel1
    seen = []
    value = await channel.read()

    async with asyncio.TaskGroup() as group:
        first = group.create_task(channel[0].wait_for_change(timeout=5))
        await buttons.waited()
        buttons.model.set_input(1, 1)
        assert await first == 1

        for pressed in (1, 3, 7):
            buttons.model.set_input(1, pressed)
            value = await channel.wait_for_change(timeout=5, since=value)
            seen.append(value)

    assert seen == [1, 3, 7]


async def test_many_wait_on_both_channels(buttons: Bench) -> None:
    channel1, channel2 = buttons.gpio.channel1, buttons.gpio.channel2
    order: list[int] = []

    async def wait(number: int, waiting: Callable[[], Any]) -> None:
        await waiting()
        order.append(number)

    async with asyncio.TaskGroup() as group:
        group.create_task(wait(1, lambda: channel1[0].wait_for_value(1, timeout=5)))
        await buttons.waited()
        group.create_task(wait(2, lambda: channel2[0].wait_for_value(1, timeout=5)))
        await buttons.waited()
        group.create_task(wait(3, lambda: channel1[3].wait_for_value(1, timeout=5)))
        group.create_task(wait(4, lambda: channel1.wait_for_change(timeout=5, since=0)))
        await buttons.waited()
        assert order == []
        buttons.model.set_input(2, 1)

        while order != [2]:
            await buttons.waited(1)

        buttons.model.set_input(1, 0b1000)

        while sorted(order) != [2, 3, 4]:
            await buttons.waited(1)

        buttons.model.set_input(1, 0b0001)

    assert order[-1] == 1


async def test_who_waits_on_goes_on_when_others_are_cancelled(buttons: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(buttons.gpio.channel1[index].wait_for_value(1, timeout=5)) for index in (0, 1, 2, 3)]

        for wait in waits[:3]:
            await buttons.waited()
            wait.cancel()

        await buttons.waited()
        buttons.model.set_input(1, 0b1000)
        await waits[3]

    assert [wait.cancelled() for wait in waits] == [True, True, True, False]


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_a_wait_that_is_cancelled_anywhere_leaves_nothing(buttons: Bench, times: int) -> None:
    channel, model = buttons.gpio.channel1, buttons.model
    loads = 0

    def press(_: int, word: int) -> int:
        nonlocal loads
        loads += 1

        if loads == 2:  # at the end of the first look, which does not see it
            model.set_input(1, 0b0001)

        return word

    async def wait() -> None:
        nonlocal loads
        loads = 0
        await channel[0].wait_for_value(1, timeout=5)
        model.set_input(1, 0b0000)

    async def still_works() -> None:
        model.set_input(1, 0b0010)
        await channel[1].wait_for_value(1, timeout=5)
        model.set_input(1, 0b0000)

    buttons.sim.on_read(BASE + regs.GPIO_DATA, press)

    assert await at_every_place(wait, times, still_works) >= 3


async def test_a_write_that_was_cut_off_is_followed_by_one_that_knows() -> None:
    async with bench(LEDS) as here:
        leds = here.gpio.channel1
        await leds.write(0b0001)
        here.sim.faults.drop("mmio.write", after=True)

        with pytest.raises(OutcomeUnknown):
            await leds.write(0b1100)

        await settled(here.sim)
        await leds[0].on()
        assert here.model.output(1) == 0b1101


@pytest.mark.parametrize("method", ["mmio.read", "mmio.write"])
async def test_lost_calls_are_typed_errors_and_slow_ones_are_waited_for(buttons: Bench, method: str) -> None:
    faults = buttons.sim.faults
    faults.delay(method, 0.01)
    lost: tuple[Callable[[], None], ...] = (
        lambda: faults.drop(method, after=True),
        lambda: faults.fail(method, grpc.StatusCode.INTERNAL, times=3),
    )

    for lose in lost:
        lose()

        with pytest.raises(BoardError):
            await buttons.gpio.channel1.read()
            await buttons.gpio.channel1[0].wait_for_value(1, timeout=0.2)

        await settled(buttons.sim)
        faults.clear()
        faults.delay(method, 0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(buttons.gpio.channel1[0].wait_for_value(1, timeout=5))
        await buttons.waited(1)
        buttons.model.set_input(1, 1)


async def test_where_the_board_cannot_wait_for_the_pin_it_is_polled() -> None:
    async with bench(BUTTONS, wired_to="") as here, asyncio.TaskGroup() as group:
        group.create_task(here.gpio.channel1.wait_for_value(1, timeout=5))
        await here.waited()
        here.model.set_input(1, 1)


async def test_no_time_at_all_is_one_look(buttons: Bench) -> None:
    buttons.model.set_input(1, 5)

    async with asyncio.TaskGroup() as group:
        other = group.create_task(buttons.gpio.channel1.wait_for_value(6, 5))
        await buttons.waited()

        for _ in range(2):
            await buttons.gpio.channel1.wait_for_value(5, 0)
            assert await buttons.gpio.channel1.wait_for_change(0, since=4) == 5

            for attempt in (buttons.gpio.channel1.wait_for_value(4, 0), buttons.gpio.channel2.wait_for_value(1, 0)):
                with pytest.raises(DeadlineExceeded, match=r"in 0 s; it is 0b"):
                    await attempt

        buttons.model.set_input(1, 6)
        await other


async def test_a_wait_may_be_for_ever_and_its_time_is_a_number_otherwise(buttons: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        waits = group.create_task(buttons.gpio.channel1.wait_for_value(5, None))
        await buttons.waited()
        buttons.model.set_input(1, 5)
        await waits

    with pytest.raises(Misuse, match="a timeout is a number of seconds, not 'soon'"):
        await buttons.gpio.channel1.wait_for_value(5, cast("Any", "soon"))


async def test_one_wire_is_shown_as_one() -> None:
    async with bench(BUTTONS) as here:
        wire = here.gpio.channel1[1]
        assert str(wire) == "gpio.channel1[1]" and str(here.gpio.channel1[1:3]) == "gpio.channel1[1:3]"

        with pytest.raises(OutOfRange, match=r"gpio\.channel1\[1\]: 0x2 does not fit into 1 bit$"):
            await wire.wait_for_value(2, 1)
