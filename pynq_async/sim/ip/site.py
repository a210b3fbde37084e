"""Where a model of an IP stands in the design, and all it may do to what is around it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..fabric import Fabric
    from ..memory import Memory
    from ..options import Hazards
    from .stream import Stream

Kernel = Callable[..., Any]


class Site:
    """What a model is given: what the design says of its IP, and its ways to the outside.

    ::

        class Blinker(IpModel):
            def store(self, offset: int, word: int) -> None:
                self.site.later(0.001, lambda: self.site.line("irq")(True))

    Attributes:
        name: the full path in the block design, as in `ip_dict`: `video/axi_vdma`.
        path: the same, but for IP with several address ranges: those have a name each, and one path.
        type: vendor, library, name and version: `xilinx.com:ip:axi_vdma:6.3`; of a memory only its kind, `BRAM`.
        base: physical address of its range.
        size: length of its range in bytes.
        parameters: what it was configured with, all text.
        registers: by name, as `ip_dict` has them.
        memory: the board's physical memory.
        hazards: the board's switches of destructive behaviour.
        kernel: the Python function that was given for this IP.
    """

    def __init__(
        self, fabric: "Fabric", name: str, entry: Mapping[str, Any], memory: "Memory", kernel: Kernel | None
    ) -> None:
        self.name = name
        self.type: str = entry["type"]
        self.base: int = entry["phys_addr"]
        self.size: int = entry["addr_range"]
        self.parameters: Mapping[str, str] = entry.get("parameters", {})
        self.registers: Mapping[str, Mapping[str, Any]] = entry.get("registers", {})
        self.memory = memory
        self.hazards: Hazards = fabric.hazards
        self.kernel = kernel
        self._fabric = fabric
        self.path: str = entry.get("fullpath") or name
        self._lines: dict[str, Callable[[bool], None]] = {}
        self._streams: dict[str, Stream] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._ended = False

    @property
    def range(self) -> range:
        """The physical addresses of this IP."""
        return range(self.base, self.base + self.size)

    def line(self, pin: str) -> Callable[[bool], None]:
        """Give what sets the level of an interrupt output, such as `site.line("ip2intc_irpt")(True)`.

        From a test it is `sim.ip["btns_gpio"].site.line(...)`; `sim.raise_interrupt` lets one go up and down.
        """

        def drive(level: bool) -> None:
            if not self._ended:
                self._fabric.wiring.drive(self.path, pin, bool(level))

        return self._lines.setdefault(pin, drive)

    def stream(self, port: str) -> "Stream":
        """Give the AXI4-Stream at a port, such as `site.stream("M_AXIS_MM2S")`; the same one at both ends."""
        name = f"{self.path}/{port}"
        return self._streams.setdefault(name, self._fabric.streams.at(name))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The ports that take packets, as far as the design connects them."""
        return tuple(self._fabric.streams.ports(self.path)[0])

    @property
    def outputs(self) -> tuple[str, ...]:
        """The ports that give packets, as far as the design connects them."""
        return tuple(self._fabric.streams.ports(self.path)[1])

    def later(self, seconds: float, deed: Callable[[], None]) -> Callable[[], None]:
        """Do something after a time, unless the design or the board ends first; what is returned cancels it."""

        def act() -> None:
            self._timers.discard(timer)
            deed()

        def cancel() -> None:
            self._timers.discard(timer)
            timer.cancel()

        timer = asyncio.get_running_loop().call_later(seconds, act)

        if self._ended:
            timer.cancel()
        else:
            self._timers.add(timer)

        return cancel

    def physical(self, address: int, length: int) -> bool:
        """Whether memory answers at all these addresses; where none does, a master gets a decode error.

        Contiguous memory that no buffer has is memory too, but it is counted in `counters.strays`.
        """
        return self._fabric.is_memory(address, length)

    def halt(self) -> None:
        """Cancel everything that was to be done later."""
        for timer in self._timers:
            timer.cancel()

        self._timers.clear()

    def end(self) -> None:
        """Be reconfigured: lines fall, what was offered is gone, and nothing happens later any more."""
        self.halt()

        for drive in self._lines.values():
            drive(False)

        for port, stream in self._streams.items():
            if self._fabric.streams.is_sink(port):
                stream.on_offer(None)
            else:
                stream.clear()

        self._ended = True
