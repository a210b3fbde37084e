"""AXI GPIO: values and changes that are waited for, by polling and by interrupt."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from pynq_async.errors import DeadlineExceeded, Misuse
from pynq_async.hardware import axi_gpio as regs
from tests.boards import under_faults
from tests.test_cancellation import Work, at_every_place

from .gpios import BASE, BUTTONS, DUAL, WIRED_TO, Bench, bench

pytestmark = pytest.mark.usefixtures("short_slices")


@pytest.fixture(params=["polled", "levels", "service"])
async def buttons(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Two channels of inputs, waited for in all ways there are."""
    async with bench(DUAL, WIRED_TO[request.param], interrupt=request.param == "service") as made:
        yield made


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

        with pytest.raises(DeadlineExceeded, match=r"gpio.channel1\[0:2\] did not become 0b10 in 0.1 s; it is 0b1$"):
            await here.gpio.channel1[0:2].wait_for_value(0b10, timeout=0.1)

        with pytest.raises(DeadlineExceeded, match=r"gpio.channel1 did not change in 0.1 s; it is 0b101$"):
            await here.gpio.channel1.wait_for_change(timeout=0.1)


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
            await here.waited(4)
            here.model.set_input(1, 1)
            await here.waited(4)
            before = loads
            await here.waited(4)
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


def waited_for(buttons: Bench) -> Work:
    """Waits for a button that is pressed right after the first look."""
    loads = 0

    def press(_: int, word: int) -> int:
        nonlocal loads
        loads += 1

        if loads == 2:  # at the end of the first look, which does not see it
            buttons.model.set_input(1, 0b0001)

        return word

    async def wait() -> None:
        nonlocal loads
        buttons.model.set_input(1, 0b0000)
        loads = 0
        await buttons.gpio.channel1[0].wait_for_value(1, timeout=5)

    buttons.sim.on_read(BASE + regs.GPIO_DATA, press)
    return wait


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_a_wait_that_is_cancelled_anywhere_leaves_nothing(buttons: Bench, times: int) -> None:
    async def still_works() -> None:
        buttons.model.set_input(1, 0b0010)
        await buttons.gpio.channel1[1].wait_for_value(1, timeout=5)

    assert await at_every_place(waited_for(buttons), times, still_works) >= 3


@pytest.mark.parametrize(
    ("way", "method"),
    [
        ("polled", "mmio.read"),
        *((way, f"mmio.{access}") for way in ("levels", "service") for access in ("read", "write")),
    ],
)
async def test_lost_calls_are_typed_errors_and_slow_ones_are_waited_for(way: str, method: str) -> None:
    async with bench(DUAL, WIRED_TO[way], interrupt=way == "service") as here:
        await under_faults(here.sim, method, waited_for(here))


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
