import inspect

import grpc
import pytest

from pynq_async import errors
from pynq_async.wire.status import MEANINGS, error_for


def test_every_status_has_a_meaning() -> None:
    assert set(MEANINGS) == set(grpc.StatusCode)


@pytest.mark.parametrize("code", grpc.StatusCode)
@pytest.mark.parametrize("changing", [False, True])
def test_every_status_becomes_an_error_of_our_tree_that_says_where_and_what(
    code: grpc.StatusCode, changing: bool
) -> None:
    error = error_for("lab-3", "mmio.write", code, "said the server", changing=changing)
    assert isinstance(error, errors.BoardError)
    assert error.board == "lab-3"
    assert str(error).startswith("lab-3: mmio.write: ")
    assert "said the server" in str(error)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED])
def test_only_a_call_that_changes_the_board_can_end_in_doubt(code: grpc.StatusCode) -> None:
    assert isinstance(error_for("b", "m", code, None, changing=True), errors.OutcomeUnknown)
    assert not isinstance(error_for("b", "m", code, None, changing=False), errors.OutcomeUnknown)


def test_errors_are_the_builtins_that_callers_expect() -> None:
    assert issubclass(errors.DeadlineExceeded, TimeoutError)
    assert issubclass(errors.ConnectionLost, ConnectionError)
    assert issubclass(errors.RemoteFileNotFound, FileNotFoundError)
    assert issubclass(errors.AllocationError, MemoryError)
    assert issubclass(errors.Misuse, ValueError)


def test_the_tree_is_drawn_whole() -> None:
    drawn = errors.__doc__ or ""

    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.PynqError):
            assert f" {name} " in drawn or f"    {name}\n" in drawn, name
