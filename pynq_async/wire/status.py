"""Which error each gRPC status becomes: a table, complete for every code."""

from dataclasses import dataclass

import grpc

from ..errors import (
    BoardError,
    ConnectionLost,
    ConnectionLostOutcomeUnknown,
    DeadlineExceeded,
    DeadlineOutcomeUnknown,
    NotOpen,
    NotSupported,
    ProtocolViolation,
    ServerError,
    UnknownHandle,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a status code means: the error of a call that only reads, of one that changes the board, and its words."""

    reading: type[BoardError]
    changing: type[BoardError]
    sentence: str
    advice: str = ""


def _same(error: type[BoardError], sentence: str) -> Meaning:
    return Meaning(error, error, sentence)


_FAILED = _same(ServerError, "the board server failed inside the call; its log on the board says why")

MEANINGS: dict[grpc.StatusCode, Meaning] = {
    grpc.StatusCode.OK: _same(ProtocolViolation, "the board server ended the call early without an error"),
    grpc.StatusCode.CANCELLED: Meaning(
        ConnectionLost, ConnectionLostOutcomeUnknown, "the board server cancelled the call"
    ),
    grpc.StatusCode.UNKNOWN: _FAILED,
    grpc.StatusCode.INVALID_ARGUMENT: _same(ProtocolViolation, "the board server refused the request"),
    grpc.StatusCode.DEADLINE_EXCEEDED: Meaning(
        DeadlineExceeded, DeadlineOutcomeUnknown, "no answer in time", advice="; is the board alive?"
    ),
    grpc.StatusCode.NOT_FOUND: _same(UnknownHandle, "the board server does not know what it was asked for"),
    grpc.StatusCode.ALREADY_EXISTS: _FAILED,
    grpc.StatusCode.PERMISSION_DENIED: _same(NotSupported, "the board server denies the call"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: _same(ServerError, "the board server has no resources left for the call"),
    grpc.StatusCode.FAILED_PRECONDITION: _FAILED,
    grpc.StatusCode.ABORTED: _FAILED,
    grpc.StatusCode.OUT_OF_RANGE: _FAILED,
    grpc.StatusCode.UNIMPLEMENTED: _same(NotSupported, "this board's server does not offer the call"),
    grpc.StatusCode.INTERNAL: _FAILED,
    grpc.StatusCode.UNAVAILABLE: Meaning(
        ConnectionLost, ConnectionLostOutcomeUnknown, "the connection to the board is lost"
    ),
    grpc.StatusCode.DATA_LOSS: _FAILED,
    grpc.StatusCode.UNAUTHENTICATED: _same(NotSupported, "the board server wants credentials"),
}


def error_for(board: str, method: object, code: grpc.StatusCode, details: str | None, *, changing: bool) -> BoardError:
    """The error for a call of `method` that ended with `code`; `changing` says whether the call changes the board."""
    meaning = MEANINGS[code]
    kind = meaning.changing if changing else meaning.reading
    unknown = "; it may have been carried out" if kind in _UNKNOWN_OUTCOMES else ""
    said = f" ({code.name}: {details})" if details else f" ({code.name})"
    return kind(board, f"{method}: {meaning.sentence}{unknown}{meaning.advice}{said}")


def cut_off(board: str, method: object) -> NotOpen:
    """The error for a call under which the board was closed."""
    return NotOpen(board, f"{method}: the board was closed during the call")


def closed(board: str, method: object) -> NotOpen:
    """The error for a call that comes too late."""
    return NotOpen(board, f"{method}: the board is closed; open it again")


_UNKNOWN_OUTCOMES = (ConnectionLostOutcomeUnknown, DeadlineOutcomeUnknown)
