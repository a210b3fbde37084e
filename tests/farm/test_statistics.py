import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pynq_async import Address, BoardFarm, BoardSpec, Health, RemoteDevice
from pynq_async.bitstream import parse_bitstream, synthetic_bitstream
from pynq_async.errors import BoardError, NotOpen, PynqError
from pynq_async.farm import metrics
from pynq_async.farm.events import BoardLeased, BoardLost, BoardReturned
from pynq_async.farm.leases import Leases
from pynq_async.farm.statistics import Tally
from pynq_async.sim import SimBoard

from .farms import several, simulated_farm


def test_what_happens_is_counted() -> None:
    tally, leases = Tally(opened=9.0), Leases()
    boards = {name: RemoteDevice("10.0.0.1", name=name) for name in "ab"}
    leases.add("a", ("lab", "camera"), "Pynq-Z2", "zynq7000")
    leases.add("b")
    tally.event(BoardLeased("a", 10.0))
    tally.event(BoardReturned("a", 12.0, ("the buffer",)))
    tally.event(BoardLost("b", 13.0, "gone"))
    tally.event(BoardLeased("a", 15.0, "alice"))
    tally.item("a", "done", 0.5)
    tally.item("a", "failed", 0.25)
    tally.item("b", "moved", 9.0)
    found = tally.statistics(leases, boards, {"b": BoardError("b", "gone")}, now=20.0)
    a, b = found.boards["a"], found.boards["b"]
    assert (a.name, a.address, a.model, a.family, a.tags) == ("a", "10.0.0.1", "Pynq-Z2", "zynq7000", ("camera", "lab"))
    assert (a.state, a.since, a.holder) == ("leased", 15.0, "alice")
    assert (b.state, b.since, b.holder, b.reason) == ("absent", 13.0, None, "b: gone")
    assert (a.leases, a.leased_seconds, a.forgotten) == (2, 7.0, 1)
    assert (a.items, a.failed, a.busy_seconds) == (2, 1, 0.75)
    assert (b.lost, b.moved, b.items) == (1, 1, 0)
    tally.event(BoardReturned("a", 30.0))
    a = tally.statistics(leases, boards, {}, now=40.0).boards["a"]
    assert (a.state, a.since, a.holder, a.leased_seconds) == ("free", 30.0, None, 17.0)


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


async def test_what_a_board_is_doing_now_is_known_without_asking_it() -> None:
    async with simulated_farm(SimBoard(family="zynqmp", model="ZCU104")) as boards:
        made_up = parse_bitstream("made_up.bit", synthetic_bitstream("xczu7ev-ffvc1156"))
        spec = BoardSpec("a", Address.parse(boards["a"]), tags=frozenset({"camera"}))

        async with BoardFarm(spec) as farm:
            before = farm.statistics().boards["a"]
            assert (before.design, before.digest, before.state, before.holder) == (None, None, "free", None)
            assert (before.address, before.model, before.family) == (boards["a"], "ZCU104", "zynqmp")
            assert before.tags == ("camera",) and before.sent > 0

            async with farm.lease(holder="alice") as board, board.allocate(1 << 20, "u1") as buffer:
                loaded = await board.download(made_up)
                await buffer.sync_to_device()
                await buffer.sync_from_device()
                now = farm.statistics().boards["a"]

            assert (now.state, now.holder, now.loaded) == ("leased", "alice", 1) and now.since >= before.since
            assert (now.design, now.digest) == ("made_up.bit", loaded.digest)
            assert now.sent - before.sent > 1 << 20 and now.received - before.received > 1 << 20

        after = farm.statistics().boards["a"]
        assert (after.state, after.holder) == ("free", None) and after.sent >= now.sent

        async with BoardFarm(boards) as farm:
            assert farm.statistics().boards["a"].digest == loaded.digest, "loaded by the other farm"


async def test_a_rebooted_board_has_no_design(bitfile: Path) -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards, BoardFarm(boards, health=Health(interval=0.02)) as farm:
        await farm.download(bitfile)
        assert farm.statistics().boards["a"].design == "small.bit"

        await sim.reboot()

        async with asyncio.timeout(5):
            while farm.statistics().boards["a"].design is not None:
                await asyncio.sleep(0.005)

        assert farm.statistics().boards["a"].loaded == 1


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
