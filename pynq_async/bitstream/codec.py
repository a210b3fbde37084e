"""A design as JSON and back, equal to the last key: JSON has neither sets nor numbers as keys.

A set becomes `{"$set": [...]}`. A dictionary with keys other than text, or with one that could be taken for a mark,
becomes `{"$items": [[key, value], ...]}`.
"""

import json
from dataclasses import fields
from typing import Any

from .design import Design

_SET = "$set"
_ITEMS = "$items"


def encode(value: Any) -> bytes:
    """JSON for dictionaries, lists, sets, text, numbers, booleans and None; raises `TypeError` for anything else."""
    return json.dumps(_marked(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode(data: bytes) -> Any:
    """What `encode` was given; raises `ValueError`."""
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"), object_hook=_unmarked)
    except (TypeError, RecursionError) as cause:
        raise ValueError(f"no encoded design: {cause}") from None


def design_from(values: Any) -> Design:
    """A design from its fields by name; raises `ValueError` where one is missing or of another type."""
    if not isinstance(values, dict) or values.keys() != _TYPES.keys():
        raise ValueError("no design: its fields are others")

    for name, kind in _TYPES.items():
        if not isinstance(values[name], kind):
            raise ValueError(f"no design: its {name} is of another type")

    return Design(**values)


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _marked(item) for key, item in value.items()}

        return {_ITEMS: [[key, _marked(item)] for key, item in value.items()]}

    if isinstance(value, set):
        return {_SET: sorted(value)}

    if isinstance(value, list):
        return [_marked(item) for item in value]

    return value


def _unmarked(value: dict[str, Any]) -> Any:
    if len(value) == 1:
        if _SET in value:
            return set(value[_SET])

        if _ITEMS in value:
            return dict(value[_ITEMS])

    return value


_SCALARS: dict[str, Any] = {"digest": str, "ps_name": str, "family": str | None, "partial": bool}
_TYPES: dict[str, Any] = {field.name: _SCALARS.get(field.name, dict) for field in fields(Design)}
