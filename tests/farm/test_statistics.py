from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pynq_async import BoardFarm, RemoteDevice
from pynq_async.errors import NotOpen, PynqError
from pynq_async.farm import metrics
from pynq_async.farm.events import BoardLeased, BoardLost, BoardReturned
from pynq_async.farm.leases import Leases
from pynq_async.farm.statistics import Tally

from .farms import several, simulated_farm


def test_what_happens_is_counted() -> None:
    tally, leases = Tally(), Leases()
    leases.add("a", (), "Pynq-Z2", "zynq7000")
    leases.add("b")
    tally.event(BoardLeased("a", 10.0))
    tally.event(BoardReturned("a", 12.0, ("the buffer",)))
    tally.event(BoardLost("b", 13.0, "gone"))
    tally.event(BoardLeased("a", 15.0))
    tally.item("a", "done", 0.5)
    tally.item("a", "failed", 0.25)
    tally.item("b", "moved", 9.0)
    found = tally.statistics(leases, now=20.0)
    a, b = found.boards["a"], found.boards["b"]
    assert (a.leases, a.leased_seconds, a.forgotten) == (2, 7.0, 1)
    assert (a.items, a.failed, a.busy_seconds) == (2, 1, 0.75)
    assert (b.state, b.lost, b.moved, b.items) == ("absent", 1, 1, 0)


@pytest.fixture
async def farm(bitfile: Path) -> AsyncIterator[BoardFarm]:
    """A farm of two boards that has done something."""

    async def work(board: RemoteDevice, item: int) -> int:
        return item

    async with simulated_farm(*several(2)) as boards, BoardFarm(boards) as farm:
        await farm.download(bitfile)

        async with farm.map(work, range(6)) as results:
            assert len([result async for result in results]) == 6

        yield farm


async def test_statistics_are_plain_values(farm: BoardFarm) -> None:
    async with farm.lease(name="a"):
        found = farm.statistics()

    assert found.boards["a"].state == "leased" and found.boards["b"].state == "free" and found.waiting == 0
    assert [board.loaded for board in found.boards.values()] == [1, 1]
    assert sum(board.items for board in found.boards.values()) == 6
    assert farm.statistics().boards["a"].state == "free" and found.boards["a"].state == "leased"


async def test_a_farm_that_is_not_open_has_no_statistics() -> None:
    with pytest.raises(NotOpen, match="not open"):
        BoardFarm("10.0.0.1").statistics()


async def test_prometheus_is_told(farm: BoardFarm) -> None:
    prometheus: Any = pytest.importorskip("prometheus_client")
    registry = prometheus.CollectorRegistry()
    registry.register(metrics.PrometheusCollector(farm))
    text = prometheus.generate_latest(registry).decode()
    assert 'pynq_farm_board_loaded_total{board="a"} 1.0' in text
    assert 'pynq_farm_boards{state="free"} 2.0' in text
    assert "pynq_farm_leases_waiting 0.0" in text


async def test_opentelemetry_is_told(farm: BoardFarm) -> None:
    sdk: Any = pytest.importorskip("opentelemetry.sdk.metrics")
    export: Any = pytest.importorskip("opentelemetry.sdk.metrics.export")
    reader = export.InMemoryMetricReader()
    provider = sdk.MeterProvider([reader])
    metrics.observe(farm, provider.get_meter("test"))
    [resource] = reader.get_metrics_data().resource_metrics
    found = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    assert [(point.attributes["board"], point.value) for point in found["pynq.farm.board.loaded"].data.data_points] == [
        ("a", 1),
        ("b", 1),
    ]
    states = {point.attributes["state"]: point.value for point in found["pynq.farm.boards"].data.data_points}
    assert states == {"free": 2, "leased": 0, "absent": 0, "elsewhere": 0}
    provider.shutdown()


async def test_metrics_without_their_package_say_what_to_install(
    farm: BoardFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(metrics, "import_module", absent)

    with pytest.raises(PynqError, match=r"pip install 'pynq-async\[metrics\]'"):
        metrics.PrometheusCollector(farm)

    with pytest.raises(PynqError, match="opentelemetry"):
        metrics.observe(farm)
