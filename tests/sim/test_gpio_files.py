"""The kernel's GPIO files on the simulated board, beside the service."""

import pytest

from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, connected

FOLDER = "/sys/class/gpio"


@pytest.mark.parametrize("release", ["3.1", "4.0"])
async def test_a_pin_is_used_by_files(release: str) -> None:
    async with connected(board := SimBoard(release=release)) as client:
        await client.write_file(f"{FOLDER}/export", b"960\n")
        assert await client.read_file(f"{FOLDER}/gpio960/direction") == b"in\n"
        board.pins.write(960, 1)
        assert await client.read_file(f"{FOLDER}/gpio960/value") == b"1\n"
        await client.write_file(f"{FOLDER}/gpio960/value", b"0")
        assert board.pins.read(960) == 1, "an input is not written, and the call says OK"
        await client.write_file(f"{FOLDER}/gpio960/direction", b"out")
        assert board.pins.read(960) == 0, "an output starts low"
        await client.write_file(f"{FOLDER}/gpio960/value", b"1\n")
        assert board.pins.read(960) == 1
        await client.write_file(f"{FOLDER}/gpio960/direction", b"sideways")
        assert board.pins.exported == {960: "out"}
        await client.write_file(f"{FOLDER}/unexport", b"960")
        assert not board.files.exists(f"{FOLDER}/gpio960")


async def test_what_the_kernel_refuses_is_answered_ok(board: SimBoard, client: RawClient) -> None:
    board.pins.busy.add(961)

    for text in (b"961", b"5", b"many", b""):
        await client.write_file(f"{FOLDER}/export", text)
        await client.write_file(f"{FOLDER}/unexport", text)

    assert board.pins.exported == {}
    await client.write_file(f"{FOLDER}/export", b"960")
    await client.write_file(f"{FOLDER}/gpio960/direction", b"high")
    await client.write_file(f"{FOLDER}/export", b"960")
    assert (board.pins.exported, board.pins.read(960)) == ({960: "out"}, 1)


async def test_files_and_service_act_on_the_same_pins(board: SimBoard, client: RawClient) -> None:
    pin = (await client.call(methods.GET_GPIO, m.GetGpioRequest(index=960, direction="out"))).gpio_id
    assert await client.read_file(f"{FOLDER}/gpio960/direction") == b"out\n"
    await client.call(methods.GPIO_WRITE, m.GpioWriteRequest(gpio_id=pin, value=1))
    assert await client.read_file(f"{FOLDER}/gpio960/value") == b"1\n"
    await board.restart()
    await client.until_served()
    assert board.pins.exported == {960: "out"}, "the kernel does not care who asked"
    assert board.pins.read(960) == 1
    await board.reboot()
    await client.until_served()
    assert board.pins.exported == {}
    assert not board.files.exists(f"{FOLDER}/gpio960")
