"""Temperatures and supplies, from the files of each family's kernels."""

from typing import Any

import pytest

from pynq_async import Reading
from pynq_async.errors import BoardExhausted, NotSupported, ServerError
from pynq_async.hardware.sensors import HWMON_DEVICES, IIO_DEVICES
from pynq_async.sim import Hazards, SimBoard

from ..boards import HASTY, simulated, under_faults

IIO, HWMON = IIO_DEVICES[0], HWMON_DEVICES[0]
BOARDS = [(family, release) for family in ("zynq7000", "zynqmp", "versal") for release in ("3.1", "4.0")]


def _remove(sim: SimBoard, folder: str) -> None:
    for path in sim.files.paths(folder):
        sim.files.remove(path)


@pytest.mark.parametrize(("family", "release"), BOARDS)
async def test_every_sensor_of_a_board_is_read(family: str, release: str) -> None:
    async with simulated(family=family, release=release) as (sim, board):
        readings = await board.sensors.read()
        assert list(readings) == list(sim.sensors)

        for name, reading in readings.items():
            assert reading.name == name
            assert reading.value == pytest.approx(sim.sensors[name], rel=1e-3, abs=2e-3 if reading.unit == "V" else 0.1)

        die = "ps_temp" if family == "zynqmp" else "temp"
        assert readings[die].unit == "°C"
        assert await board.sensors.temperature() == readings[die].value


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("zynq7000", ["temp", "vccint", "vccaux", "vccbram", "vccpint", "vccpaux", "vccoddr", "vrefp", "vrefn"]),
        ("zynqmp", ["ps_temp", "pl_temp", "vccpsintfp", "vccint", "ina226.in1", "ina226.curr1", "ina226.power1"]),
        ("versal", ["temp", "ina226.in1", "ina226.curr1", "ina226.power1"]),
    ],
)
async def test_sensors_have_the_same_names_on_both_releases(family: str, names: list[str]) -> None:
    found = []

    for release in ("3.1", "4.0"):
        async with simulated(family=family, release=release) as (_, board):
            found.append({reading.name: reading.unit for reading in (await board.sensors.read()).values()})

    assert found[0] == found[1]
    assert set(names) <= set(found[0])


@pytest.mark.parametrize("degrees", [-40.0, -0.5, 0.0, 25.0, 124.5])
@pytest.mark.parametrize("family", ["zynq7000", "zynqmp", "versal"])
async def test_a_temperature_is_in_degrees_celsius(family: str, degrees: float) -> None:
    async with simulated(family=family) as (sim, board):
        sim.sensors["ps_temp" if family == "zynqmp" else "temp"] = degrees
        assert await board.sensors.temperature() == pytest.approx(degrees, abs=0.1)


async def test_a_reading_says_what_it_is() -> None:
    async with simulated(family="zynqmp") as (sim, board):
        sim.sensors["ina226.curr1"] = 1.5
        reading = (await board.sensors.read())["ina226.curr1"]
        assert reading == Reading("ina226.curr1", 1.5, "A")
        assert str(reading) == "ina226.curr1: 1.5 A"


async def test_what_there_is_is_found_out_once_in_each_boot() -> None:
    async with simulated() as (sim, board):
        await board.sensors.read()
        calls = sum(sim.counters.calls.values())
        assert calls < 150, "a bounded number of files is tried"
        await board.sensors.read()
        assert sum(sim.counters.calls.values()) - calls == len(sim.sensors)
        await sim.restart()
        await board.sensors.temperature()
        assert sim.counters.calls["remote_device.readfile"] - calls < 20
        await sim.reboot()
        await board.sensors.temperature()
        assert sim.counters.calls["remote_device.readfile"] - calls > 30


async def test_chips_of_the_board_are_told_apart_and_named_by_their_labels() -> None:
    async with simulated() as (sim, board):
        for number, file, text in (
            (2, "name", "ina226"),
            (2, "in1_input", "3300"),
            (5, "name", "ina226"),
            (5, "in1_input", "850"),
            (5, "in1_label", "vcc_core"),
            (7, "name", "irps5401"),
            (7, "temp1_input", "51500"),
            (7, "power2_input", "2500000"),
            (7, "curr3_input", "-20"),
        ):
            sim.files.write_bytes(f"/sys/class/hwmon/hwmon{number}/{file}", f"{text}\n".encode())

        readings = await board.sensors.read()
        found: dict[str, Any] = {
            name: (reading.value, reading.unit) for name, reading in readings.items() if "." in name
        }
        assert found == {
            "ina226-2.in1": (pytest.approx(3.3), "V"),
            "ina226-5.vcc_core": (pytest.approx(0.85), "V"),
            "irps5401.temp1": (pytest.approx(51.5), "°C"),
            "irps5401.power2": (pytest.approx(2.5), "W"),
            "irps5401.curr3": (pytest.approx(-0.02), "A"),
        }


async def test_a_sensor_that_does_not_answer_is_left_out() -> None:
    async with simulated(family="zynqmp") as (sim, board):
        assert "vccint" in await board.sensors.read()
        del sim.sensors["vccint"]
        readings = await board.sensors.read()
        assert "vccint" not in readings
        assert "vccaux" in readings
        del sim.sensors["ps_temp"]

        with pytest.raises(ServerError, match=rf"^{board.name}: {IIO}/in_temp7_raw reads '', which is no number"):
            await board.sensors.temperature()


async def test_a_board_without_sensors_says_where_it_was_looked() -> None:
    async with simulated(family="versal") as (sim, board):
        _remove(sim, "/sys/bus/iio/")

        with pytest.raises(NotSupported, match=rf"^{board.name}: no file for the die's temperature: .*{IIO} to 3"):
            await board.sensors.temperature()

        assert set(await board.sensors.read()) == {"ina226.in1", "ina226.curr1", "ina226.power1"}

    async with simulated() as (sim, board):
        _remove(sim, "/sys/bus/iio/")
        sim.files.write_bytes(f"{IIO}/name", b"ad7124\n")

        for call in (board.sensors.read, board.sensors.temperature):
            with pytest.raises(NotSupported, match=rf"^{board.name}: no sensors: neither {IIO} to 3 nor {HWMON} to 23"):
                await call()


async def test_a_server_that_can_open_nothing_is_not_a_board_without_sensors() -> None:
    async with simulated(hazards=Hazards(descriptor_limit=12)) as (sim, board):
        sim.process.open_files = 2

        with pytest.raises(BoardExhausted, match=f"^{board.name}: "):
            await board.sensors.read()

        sim.process.open_files = 0


@pytest.mark.parametrize(("family", "release"), [("zynq7000", "3.1"), ("zynqmp", "4.0")])
async def test_faults_give_a_typed_error_and_leave_the_sensors_usable(family: str, release: str) -> None:
    async with simulated(family=family, release=release, timeouts=HASTY) as (sim, board):

        async def read() -> None:
            assert list(await board.sensors.read()) == list(sim.sensors)

        await under_faults(sim, "remote_device.readfile", read, repeated=True)
