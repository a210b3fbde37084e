"""Errors travel between processes."""

import inspect
import pickle

import pytest

from pynq_async import errors
from pynq_async.errors import BoardError, ConnectionLost, FarmError, InventoryError, PynqError

OWN = {
    FarmError: FarmError({"a": ConnectionLost("a", "is gone")}, {"b": 1}),
    InventoryError: InventoryError("lab.toml", 3, "board[0].name", "is missing"),
}
KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, PynqError)]


def _example(kind: type[PynqError]) -> PynqError:
    if kind in OWN:
        return OWN[kind]

    return kind("a", "is wrong") if issubclass(kind, BoardError | errors.BitstreamError) else kind("is wrong")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_the_same_in_another_process(kind: type[PynqError]) -> None:
    error = _example(kind)
    error.add_note("seen on the way")
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind and str(copy) == str(error) and copy.args == error.args
    assert repr(vars(copy)) == repr(vars(error)) and copy.__notes__ == ["seen on the way"]
