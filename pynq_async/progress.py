"""What a long operation reports while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    """One step forward: `done` of `total` bytes of `stage` on the board called `board`.

    Stages of a download are `upload`, `verify` (only with `verify="full"`) and `program`; of a buffer `to board` and
    `from board`. A stage without bytes has a total of 0.
    """

    board: str
    stage: str
    done: int
    total: int


ProgressCallback: TypeAlias = Callable[[Progress], None]
