"""GPIO pins of the processing system, by the service of PYNQ 4.0 and by the kernel's files of PYNQ 3.1."""

import asyncio
import gc

import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.errors import (
    BoardRebooted,
    Misuse,
    NotOpen,
    NotSupported,
    OutOfRange,
    ServerError,
    UnknownHandle,
)
from pynq_async.hardware.gpio import FOLDER, LABELS
from pynq_async.sim import SimBoard, serve

from ..boards import simulated

both_releases = pytest.mark.parametrize("release", ["3.1", "4.0"])

# The first pin for users of each chip: its base and its MIO pins.
FIRST = {"zynq_gpio": 906 + 54, "zynqmp_gpio": 338 + 78, "versal_gpio": 454 + 26, "pmc_gpio": 338 + 52}
CHIPS = [(family, label) for family, labels in LABELS.items() for label in labels]


def _called(sim: SimBoard, prefix: str) -> int:
    return sum(count for method, count in sim.counters.calls.items() if method.startswith(prefix))


@both_releases
@pytest.mark.parametrize(("family", "label"), CHIPS)
async def test_pins_are_read_and_written(family: str, label: str, release: str) -> None:
    name = label if family == "versal" else None

    async with simulated(family=family, release=release) as (sim, board):
        gpio = board.gpio
        assert not _called(sim, "gpio."), "board.gpio does no I/O"

        async with gpio.pin(2, "out", target_label=name) as led, gpio.pin(5, "in", target_label=name) as button:
            assert (led.number, button.number) == (FIRST[label] + 2, FIRST[label] + 5)
            assert (led.index, led.direction, led.released) == (2, "out", False)

            for level in (1, 0, 1):
                await led.write(level)
                assert sim.pins.read(led.number) == level
                sim.pins.write(button.number, level)
                assert await button.read() == level

            assert sim.pins.exported == {led.number: "out", button.number: "in"}
            assert repr(gpio) == f"<Gpio {board.name}, 2 pins in use>"
            assert repr(led) == f"<GpioPin {board.name} 2, out, number {led.number} in Linux>"

        assert sim.pins.exported == {}
        assert led.released
        assert (_called(sim, "gpio.") > 0) == (release == "4.0"), "the service is used where there is one"


@both_releases
@pytest.mark.parametrize(("family", "label"), CHIPS)
async def test_chips_are_found_by_their_label(family: str, label: str, release: str) -> None:
    async with simulated(family=family, release=release) as (sim, board):
        chip = sim.pins.chip(label)
        assert chip is not None
        assert await board.gpio.base(label) == chip.base
        assert await board.gpio.npins(label) == chip.pins

        if family != "versal":
            assert (await board.gpio.base(), await board.gpio.npins()) == (chip.base, chip.pins)

            async with board.gpio.pin(7, "out", target_label=label) as pin:
                assert pin.number == chip.base + 7, "from the chip's first pin, as in PYNQ"


async def test_without_the_service_a_chip_is_found_at_an_unusual_place_too() -> None:
    async with simulated(release="3.1") as (sim, board):
        for name, content in (("label", b"zynq_gpio\n"), ("ngpio", b"118\n")):
            sim.files.remove(f"{FOLDER}/gpiochip906/{name}")
            sim.files.write_bytes(f"{FOLDER}/gpiochip777/{name}", content)

        calls = sum(sim.counters.calls.values())
        assert await board.gpio.base() == 777
        assert sum(sim.counters.calls.values()) - calls < 1100
        assert await board.gpio.npins() == 118
        assert sum(sim.counters.calls.values()) - calls < 1100, "it is looked for once"


async def test_a_chip_that_is_not_there_is_not_supported() -> None:
    async with simulated() as (_, board):
        with pytest.raises(
            NotSupported, match=rf"^{board.name}: no GPIO chip of this board is called tca6416: .*label"
        ):
            await board.gpio.base("tca6416")

    async with simulated(release="3.1") as (sim, board):
        sim.files.remove_directory(f"{FOLDER}/gpiochip906")

        with pytest.raises(NotSupported, match="called zynq_gpio"):
            await board.gpio.pin(0, "out")


