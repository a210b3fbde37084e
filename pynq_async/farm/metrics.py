"""A farm's statistics as metrics, for Prometheus or OpenTelemetry, where those packages are installed.

    pip install "pynq-async[metrics]"

Imported by nobody else in this package.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import PynqError
from .lending import Lending
from .statistics import BoardStatistics

STATES = ("free", "leased", "absent", "elsewhere")


@dataclass(frozen=True, slots=True)
class Metric:
    """One number a board: its name, what it means, its unit, and where it is found; all of them only ever grow."""

    name: str
    meaning: str
    unit: str
    value: Callable[[BoardStatistics], float]


METRICS = (
    Metric("leases", "how often the board was given to somebody", "1", lambda board: board.leases),
    Metric("leased_seconds", "for how long it was, in all", "s", lambda board: board.leased_seconds),
    Metric("items", "calls of map that it carried out", "1", lambda board: board.items),
    Metric("busy_seconds", "how long it worked on them", "s", lambda board: board.busy_seconds),
    Metric("items_failed", "calls of map that raised", "1", lambda board: board.failed),
    Metric(
        "items_moved", "calls of map that were done elsewhere because the board failed", "1", lambda board: board.moved
    ),
    Metric("lost", "how often it was set aside", "1", lambda board: board.lost),
    Metric("loaded", "downloads that ended well", "1", lambda board: board.loaded),
    Metric("forgotten_buffers", "buffers freed at the end of a lease", "1", lambda board: board.forgotten),
)


class PrometheusCollector:
    """What a Prometheus registry asks for the farm's numbers, each time it is scraped.

        prometheus_client.REGISTRY.register(PrometheusCollector(farm))

    `pynq_farm_board_...` by board, `pynq_farm_boards` by state, `pynq_farm_leases_waiting`. An open farm only; register
    it after opening, and unregister it before closing.
    """

    def __init__(self, farm: Lending) -> None:
        self._farm = farm
        self._core = _package("prometheus_client.core")

    def collect(self) -> Iterator[Any]:
        """The metrics as they are now."""
        statistics = self._farm.statistics()

        for metric in METRICS:
            family = self._core.CounterMetricFamily(f"pynq_farm_board_{metric.name}", metric.meaning, labels=["board"])

            for name, board in statistics.boards.items():
                family.add_metric([name], metric.value(board))

            yield family

        states = self._core.GaugeMetricFamily("pynq_farm_boards", "boards in each state", labels=["state"])

        for state in STATES:
            states.add_metric([state], sum(board.state == state for board in statistics.boards.values()))

        yield states
        yield self._core.GaugeMetricFamily(
            "pynq_farm_leases_waiting", "leases that wait for boards", value=statistics.waiting
        )


def observe(farm: Lending, meter: Any = None) -> None:
    """Have an OpenTelemetry meter ask for the farm's numbers: `pynq.farm.board...` by board, and as for Prometheus.

    Args:
        farm: an open one; when it is closed its last numbers stay.
        meter: from `opentelemetry.metrics.get_meter`; one called `pynq_async` unless told.
    """
    api = _package("opentelemetry.metrics")
    meter = api.get_meter("pynq_async") if meter is None else meter

    def each(metric: Metric) -> Callable[[Any], list[Any]]:
        return lambda options: [
            api.Observation(metric.value(board), {"board": name}) for name, board in farm.statistics().boards.items()
        ]

    def states(options: Any) -> list[Any]:
        boards = farm.statistics().boards.values()
        return [api.Observation(sum(board.state == state for board in boards), {"state": state}) for state in STATES]

    for metric in METRICS:
        meter.create_observable_counter(
            f"pynq.farm.board.{metric.name}", [each(metric)], unit=metric.unit, description=metric.meaning
        )

    meter.create_observable_gauge("pynq.farm.boards", [states], description="boards in each state")
    meter.create_observable_gauge(
        "pynq.farm.leases_waiting",
        [lambda options: [api.Observation(farm.statistics().waiting)]],
        description="leases that wait for boards",
    )


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise PynqError(f"metrics need the package of {name}: pip install 'pynq-async[metrics]'") from error
