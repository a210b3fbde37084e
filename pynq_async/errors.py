"""Every error this package raises, in one tree.

::

    PynqError
    ├── InvalidArgument (ValueError)        an option, address or path that cannot be right
    │   └── InventoryError                  an inventory, or a file of tokens, that cannot be used; says line and field
    ├── BitstreamError (ValueError)         a bitstream file that cannot be used
    │   ├── BitstreamNotFound (FileNotFoundError)   there is no such file
    │   └── DesignError                     a hardware description that cannot be used
    ├── LeaseTimeout (TimeoutError)         no board became free in time
    ├── FarmError                           some boards of a farm failed; says which
    ├── SimulationError                     a simulated board could not be started or used
    └── BoardError                          what one board did; begins with its name
        ├── Misuse (ValueError)             a call that cannot be right, refused before anything is sent
        │   ├── OutOfRange                  an offset, length, address or size outside what it belongs to
        │   ├── Misaligned                  an offset or length that is no multiple of what the hardware needs
        │   └── NotInDesign (AttributeError, LookupError)   the design has no IP, register or field of that name
        ├── NotOpen (RuntimeError)          used before it was opened or after it was closed
        ├── WrongLoop (RuntimeError)        used from another event loop, thread or forked process
        ├── ConnectError (ConnectionError)  the board could not be reached in time
        │   ├── TlsError                    no TLS connection, for a reason that waiting does not cure
        │   └── NotABoardServer             something answered, but it is no PYNQ.remote server
        ├── ConnectionLost (ConnectionError)    the connection broke during a call
        ├── DeadlineExceeded (TimeoutError)     no answer, or no progress, in time
        ├── OutcomeUnknown                  the call may have been carried out; it is never repeated
        │   ├── ConnectionLostOutcomeUnknown    ... because the connection broke (a ConnectionLost too)
        │   └── DeadlineOutcomeUnknown          ... because no answer came in time (a DeadlineExceeded too)
        ├── StaleHandle                     the buffer or window belongs to a board server that is gone
        │   ├── BoardRebooted               ... because the board rebooted: its fabric is empty
        │   └── DesignReplaced              ... because another design was loaded since
        ├── NotSupported                    this board's server does not offer the call
        ├── ServerError                     the board server failed inside the call
        ├── ProtocolViolation               the board server answered what it must not
        │   └── UnknownHandle               it does not know a file or handle it should know
        ├── HardwareError                   an IP of the design reports an error, or was stopped
        ├── BoardExhausted                  the board server is out of file descriptors
        ├── AllocationError (MemoryError)   no contiguous memory of that size
        ├── BufferFreed                     the buffer was freed
        ├── NoBoardMemory                   an array derived from a buffer that has no memory on the board
        ├── MappingFailed                   the board server could not map a register window
        │   └── MappingBudgetExceeded       too many windows are mapped already
        ├── RemoteFileError (OSError)       a file on the board could not be read or written
        │   └── RemoteFileNotFound (FileNotFoundError)
        └── FabricError                     programming the fabric
            ├── FabricBusy                  another download is running on this board
            ├── WrongFamily                 the bitstream is for another family of devices
            ├── NotLoaded                   the design is not the one that is in the fabric
            ├── FirmwareRejected            what arrived on the board is not what was sent
            ├── ProgrammingFailed           the FPGA manager did not end in `operating`
            └── FabricUnknown               programming was cut off: what is loaded is unknown
"""

from collections.abc import Mapping
from typing import Any


class PynqError(Exception):
    """Base of all errors of this package; each can be pickled, to be raised in another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args, self.__dict__)


class InvalidArgument(PynqError, ValueError):
    """An option, address or path that cannot be right."""


class InventoryError(InvalidArgument):
    """An inventory, or a file of tokens, that cannot be used; the message begins with `path:line: field`.

    `line` is None when it is about the whole file, and `field` is empty when it is about none.
    """

    def __init__(self, path: object, line: int | None, field: str, problem: str) -> None:
        place = f"{path}" if line is None else f"{path}:{line}"
        super().__init__(": ".join(part for part in (place, field, problem) if part))
        self.path = str(path)
        self.line = line
        self.field = field


class BitstreamError(PynqError, ValueError):
    """A bitstream file that cannot be used; the message begins with the file's name."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = str(path)


class BitstreamNotFound(BitstreamError, FileNotFoundError):
    """There is no such bitstream file."""


class DesignError(BitstreamError):
    """A hardware description that cannot be used."""


class FarmError(PynqError):
    """Some boards of a farm failed.

    `failures` maps the name of each failed board to its exception; `results` has what the others returned.
    """

    def __init__(self, failures: Mapping[str, Exception], results: Mapping[str, Any]) -> None:
        lines = "".join(f"\n  {_sentence(board, error)}" for board, error in failures.items())
        super().__init__(f"{len(failures)} of {len(failures) + len(results)} boards failed:{lines}")
        self.failures = dict(failures)
        self.results = dict(results)