@both_releases
async def test_what_cannot_be_right_is_refused_before_anything_is_sent(release: str) -> None:
    async with simulated(release=release) as (sim, board):
        before = sum(sim.counters.calls.values())

        for index, direction, error in (
            (0, "up", Misuse),
            (0, None, Misuse),
            (-1, "in", OutOfRange),
            (1.5, "in", Misuse),
            ("0", "in", Misuse),
        ):
            with pytest.raises(error, match=f"^{board.name}: "):
                board.gpio.pin(index, direction)  # type: ignore[arg-type]

        assert sum(sim.counters.calls.values()) == before

        with pytest.raises(OutOfRange, match=r"there is no GPIO pin 64; zynq_gpio has 64, numbered from 0"):
            await board.gpio.pin(64, "in")

        with pytest.raises(NotOpen, match="neither awaited nor entered"):
            board.gpio.pin(0, "out").write(1)

        async with board.gpio.pin(0, "out") as out, board.gpio.pin(1, "in") as into:
            before = sum(sim.counters.calls.values())

            for value in (2, -1, 0.5, "1", None):
                with pytest.raises(Misuse, match=f"^{board.name}: "):
                    await out.write(value)  # type: ignore[arg-type]

            with pytest.raises(Misuse, match="GPIO pin 0 is in use as 'out'; only 'in' is read"):
                await out.read()

            with pytest.raises(Misuse, match="GPIO pin 1 is in use as 'in'; only 'out' is written"):
                await into.write(1)

            assert sum(sim.counters.calls.values()) == before
            await out.write(True)

        assert sim.pins.exported == {}


async def test_versals_chips_have_to_be_named() -> None:
    async with simulated(family="versal") as (_, board):
        for label in (None, "zynq_gpio"):
            with pytest.raises(Misuse, match="the GPIO chips versal_gpio and pmc_gpio; pass one of them"):
                board.gpio.pin(0, "in", target_label=label)

        with pytest.raises(Misuse):
            await board.gpio.base()


@both_releases
async def test_a_pin_of_the_kernel_is_refused(release: str) -> None:
    async with simulated(release=release) as (sim, board):
        sim.pins.busy.add(FIRST["zynq_gpio"])

        with pytest.raises(
            ServerError, match=rf"^{board.name}: .*(Cannot export GPIO 960|does not hand out GPIO pin 960)"
        ):
            await board.gpio.pin(0, "out")

        assert sim.pins.exported == {}
        sim.pins.busy.clear()

        async with board.gpio.pin(0, "out") as pin:
            await pin.write(1)


@both_releases
async def test_a_pin_in_use_is_shared_and_goes_back_with_the_last(release: str) -> None:
    async with simulated(release=release) as (sim, board):
        first = await board.gpio.pin(0, "out")
        await first.write(1)
        second = await board.gpio.pin(0, "out")
        assert sim.pins.read(first.number) == 1, "the second does not make it low again"

        with pytest.raises(Misuse, match="GPIO pin 0 is in use as 'out'; release it"):
            await board.gpio.pin(0, "in")

        await first.release()
        await first.release()
        await second.write(0)
        assert sim.pins.exported == {second.number: "out"}
        await second.release()
        assert sim.pins.exported == {}

        with pytest.raises(NotOpen, match="GPIO pin 0 was released; ask for it again"):
            await first.write(1)

        async with board.gpio.pin(0, "in") as turned:
            sim.pins.write(turned.number, 1)
            assert await turned.read() == 1


@both_releases
async def test_a_pin_that_was_lost_can_be_had_in_the_other_direction(release: str) -> None:
    async with simulated(release=release) as (sim, board):
        await board.gpio.pin(0, "out")
        gc.collect()

        async with board.gpio.pin(0, "in") as pin:
            assert sim.pins.exported == {pin.number: "in"}


@both_releases
async def test_closing_the_board_gives_every_pin_back(release: str) -> None:
    sim = SimBoard(release=release)

    async with serve(sim) as address:
        async with RemoteDevice(address) as board:
            pin = await board.gpio.pin(0, "out")
            await board.gpio.pin(1, "in")
            assert len(sim.pins.exported) == 2

        assert sim.pins.exported == {}
        assert pin.released

        with pytest.raises(NotOpen):
            await pin.write(1)

        frozen = await RemoteDevice(address, timeouts=Timeouts(call=0.1))
        await frozen.gpio.pin(0, "out")
        await sim.freeze()
        await frozen.aclose()  # out of reach: nothing can be given back, and nothing waits for long


