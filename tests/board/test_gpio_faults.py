"""GPIO pins when answers are wrong, late or lost, and when requests are cancelled."""

import asyncio
from typing import Any

import pytest

from pynq_async import Timeouts
from pynq_async.errors import BoardError, DeadlineExceeded, DeadlineOutcomeUnknown, ProtocolViolation, ServerError
from pynq_async.hardware.gpio import FOLDER
from pynq_async.wire import messages as m

from ..boards import simulated, under_faults

both_releases = pytest.mark.parametrize("release", ["3.1", "4.0"])


@pytest.mark.parametrize(
    ("path", "content"),
    [("gpio960/value", b"high\n"), ("gpio960/value", b""), ("gpiochip906/ngpio", b"many\n")],
)
async def test_files_that_are_no_numbers_are_a_violation(path: str, content: bytes) -> None:
    async with simulated(release="3.1") as (sim, board):
        if "chip" in path:
            sim.files.remove(f"{FOLDER}/{path}")
            sim.files.write_bytes(f"{FOLDER}/{path}", content)

        with pytest.raises(ProtocolViolation, match=rf"^{board.name}: {FOLDER}/{path} is '\w*', which is no number"):
            async with board.gpio.pin(0, "in") as pin:
                sim.files.remove(f"{FOLDER}/{path}")
                sim.files.write_bytes(f"{FOLDER}/{path}", content)
                await pin.read()


@pytest.mark.parametrize(
    ("method", "reply", "error"),
    [
        ("gpio.get_gpio", m.GetGpioResponse(), ProtocolViolation),
        ("gpio.get_gpio", m.GetGpioResponse(message="no"), ServerError),
        ("gpio.read", m.GpioReadResponse(), ProtocolViolation),
        ("gpio.read", m.GpioReadResponse(message="no"), ServerError),
        ("gpio.get_gpio_base_path", m.GetGpioBasePathResponse(base_path="/sys"), ProtocolViolation),
        ("gpio.get_gpio_npins", m.GetGpioNPinsResponse(), ProtocolViolation),
    ],
)
async def test_answers_that_cannot_be_are_errors(method: str, reply: Any, error: type[BoardError]) -> None:
    async with simulated() as (sim, board):
        sim.faults.answer(method, reply)

        with pytest.raises(error, match=f"^{board.name}: "):
            async with board.gpio.pin(0, "in") as pin:
                await pin.read()

        async with board.gpio.pin(0, "in") as pin:
            assert await pin.read() == 0


@both_releases
async def test_a_cancelled_request_for_a_pin_leaves_nothing(release: str) -> None:
    async with simulated(release=release, timeouts=Timeouts(grace=0.01)) as (sim, board):
        await board.gpio.base()
        sim.faults.delay("*", 0.02)

        for seconds in (0.01, 0.03):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds), board.gpio.pin(0, "out"):
                    await asyncio.sleep(1)

            assert sim.pins.exported == {}

        sim.faults.clear()

        async with board.gpio.pin(0, "in") as pin:
            assert await pin.read() == 0


@pytest.mark.parametrize(
    ("release", "method"),
    [
        ("4.0", "gpio.get_gpio"),
        ("4.0", "gpio.read"),
        ("4.0", "gpio.unexport"),
        ("3.1", "remote_device.readfile"),
        ("3.1", "remote_device.writefile"),
    ],
)
async def test_faults_give_a_typed_error_and_leave_the_pins_usable(release: str, method: str) -> None:
    async with simulated(release=release) as (sim, board):

        async def use() -> None:
            async with board.gpio.pin(0, "out") as led, board.gpio.pin(1, "in") as button:
                await led.write(1)
                sim.pins.write(button.number, 1)
                assert (sim.pins.read(led.number), await button.read()) == (1, 1)

        await under_faults(sim, method, use, repeated=method in ("gpio.read", "remote_device.readfile"))
        assert sim.pins.exported == {}


@both_releases
async def test_a_board_that_answers_no_more_is_a_deadline(release: str) -> None:
    async with simulated(release=release, timeouts=Timeouts(call=0.1, grace=0.01)) as (sim, board):
        async with board.gpio.pin(0, "out") as led, board.gpio.pin(1, "in") as button:
            await sim.freeze()

            with pytest.raises(DeadlineExceeded):
                await button.read()

            with pytest.raises(DeadlineOutcomeUnknown):
                await led.write(1)

            await sim.thaw()
            await led.write(0)
            assert await button.read() == 0

        assert sim.pins.exported == {}
