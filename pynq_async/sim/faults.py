"""Faults on request: what a test makes a simulated board do wrong, and when."""

from collections import defaultdict, deque
from dataclasses import dataclass

import grpc
from google.protobuf.message import Message

ANY = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to one call: a status, a reply of the test's choice, a cut connection; see `FaultPlan`."""

    code: grpc.StatusCode | None = None
    details: str = ""
    reply: bytes | None = None
    execute: bool = True
    drop: bool = False


class FaultPlan:
    """What goes wrong on one board. Every field and method may be used while the board runs.

    Methods are named as in `counters.calls` (`"mmio.read"`), or `"*"` for all. Rules for one method are used up in
    the order they were added, one a call.

    ::

        board.faults.fail("buffer.flush", grpc.StatusCode.UNKNOWN, times=2)
        board.faults.answer("buffer.allocate", AllocateResponse())      # OK, but without a buffer_id
        board.faults.drop("mmio.write", after=True)                     # executed, but the answer is lost
        board.faults.latency = 0.02

    Attributes:
        latency: seconds added to every call.
        bandwidth: bytes a second of all bulk payload together; None is no limit.
        program_seconds: how long programming the fabric takes.
        program_state: what the FPGA manager ends in instead of `operating`, such as `write error`.
        flags: what reading the FPGA manager's flags gives whatever was written; None is the truth.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget every fault: the board behaves again."""
        self.latency = 0.0
        self.bandwidth: float | None = None
        self.program_seconds = 0.0
        self.program_state: str | None = None
        self.flags: int | None = None
        self._delays: dict[str, float] = {}
        self._rules: defaultdict[str, deque[Rule]] = defaultdict(deque)
        self._stretches: defaultdict[str, deque[int]] = defaultdict(deque)
        self._cuts: deque[tuple[str, int]] = deque()
        self._flips: deque[str] = deque()

    def delay(self, method: str, seconds: float) -> None:
        """Answer every call of a method later; 0 ends it."""
        self._delays[method] = seconds

    def fail(
        self,
        method: str,
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
        details: str = "",
        *,
        times: int = 1,
        execute: bool = False,
    ) -> None:
        """End the next calls with a status; with `execute` after doing what was asked."""
        self._rules[method].extend([Rule(code=code, details=details, execute=execute)] * times)

    def answer(self, method: str, reply: Message, *, times: int = 1, execute: bool = False) -> None:
        """Answer the next calls of a method that has one reply with this one and OK."""
        self._rules[method].extend([Rule(reply=reply.SerializeToString(), execute=execute)] * times)

    def drop(self, method: str, *, after: bool = False, times: int = 1) -> None:
        """Cut all connections at the next calls, before or after doing what was asked; the server lives on."""
        self._rules[method].extend([Rule(drop=True, execute=after)] * times)

    def stretch(self, method: str, amount: int, *, times: int = 1) -> None:
        """Let the next `buffer.read` or `remote_device.readfile` send so many bytes more, or fewer."""
        self._stretches[method].extend([amount] * times)

    def cut_file(self, prefix: str, keep: int, *, times: int = 1) -> None:
        """Store only the first `keep` bytes of the next files written under `prefix`; the call reports success."""
        self._cuts.extend([(prefix, keep)] * times)

    def flip_bit(self, prefix: str, *, times: int = 1) -> None:
        """Flip one bit in the next files written under `prefix`, at their end."""
        self._flips.extend([prefix] * times)

    def take_rule(self, method: str) -> Rule | None:
        """Use up the next rule for a call."""
        for key in (method, ANY):
            if self._rules.get(key):
                return self._rules[key].popleft()

        return None

    def seconds(self, method: str) -> float:
        """How long a call is held up before anything is done."""
        return self.latency + (self._delays.get(method, self._delays.get(ANY, 0.0)) if self._delays else 0.0)

    def take_stretch(self, method: str) -> int:
        """Use up the next change to a stream's length."""
        return self._stretches[method].popleft() if self._stretches.get(method) else 0

    def take_cut(self, path: str) -> int | None:
        """Use up the next cut for a file that is being opened for writing."""
        for entry in self._cuts:
            if path.startswith(entry[0]):
                self._cuts.remove(entry)
                return entry[1]

        return None

    def take_flip(self, path: str) -> bool:
        """Use up the next bit flip for a file that was written."""
        for prefix in self._flips:
            if path.startswith(prefix):
                self._flips.remove(prefix)
                return True

        return False
