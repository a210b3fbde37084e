"""What is wrong with a request, in words for who sent it; Pydantic's are for who wrote the model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

_MOST = 10
_LONGEST_KEY = 100
_NOT_SENT = "send it as JSON, with 'Content-Type: application/json'"
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "there is no such field",
    "model_attributes_type": _NOT_SENT,
    "model_type": "it must be a JSON object",
    "json_invalid": "this is not JSON",
}


def mistakes(errors: Sequence[Any], within: str = "", model: object = None) -> str:
    """What Pydantic found wrong, the first of it, without the values that were sent.

    `model` is what was to be read at `within`: its fields are named to who sends another one.
    """
    told = [_told(each, within, model) for each in errors[:_MOST]]
    return "; ".join([*told, *([f"and {more} more"] if (more := len(errors) - _MOST) > 0 else [])])


def _told(error: Any, within: str, model: object) -> str:
    kind, place = error["type"], tuple(key for key in (within, *error["loc"]) if key != "")
    words = _WORDS.get(kind) or error["msg"].replace("Input should be", "it must be")

    if kind == "json_invalid" and isinstance(place[-1], int):
        place, words = place[:-1], f"{words}: {error['ctx']['error']}, at character {place[-1]}"
    elif kind == "missing" and place == ("body",):
        words = _NOT_SENT
    elif kind == "extra_forbidden" and len(place) == 2 and isinstance(model, type) and issubclass(model, BaseModel):
        words += _there_are(info.alias or name for name, info in model.model_fields.items())

    return f"{'.'.join(str(key)[:_LONGEST_KEY] for key in place)}: {words}"


def _there_are(names: Iterable[str]) -> str:
    found = ", ".join(names)
    return f"; there are {found}" if found else "; there are none"