@both_releases
async def test_writes_arrive_in_the_order_of_the_calls(release: str) -> None:
    async with simulated(release=release) as (sim, board):
        seen: list[int] = []
        write = sim.pins.write
        sim.pins.write = lambda pin, value: (seen.append(value), write(pin, value))[1]  # type: ignore[func-returns-value, method-assign]

        async with board.gpio.pin(0, "out") as pin:
            seen.clear()
            levels = [1, 0, 0, 1, 1, 0, 1, 0] * 4

            async with asyncio.TaskGroup() as group:
                for level in levels:
                    group.create_task(pin.write(level))

        assert seen == levels


async def test_any_number_of_pins_may_be_used_at_once() -> None:
    async with simulated() as (sim, board):

        async def use(index: int) -> None:
            async with board.gpio.pin(index, "out") as pin:
                await pin.write(1)

        async with asyncio.TaskGroup() as group:
            for index in range(32):
                group.create_task(use(index))

        assert sim.pins.exported == {}
        assert sim.counters.races == 0, sim.counters.race_log


@both_releases
async def test_pins_outlive_a_restart_of_the_server(release: str) -> None:
    async with simulated(release=release) as (sim, board):
        led, button = await board.gpio.pin(0, "out"), await board.gpio.pin(1, "in")
        await led.write(1)
        await sim.restart()
        sim.pins.write(button.number, 1)
        assert sim.pins.read(led.number) == 1
        assert await button.read() == 1
        await led.write(0)
        assert sim.pins.read(led.number) == 0
        await sim.restart()
        await led.release()
        await button.release()
        assert sim.pins.exported == {}


@both_releases
@pytest.mark.parametrize("taken_back", [False, True])
async def test_an_output_keeps_its_level_when_the_server_restarts(
    release: str, taken_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless its kernel has taken the pin back meanwhile: then a new server hands it out anew, low at first."""
    async with simulated(release=release) as (sim, board), board.gpio.pin(0, "out") as led:
        await led.write(1)
        levels: list[int] = []
        drive = sim.pins.write

        def note(pin: int, value: int) -> None:
            levels.append(int(value))
            drive(pin, value)

        monkeypatch.setattr(sim.pins, "write", note)
        await sim.restart()

        if taken_back:
            sim.pins.unexport(led.number)

        try:
            await led.write(1)
        except UnknownHandle:
            assert taken_back and release == "3.1"
        else:
            assert levels == ([0, 1] if taken_back else [1])


@both_releases
async def test_a_pin_from_before_a_reboot_is_refused(release: str) -> None:
    async with simulated(release=release) as (sim, board):
        led, button = await board.gpio.pin(0, "out"), await board.gpio.pin(1, "in")
        await sim.reboot()

        with pytest.raises(BoardRebooted, match=f"^{board.name}: GPIO pin 960 is from before the board rebooted"):
            await led.write(1)

        with pytest.raises(BoardRebooted):
            await button.read()

        assert (sim.pins.exported, sim.pins.read(led.number)) == ({}, 0)

        async with board.gpio.pin(0, "out") as again:
            await again.write(1)

            with pytest.raises(BoardRebooted):
                await led.write(0)

            assert sim.pins.read(led.number) == 1

        await led.release()
        await button.release()


@both_releases
async def test_a_pin_that_another_client_gave_back_is_an_error(release: str) -> None:
    async with simulated(release=release) as (sim, board), RemoteDevice(sim.address) as other:
        led, button = await board.gpio.pin(0, "out"), await board.gpio.pin(1, "in")

        for index, direction in ((0, "out"), (1, "in")):
            async with other.gpio.pin(index, direction):  # type: ignore[arg-type]
                pass

        with pytest.raises(UnknownHandle, match=f"^{board.name}: the board has taken GPIO pin 960 back"):
            await led.write(1)

        with pytest.raises(UnknownHandle, match="GPIO pin 961"):
            await button.read()

        await led.release()
        await button.release()
