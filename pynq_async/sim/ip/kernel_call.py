"""What the Python function of a simulated kernel is given."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...errors import SimulationError

if TYPE_CHECKING:
    from .site import Site


class KernelCall:
    """One run of a kernel: its arguments, its streams and the board's memory.

    A function that yields lets so many seconds pass before it goes on; what it returns is the kernel's return value.

    ::

        def scale(call: KernelCall) -> None:                    # a stream in, a stream out
            data = np.frombuffer(call.receive("src"), np.uint8)
            call.send("dst", (data * call.arguments["factor"]).tobytes())

        def total(call: KernelCall) -> Iterator[float]:         # a pointer, a return value, and half a second of work
            words = np.frombuffer(call.read(call.arguments["data"], 4 * call.arguments["count"]), "<u4")
            yield 0.5
            return int(words.sum())

    Attributes:
        arguments: as the registers held them at the start, as unsigned integers by name.
        outputs: results by name, as integers; what is put here is in the registers when the kernel has finished.
    """

    def __init__(self, site: "Site", arguments: Mapping[str, int], sent: Callable[[], Callable[[], None]]) -> None:
        self.arguments = dict(arguments)
        self.outputs: dict[str, int] = {}
        self._site = site
        self._sent = sent

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value:#x}" for name, value in self.arguments.items())
        return f"<KernelCall {self._site.name}({arguments})>"

    def waiting(self, port: str) -> int:
        """How many packets wait at an input; a kernel is not run before there is one at each."""
        return self._site.stream(port).waiting

    def receive(self, port: str) -> bytes:
        """Take the next packet, up to its TLAST, from an input; raises `SimulationError` when none waits there."""
        packet = self._site.stream(port).take()

        if packet is None:
            raise SimulationError(f"{self._site.name}: no packet waits at {port!r}; {self._ports()}")

        return packet

    def send(self, port: str, data: bytes | bytearray | memoryview) -> None:
        """Send a packet from an output; the kernel has not finished before it is taken."""
        self._site.stream(port).send(data, self._sent())

    def read(self, address: int, length: int) -> bytes:
        """Read the board's memory; raises `SimulationError` where there is none."""
        self._check(address, length)
        return self._site.memory.read(address, length)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write the board's memory; raises `SimulationError` where there is none."""
        self._check(address, memoryview(data).nbytes)
        self._site.memory.write(address, data)

    def _check(self, address: int, length: int) -> None:
        if length and not self._site.physical(address, length):
            raise SimulationError(f"{self._site.name}: no memory answers at {length} bytes from {address:#x} on")

    def _ports(self) -> str:
        return f"it takes packets at {', '.join(self._site.inputs) or 'no port'}"
