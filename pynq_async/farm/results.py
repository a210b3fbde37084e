"""What a farm's boards returned, by name."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from ..errors import FarmError

T = TypeVar("T")


class Results(Mapping[str, T]):
    """Maps the name of each board that succeeded to what it returned; `failures` maps the others to their error."""

    def __init__(self, results: Mapping[str, T], failures: Mapping[str, Exception]) -> None:
        self._results = dict(results)
        self.failures = dict(failures)

    def __getitem__(self, board: str) -> T:
        return self._results[board]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"Results({self._results!r}, failures={self.failures!r})"


def farm_error(outcome: Results[Any]) -> FarmError:
    """The error for an outcome with failures, caused by all of them."""
    error = FarmError(outcome.failures, outcome)
    error.__cause__ = ExceptionGroup("boards failed", list(outcome.failures.values()))
    return error
