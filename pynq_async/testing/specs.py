"""Boards on their way to the process beside a test run, as plain values and back."""

from dataclasses import asdict
from typing import Any

from ..config import Address, BoardSpec, Limits, Timeouts, Tls


def to_values(spec: BoardSpec) -> dict[str, Any]:
    """A board as JSON can hold it."""
    values = asdict(spec) | {"tags": sorted(spec.tags)}

    if spec.tls is not None:
        values["tls"] = {name: None if value is None else str(value) for name, value in asdict(spec.tls).items()}

    return values


def to_spec(values: dict[str, Any]) -> BoardSpec:
    """The board that `to_values` was given."""
    kinds: dict[str, Any] = {"tls": Tls, "timeouts": Timeouts, "limits": Limits}
    options = {name: kind(**values[name]) for name, kind in kinds.items() if values[name] is not None}
    return BoardSpec(**values | options | {"address": Address(**values["address"]), "tags": frozenset(values["tags"])})
