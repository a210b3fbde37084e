"""What a simulated board measures of itself."""

from pynq_async import RemoteDevice
from pynq_async.sim import SimBoard, serve
from pynq_async.sim.sensors import Drifting


def test_temperatures_drift_and_voltages_do_not() -> None:
    now = 0.0
    values = Drifting(0, lambda: now)
    values |= {"temp": 46.5, "vccint": 1.0}
    assert (values["temp"], values["vccint"]) == (46.5, 1.0)
    now = 10.0
    assert (values["temp"], values["vccint"]) == (49.0, 1.0)


async def test_a_board_that_drifts_can_be_asked() -> None:
    sim = SimBoard(drift=True)

    async with serve(sim) as address, RemoteDevice(address) as board:
        assert 43 < await board.sensors.temperature() < 50
        sim.sensors["temp"] = 80.0
        assert 77 < await board.sensors.temperature() < 83
