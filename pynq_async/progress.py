"""What a long operation reports while it runs, and what has gone over the network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    """One step forward: `done` of `total` bytes of `stage` on the board called `board`.

    Bytes that are sent count when they are handed to the network; on a slow link some megabytes are still on their way.

    Stages of a download are `upload` (unless the board has the bitstream already), `verify` (only with
    `verify="full"`), `program` and `done`; of a buffer `to board` and `from board`; of a file `read`. A stage whose
    bytes are not known beforehand has a total of 0.
    """

    board: str
    stage: str
    done: int
    total: int


@dataclass(slots=True)
class Traffic:
    """Bytes of messages to a board and from it, without what gRPC and TLS add."""

    sent: int = 0
    received: int = 0


ProgressCallback: TypeAlias = Callable[[Progress], None]