class LeaseTimeout(PynqError, TimeoutError):
    """No board that fits became free in time."""


class SimulationError(PynqError):
    """A simulated board could not be started or used."""


class BoardError(PynqError):
    """What one board did; the message begins with the board's name, which is also in `board`."""

    def __init__(self, board: str, problem: str) -> None:
        super().__init__(f"{board}: {problem}")
        self.board = board


class Misuse(BoardError, ValueError):
    """A call that cannot be right, refused before anything is sent."""


class OutOfRange(Misuse):
    """An offset, length, address or size outside what it belongs to."""


class Misaligned(Misuse):
    """An offset or length that is no multiple of what the hardware needs."""


class NotInDesign(Misuse, AttributeError, LookupError):
    """The design has no IP, register or field of that name."""


class NotOpen(BoardError, RuntimeError):
    """Used before it was opened or after it was closed."""


class WrongLoop(BoardError, RuntimeError):
    """Used from another event loop, thread or forked process than the one it was opened in."""


class ConnectError(BoardError, ConnectionError):
    """The board could not be reached in time."""


class TlsError(ConnectError):
    """No TLS connection, for a reason that waiting does not cure: a certificate, a name, a file, or no TLS at all."""


class NotABoardServer(ConnectError):
    """Something answered at the address, but it is no PYNQ.remote server."""


class OutcomeUnknown(BoardError):
    """The call may or may not have been carried out; it is never repeated automatically."""


class ConnectionLost(BoardError, ConnectionError):
    """The connection to the board broke during a call."""


class ConnectionLostOutcomeUnknown(ConnectionLost, OutcomeUnknown):
    """The connection broke during a call that changes the board: it may have been carried out."""


class DeadlineExceeded(BoardError, TimeoutError):
    """No answer, or no progress, in time."""


class DeadlineOutcomeUnknown(DeadlineExceeded, OutcomeUnknown):
    """No answer in time from a call that changes the board: it may have been carried out."""


class StaleHandle(BoardError):
    """The buffer or window belongs to a board server that is gone."""


class BoardRebooted(StaleHandle):
    """The board rebooted since: its fabric is empty, and touching it could hang the board."""


class DesignReplaced(StaleHandle):
    """Another design was loaded since: what was at this address may not be there any more."""


class NotSupported(BoardError):
    """This board's server does not offer the call."""


class ServerError(BoardError):
    """The board server failed inside the call."""


class ProtocolViolation(BoardError):
    """The board server answered what it must not."""


class UnknownHandle(ProtocolViolation):
    """The board server does not know a file or handle; another client may have removed it."""


class HardwareError(BoardError):
    """An IP of the design reports an error, or was stopped before it was done."""


class BoardExhausted(BoardError):
    """The board server is out of file descriptors; restart it."""


class AllocationError(BoardError, MemoryError):
    """The board has no contiguous memory of that size."""


class BufferFreed(BoardError):
    """The buffer was freed."""


class NoBoardMemory(BoardError):
    """An array derived from a buffer that has no memory on the board of its own."""


class MappingFailed(BoardError):
    """The board server could not map a register window."""


class MappingBudgetExceeded(MappingFailed):
    """Too many register windows are mapped already; the server never unmaps one."""


class RemoteFileError(BoardError, OSError):
    """A file on the board could not be read or written."""


class RemoteFileNotFound(RemoteFileError, FileNotFoundError):
    """There is no such file on the board."""


class FabricError(BoardError):
    """Programming the fabric did not succeed."""


class FabricBusy(FabricError):
    """Another download is running on this board."""


class WrongFamily(FabricError):
    """The bitstream is for another family of devices than the board's."""


class NotLoaded(FabricError):
    """The design is not the one that is in the fabric."""


class FirmwareRejected(FabricError):
    """What arrived on the board is not what was sent; nothing was programmed."""


class ProgrammingFailed(FabricError):
    """The FPGA manager did not end in `operating` with the flags that were set."""


class FabricUnknown(FabricError, OutcomeUnknown):
    """Programming was cut off: what is loaded is unknown until the next download."""


def _again(kind: type[PynqError], args: tuple[Any, ...], state: dict[str, Any]) -> PynqError:
    """An error as it was pickled: the message stands already, so its class must not make it."""
    maker: type[Any] = OSError if issubclass(kind, OSError) else Exception  # those of other builtins refuse
    error: PynqError = maker.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _sentence(board: str, error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if text.startswith(f"{board}: ") else f"{board}: {type(error).__name__}: {text}"
