"""What travels between a client and the workers, packed by whoever knows best what to say when it cannot be."""

import traceback
from dataclasses import dataclass
from typing import Any

import cloudpickle

from ..errors import InvalidArgument, PynqError
from ..farm.leases import Want


@dataclass(frozen=True, slots=True)
class Ticket:
    """A map, as its items bring it to a worker.

    Attributes:
        map: identifies it.
        work: the function and `setup`, packed.
        want: which boards it may use.
        timeout, attempts, turn, holder: see `BoardFarm.map`.
    """

    map: str
    work: bytes
    want: Want
    timeout: float | None
    attempts: int
    turn: float
    holder: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an item on a worker.

    Attributes:
        worker: its address.
        board: where the item was done, or failed last.
        outcome: what the function returned and the error, packed.
        tried: the boards that have failed under the item here.
        moves: whether that was what ended it, so that it should be tried elsewhere.
        failures: the boards whose `setup` has failed here, packed; None while there is none.
        refused: whether the map can do nothing here, as `setup` has failed on every board.
    """

    worker: str
    board: str = ""
    outcome: bytes = b""
    tried: tuple[str, ...] = ()
    moves: bool = False
    failures: bytes | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker has for a map: the boards that would do, how many of them answer, and all that there are."""

    boards: tuple[str, ...]
    supply: int
    known: tuple[str, ...]


def resource_of(want: Want) -> str:
    """The name of the Dask resource of which a worker has one for each board that meets `want`."""
    return str(want).replace("1 board", "board", 1)


def packed(thing: Any, what: str) -> bytes:
    """Bytes that another process can read; raises `InvalidArgument`, which calls the thing `what`."""
    try:
        return bytes(cloudpickle.dumps(thing))
    except Exception as error:
        raise InvalidArgument(
            f"{what} cannot be sent to another process: {_words(error)}; leave out what belongs to this one, such as "
            "boards, locks and open files"
        ) from error


def unpacked(parcel: bytes, what: str) -> Any:
    """What was packed; raises `InvalidArgument`, which calls it `what`."""
    try:
        return cloudpickle.loads(parcel)
    except Exception as error:
        raise InvalidArgument(
            f"{what} cannot be read here: {_words(error)}; are the same packages installed for client and workers?"
        ) from error


def packed_outcome(value: Any, error: Exception | None, board: str) -> bytes:
    """What a function returned or raised, or else the error that says why it cannot be sent."""
    if error is not None:
        return packed_error(error, board)

    try:
        return packed((value, None), f"what the function returned on {board}")
    except InvalidArgument as problem:
        return packed((None, problem), "an error")


def packed_error(error: Exception, board: str) -> bytes:
    """An error, with where it was raised as a note; in place of one that cannot be sent, one that quotes it."""
    where = "".join(traceback.format_exception(error)).rstrip()
    error.add_note(f"As it was raised on {board}:\n{where}")

    try:
        parcel = packed((None, error), "the error")
        unpacked(parcel, "the error")
    except InvalidArgument:
        substitute = PynqError(f"{board}: the function raised {_words(error)}")
        substitute.add_note(f"As it was raised on {board}:\n{where}")
        return packed((None, substitute), "an error")

    return parcel


def unpacked_outcome(parcel: bytes, board: str) -> tuple[Any, Exception | None]:
    """What a function returned or raised on a worker."""
    try:
        value, error = unpacked(parcel, f"what the function returned on {board}")
    except InvalidArgument as problem:
        return None, problem

    return value, error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
