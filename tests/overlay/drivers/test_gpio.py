"""AXI GPIO: reading, writing, directions, and what is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from pynq_async import Overlay
from pynq_async.errors import BoardError, Misuse, NotInDesign, OutcomeUnknown, OutOfRange
from tests.boards import settled

from .gpios import BUTTONS, DUAL, LEDS, MIXED, bench


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


async def test_one_wire_is_shown_as_one() -> None:
    async with bench(BUTTONS) as here:
        wire = here.gpio.channel1[1]
        assert str(wire) == "gpio.channel1[1]" and str(here.gpio.channel1[1:3]) == "gpio.channel1[1:3]"

        with pytest.raises(OutOfRange, match=r"gpio\.channel1\[1\]: 0x2 does not fit into 1 bit$"):
            await wire.wait_for_value(2, 1)
