"""The simulated board: its parts wired together, and its life cycle."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TYPE_CHECKING

from ..bitstream import Design
from ..errors import InvalidArgument, SimulationError
from . import options, procfs
from .bus import Bus, Hook
from .clocks import set_up_clocks
from .contiguous import ContiguousMemory
from .counters import Counters
from .dispatch import Handler
from .fabric import Fabric, ModelTable, SimDesign, known_designs
from .faults import FaultPlan
from .filesystem import FileSystem
from .fpga_manager import FIRMWARE, FpgaManager
from .gpio import Pins
from .memory import Memory
from .options import Hazards
from .pins import raise_interrupt
from .sensors import add_sensors
from .server_process import ServerProcess
from .services.releases import check_release, make_handlers, offered

if TYPE_CHECKING:
    from .server import Listener

_TICKS = 100


class SimBoard:
    """A board with PYNQ's server on it, as a client sees it over the network.

    ::

        board = SimBoard(model="ZCU104", family="zynqmp")

        async with serve(board) as address:
            ...                                         # connect a client to `address`
            board.memory.read(0xA000_0000, 4)           # what it wrote into a register
            assert board.counters.races == 0
            await board.restart()                       # every id and buffer is gone

    Attributes:
        memory: the physical memory, by address.
        files: the file system, by path.
        counters: what has been seen.
        faults: what goes wrong; may be changed at any time.
        fpga: the FPGA manager: `state`, `flags`, `loaded`.
        pins: the GPIO pins of the processing system.
        sensors: what the board measures of itself, by name, in °C, V, A and W; may be changed at any time.
        bus: loads and stores of registers, with hooks.
        fabric: the IP of the design that is programmed.
        ip: the models of that IP by full path, such as `ip["btns_gpio"]`.
        on_crash: called with a line of text when the server dies by itself, which is in `counters.crashes` too.
        boot_id: of this boot.
        process: the server process that lives now: `pid`, `buffers`, `windows`.
    """

    def __init__(
        self,
        *,
        model: str | None = "Pynq-Z2",
        family: str | None = None,
        release: str = "4.0",
        cma_bytes: int = 128 * 2**20,
        firmware_bytes: int = 64 * 2**20,
        designs: Design | SimDesign | Iterable[Design | SimDesign] = (),
        hazards: Hazards | None = None,
        seed: int = 0,
        services: Collection[str] | None = None,
        interrupt: bool = False,
        plain_sysfs: bool = False,
        digests: bool = True,
        model_cache: bool = False,
    ) -> None:
        """Make a board that is switched off; `serve` switches it on.

        Args:
            model: what the device tree calls the board; None leaves the file out.
            family: `zynq7000`, `zynqmp` or `versal`; None is that of the designs, else `zynq7000`.
            release: `3.1` or `4.0`, the PYNQ release whose server runs.
            cma_bytes: size of the contiguous memory.
            firmware_bytes: size of the RAM disk under `/lib/firmware`.
            designs: a parsed hardware description, or several. Once the bitstream of one is programmed, models of its
                IP answer at their addresses. A board that was given some is strict: touching programmable logic where
                no IP is, is a bus error, which ends the server. A board without has plain memory there.
            hazards: which destructive behaviours are on; None is none of them.
            seed: of everything random, such as shuffled writes.
            services: the packages served, such as `{"mmio", "buffer"}`; None is what the release has.
            interrupt: also serve the interrupt service that is proposed upstream.
            digests: whether what was programmed is hashed for `counters.programmed`; a process of its own, into which
                nobody can look, saves the time.
            plain_sysfs: the FPGA manager's files read back what was written, as plain files do.
            model_cache: cacheable buffers have bytes of their own until they are flushed or invalidated.

        Raises:
            InvalidArgument: an unknown family or release, a design for another family, or contiguous memory that does
                not fit the family.
        """
        check_release(release)
        self.model = model
        known = known_designs(designs)
        self.family = options.family(
            family or next((each.design.family for each in known if each.design.family), "zynq7000")
        )
        self.release = release
        self.hazards = hazards or Hazards()
        self.seed = seed
        self.model_cache = model_cache

        if other := {each.design.family for each in known} - {self.family.name, None}:
            raise InvalidArgument(f"a {self.family.name} cannot hold a design for {', '.join(map(str, other))}")

        room = self.family.contiguous_limit - self.family.contiguous_base

        if not 0 < cma_bytes <= room:
            raise InvalidArgument(
                f"{cma_bytes} bytes of contiguous memory do not fit a {self.family.name}; it has {room}"
            )

        self.counters = Counters()
        self.faults = FaultPlan()
        self.on_crash: Callable[[str], None] = _ignore
        self.memory = Memory()
        set_up_clocks(self.memory, self.family)
        self.area = ContiguousMemory(self.family.contiguous_base, cma_bytes)
        self.fabric = Fabric(
            known, self.family, self.memory, self.area, self.counters, self.hazards, self._interrupt_rises
        )
        self.ip = ModelTable(self.fabric)
        self.bus = Bus(self.memory, self.fabric)
        self.files = FileSystem(self.counters, self.faults, seed)
        self.files.mount(FIRMWARE, firmware_bytes)
        self.fpga = FpgaManager(
            self.files,
            self.counters,
            self.faults,
            self.hazards,
            name=self.family.manager,
            needs_sync=self.family.name != "versal",
            plain=plain_sysfs,
            digests=digests or any(each.digest is not None for each in known),
            erase=self.fabric.clear,
            configure=self.fabric.configure,
            panic=self._panic,
        )
        self.pins = Pins(self.family, self.files)
        self.sensors = add_sensors(self.files, self.family, release)
        self._services = offered(release, services, interrupt=interrupt)
        self._random = random.Random(seed)
        self._listener: Listener | None = None
        self._doomed = False
        self._turn = asyncio.Lock()
        self._pid = self._random.randrange(300, 900)
        self._ticks = self._random.randrange(12, 40) * _TICKS
        self.boot_id = str(uuid.uuid4())
        self.process = self._new_process()
        self._used = False
        procfs.populate(self)

    def __repr__(self) -> str:
        where = self._listener.address if self._listener is not None else "switched off"
        return f"<SimBoard {self.model or 'unnamed'} ({self.family.name}, PYNQ {self.release}), {where}>"

    @property
    def address(self) -> str:
        """Where the board is reached while it is served; raises `SimulationError` otherwise."""
        return self._served().address

    def on_read(self, address: int, hook: Hook, length: int = 4) -> Callable[[], None]:
        """Let `hook(address, word)` say what a register read gives; calling what is returned ends it.

        The server loads a register twice for each read (H10), so the hook is called twice.
        """
        return self.bus.on_load(address, hook, length)

    def on_write(self, address: int, hook: Hook, length: int = 4) -> Callable[[], None]:
        """Let `hook(address, word)` say what a register write leaves; calling what is returned ends it."""
        return self.bus.on_store(address, hook, length)

    def raise_interrupt(self, source: str | int) -> int:
        """Raise an interrupt once, by its pin's full path: it reaches a client that polls and one of the service alike.

        The pin of the programmed design goes up and down again, be it an edge or a level to its controller; one that is
        up stays up. So somebody must be waiting, or for an edge have awaited `pin.listen()`. To keep a level up, drive
        it: `sim.ip["mixer"].site.line("overflow")(True)`. Interrupts registered with the service also go by the pin's
        index or raw number. Returns how many were registered, at least 1 for a pin of the design.

        Raises `SimulationError` for a pin that the programmed design does not have.
        """
        return raise_interrupt(self.process.interrupts.values(), self.fabric.wiring, source)

    async def restart(self, delay: float = 0.0) -> None:
        """Let the server process die and a new one take its place after `delay` seconds, on the same port.

        Connections break at once; ids and buffers are gone and the new ones have the same names. Files, registers
        and the fabric stay.
        """
        async with self._turn:
            await self._kill()
            await self._served().pause(delay)
            self._replace_process()
            await self._up()

    async def reboot(self, delay: float = 0.0) -> None:
        """Reboot the board: as `restart`, and memory, fabric and RAM disks are empty and the boot id is new."""
        async with self._turn:
            await self._kill()
            await self._served().pause(delay)
            self._boot()
            await self._up()

    async def stop(self) -> None:
        """Take the server down: connections break and new ones are refused until `start`."""
        async with self._turn:
            await self._kill()

    async def start(self) -> None:
        """Bring the server up again after `stop`, as a new process."""
        async with self._turn:
            if self._served().listening:
                return

            self._replace_process()
            await self._up()

    async def freeze(self) -> None:
        """Answer nothing any more, as a stopped process: calls are accepted and wait."""
        self._served().freeze(frozen=True)

    async def thaw(self) -> None:
        """End `freeze`: what waited is answered."""
        self._served().freeze(frozen=False)

    async def drop_connections(self) -> None:
        """Break all connections; the server process lives on with its ids and buffers."""
        async with self._turn:
            if self._served().listening:
                await self._served().stop()
                await self._up()

    def crash(self, reason: str) -> None:
        """Let the server die by itself, as it does after a fault; systemd brings it back after a moment."""
        if self._doomed:
            return

        self._doomed = True
        self.counters.crashes.append(reason)
        self.on_crash(f"{reason}; the server died and comes back")
        self._later(lambda: self.restart(self.hazards.restart_delay))

    async def dropped(self) -> None:
        """Break all connections from inside a call, which ends here when it is one of those that break."""
        done = asyncio.Event()

        async def drop() -> None:
            await self.drop_connections()
            done.set()

        self._later(drop)
        await done.wait()

    def handlers(self) -> list[Handler]:
        """Make the handlers of everything this board serves."""
        return make_handlers(self, self._services)

    async def power_on(self, listener: "Listener") -> None:
        """Be served by `listener`; `serve` calls this."""
        if self._listener is not None:
            raise SimulationError(f"this board is being served already, at {self._listener.address}")

        if self._used:
            self._replace_process()

        self._used = True
        self._turn = asyncio.Lock()
        self._listener = listener

        try:
            await listener.open(self.handlers())
        except BaseException:
            self._listener = None
            await listener.close()
            raise

    async def power_off(self) -> None:
        """Stop being served; what was counted and stored can still be looked at."""
        self.process.dead = True

        try:
            await self._served().close()
            await self.process.end_threads()
        finally:
            self.fpga.abandon()
            self.fabric.halt()
            self._listener = None

    def _later(self, deed: Callable[[], Awaitable[None]]) -> None:
        """Have the host task do something; a board that is being switched off has no need of it."""
        if self._listener is not None:
            self._listener.request(deed)

    def _served(self) -> "Listener":
        if self._listener is None:
            raise SimulationError("this board is not being served")

        return self._listener

    async def _kill(self) -> None:
        self.process.dead = True
        await self._served().stop()
        await self.process.end_threads()

    async def _up(self) -> None:
        await self._served().start(self.handlers())

    def _new_process(self) -> ServerProcess:
        self.counters.starts += 1
        self._pid += self._random.randrange(3, 40)
        self._ticks += self._random.randrange(1, 9) * _TICKS + self._random.randrange(_TICKS)
        return ServerProcess(self, self._pid, self._ticks)

    def _replace_process(self) -> None:
        self.process.close()
        self.process = self._new_process()
        self._doomed = False

        if self._listener is not None:
            self._listener.freeze(frozen=False)

    def _boot(self) -> None:
        self.boot_id = str(uuid.uuid4())
        self._pid = self._random.randrange(300, 900)
        self._ticks = self._random.randrange(12, 40) * _TICKS
        self._replace_process()
        self.fpga.reboot()
        self.fabric.clear()
        self.memory.clear()
        set_up_clocks(self.memory, self.family)
        self.pins.reset()

        for path in [*self.files.paths("/tmp/"), *self.files.paths(f"{FIRMWARE}/")]:
            self.files.remove(path)

    def _interrupt_rises(self, pins: Collection[str], raw_irq: int | None) -> None:
        for interrupt in self.process.interrupts.values():
            # One that is registered without a pin is that of the processing system itself.
            if interrupt.pin_name in pins or (not interrupt.pin_name and interrupt.raw_irq == raw_irq):
                interrupt.pending.set()

    def _panic(self, reason: str) -> Awaitable[None] | None:
        if not self.hazards.crash_on_long_name:
            return None

        self.counters.crashes.append(reason)
        self.on_crash(f"{reason}; the board died and reboots")
        self._later(self.reboot)
        return asyncio.get_running_loop().create_future()


def _ignore(_: str) -> None:
    pass
