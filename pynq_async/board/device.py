"""A board: the object that users hold."""

import math
import operator
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy.typing as npt

from ..bitstream import Bitstream, Design, load_design
from ..concurrency import to_the_end
from ..config import Address, BoardSpec, Limits, Timeouts, Tls
from ..errors import InvalidArgument, Misuse, NotOpen
from ..progress import ProgressCallback, Traffic
from ..wire.fabric_log import Generation
from .buffer import Buffer, check, element_type
from .clocks import Clocks
from .download import Download, DownloadObserver
from .gpio import Gpio
from .identity import Arch, Family
from .interrupts import Interrupts
from .loaded import Loaded
from .mmio import MMIO
from .opening import Opening
from .parts import Parts
from .pool import MemoryPool
from .sensors import Sensors
from .shutdown import stop_shutdown_managers


class RemoteDevice:
    """A board that runs the PYNQ.remote server, reached over the network.

    Use it with `async with`, or `await` it and call `aclose` later. Any number of tasks of one event loop may use it at
    once. Port 7967 is open to anyone on the board's network and runs as root: keep boards on a network of their own.

        async with RemoteDevice("192.168.2.99") as board:
            await board.download("base.bit")
            leds = board.mmio(0x4125_0000, 0x1000)
            await leds.write(0x0, 0b1010)

    Args:
        address: `host` or `host:port`; the port is 7967 unless told. A `BoardSpec`, as of an inventory, also gives all
            that is not told here.
        name: stands in every error; the address unless told.
        timeouts: how long things may take.
        limits: how much the board is asked for at a time.
        tls: for a board behind a TLS terminator; boards themselves speak plaintext.

    Attributes:
        observer: told of every download through this object; a farm observes its boards.

    Raises on opening: `ConnectError` when nothing answers in time, of it `NotABoardServer` when something
    else does, `TlsError` when there is no TLS connection.
    """

    def __init__(
        self,
        address: str | Address | BoardSpec,
        *,
        name: str | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        tls: Tls | None = None,
    ) -> None:
        if isinstance(address, BoardSpec):
            spec, address = address, address.address
            name, timeouts, limits = name or spec.name, timeouts or spec.timeouts, limits or spec.limits
            tls = tls or spec.tls

        self.address = Address.parse(address) if isinstance(address, str) else address
        self.name = name or str(self.address)
        self.timeouts = timeouts or Timeouts()
        self.limits = limits or Limits()
        self.tls = tls
        self.observer: DownloadObserver | None = None
        self._traffic = Traffic()
        self._parts: Parts | None = None
        self._opening = False
        self._closed = False

    @classmethod
    def from_env(
        cls, index: int = 0, *, timeouts: Timeouts | None = None, limits: Limits | None = None, tls: Tls | None = None
    ) -> "RemoteDevice":
        """The board number `index` of those in `PYNQ_REMOTE_DEVICES`; raises `InvalidArgument` without it."""
        addresses = Address.from_env()

        if not -len(addresses) <= index < len(addresses):
            raise InvalidArgument(f"PYNQ_REMOTE_DEVICES names {len(addresses)} boards: there is no number {index}")

        return cls(addresses[index], timeouts=timeouts, limits=limits, tls=tls)

    def __repr__(self) -> str:
        if self._parts is None:
            return f"<RemoteDevice {self.name}, {'closed' if self._closed else 'not open'}>"

        return f"<RemoteDevice {self.name}, {self.model}, {self.family}>"

    def __await__(self) -> Generator[Any, None, "RemoteDevice"]:
        return self._open().__await__()

    async def __aenter__(self) -> "RemoteDevice":
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop hardware that uses buffers, free every buffer and close the connection; a second time does nothing."""
        try:
            if self._parts is not None:
                self._parts.connection.check_loop()

                if self._parts.pool.pinned:
                    await to_the_end(self._parts.pool.quiesce())
        finally:
            parts, self._parts = self._parts, None
            self._closed = True

            if parts is not None:
                await to_the_end(parts.close())

    @property
    def arch(self) -> Arch:
        """The processor's architecture: `aarch64` or `armv7l`."""
        return self._open_parts.identity.arch

    @property
    def family(self) -> Family:
        """The family of devices: `zynq7000`, `zynqmp` or `versal`."""
        return self._open_parts.identity.family

    @property
    def model(self) -> str:
        """The board's model, such as `ZCU104`; `Unknown` where the board does not say."""
        return self._open_parts.identity.model

    @property
    def boot_id(self) -> str:
        """The boot id of the board's kernel: another one after each reboot, the same by whatever address."""
        return self._open_parts.connection.server.boot

    @property
    def services(self) -> frozenset[str]:
        """Full names of the gRPC services that the board offers, as its server lists them."""
        return self._open_parts.connection.services

    @property
    def clocks(self) -> Clocks:
        """The CPU clock and the clocks of the programmable logic."""
        return self._open_parts.clocks

    @property
    def gpio(self) -> Gpio:
        """The GPIO pins of the processing system."""
        return self._open_parts.gpio

    @property
    def sensors(self) -> Sensors:
        """Temperatures and supply voltages, as the board measures them."""
        return self._open_parts.sensors

    @property
    def interrupts(self) -> Interrupts:
        """The interrupts of the programmable logic."""
        return self._open_parts.interrupts

    @property
    def memory(self) -> MemoryPool:
        """The contiguous memory: what is allocated through this object (`live`), and freeing it (`free_all`)."""
        return self._open_parts.pool

    async def exists_file(self, path: str) -> bool:
        """Whether the board has a file or folder at `path`, absolute and normalised."""
        return await self._here.files.exists(path)

    async def read_file(
        self, path: str, *, unsafe: bool = False, max_bytes: int | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """The content of a file on the board, read as root.

        At most `max_bytes`, `Limits.file_bytes` unless told. Devices and files without an end need `unsafe=True`.
        Raises `RemoteFileNotFound`. A folder reads as empty: the server does not tell them apart.
        """
        return await self._here.files.read(path, unsafe=unsafe, max_bytes=max_bytes, progress=progress)

    async def fetch_file(
        self,
        path: str,
        local: str | os.PathLike[str],
        *,
        unsafe: bool = False,
        max_bytes: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> Path:
        """Stream a file on the board into the local file `local`, which appears when it is complete."""
        files = self._here.files
        return await files.read_to(path, local, unsafe=unsafe, max_bytes=max_bytes, progress=progress)

    async def write_file(self, path: str, data: bytes | bytearray | memoryview, *, unsafe: bool = False) -> None:
        """Write a file on the board as root, replacing what was there; its folder must exist.

        The board answers OK even when its disk is full: read back what matters.
        """
        await self._here.files.write(path, data, unsafe=unsafe)

    async def get_bitfile_metadata(self, bitstream: str | os.PathLike[str] | Bitstream) -> Design:
        """The design that a bitstream file is described by; raises `DesignError`. Nothing is sent."""
        return await load_design(bitstream)

    async def download(
        self,
        bitstream: str | os.PathLike[str] | Bitstream,
        *,
        design: Design | None = None,
        partial: bool = False,
        ranges: Iterable[range] = (),
        clocks: bool = True,
        verify: Literal["marker", "full"] = "marker",
        progress: ProgressCallback | None = None,
    ) -> Loaded:
        """Program the fabric; returns only when the FPGA manager says that it operates.

        Sends the bitstream unless the board has it already. Before a full one, the running design's shutdown managers
        are stopped and the PL clocks of the new design are set; after it, the AXI port widths (Zynq UltraScale+).

        Args:
            bitstream: a `.bit`, `.bin`, `.xsa` or `.pdi` file, or one that `load_bitstream` has read.
            design: its hardware description if it is parsed already; else the one beside or inside it, if any.
            partial: reconfigure a region only.
            ranges: physical addresses of that region, beside those that the partial bitstream's description names.
            clocks: whether to set the PL clocks.
            verify: `marker` trusts a marker that is written last and read back, which shows a cut or short upload;
                `full` also reads the whole bitstream back, at 12 to 30 MB/s.
            progress: called with each step.

        Raises `BitstreamError` or `WrongFamily` before anything is sent, `FabricBusy` while another download runs,
        `FirmwareRejected`, `ProgrammingFailed`, or `FabricUnknown` when programming was cut off.
        """
        order = Download(bitstream, design, partial, ranges, clocks, verify, progress)
        return await order.run(self._here, self.observer)

    async def loaded(self) -> Loaded | None:
        """What this package loaded last on the board, from any process or host; None when unknown.

        Recorded on the board in this boot; what other tools load is not seen.
        """
        parts = self._here
        return parts.last_loaded.read(await parts.record.read())

    @property
    def last_loaded(self) -> Loaded | None:
        """What was loaded when this object last programmed the fabric or asked (`loaded`), in this boot; no I/O."""
        return self._parts.last_loaded.known(self.boot_id) if self._parts is not None else None

    @property
    def traffic(self) -> Traffic:
        """The bytes that have gone to the board and come from it since it was opened, until now; no I/O."""
        return replace(self._traffic)

    async def shutdown(self) -> None:
        """Stop the AXI shutdown managers of the running design, as recorded on the board."""
        parts = self._here
        record = await parts.record.read()
        await stop_shutdown_managers(parts.connection, parts.windows, record.shutdown_managers if record else {})

    @property
    def generation(self) -> Generation:
        """The present moment in the life of the board's fabric, as far as this process knows."""
        connection = self._open_parts.connection
        log = connection.arbiter.fabric
        return Generation(connection.server.boot, log.programmed, log.reconfigured)

    def replaced(self, since: Generation, extent: range) -> bool:
        """Whether this process has put something else at these addresses since, or the board has rebooted; no I/O."""
        connection = self._open_parts.connection
        return connection.server.boot != since.boot or connection.arbiter.fabric.replaced(since, extent)

    def check_buffer(self, array: object) -> None:
        """Raise unless `array` is memory of this board that hardware may be given, by what is known without asking.

        Raises `Misuse` for another board's or no buffer, `NoBoardMemory`, `BufferFreed`, or `StaleHandle`.
        """
        if not isinstance(array, Buffer):
            raise Misuse(self.name, f"hardware needs a buffer from board.allocate, not {type(array).__name__}")

        check(array, self._open_parts.connection)

    def mmio(self, address: int, length: int = 4, *, check: Callable[[], None] | None = None, name: str = "") -> MMIO:
        """A window of `length` bytes of registers at physical `address`; no I/O, the board maps it on first use.

        Any address is taken: the board does what the bus does. An access where nothing answers can hang the board.
        `check` is called before each access is sent, and may raise. `name` stands in errors.
        """
        parts = self._open_parts
        parts.windows.forget_rebooted()
        return MMIO(parts.connection, parts.windows, address, length, check=check, name=name)

    def allocate(
        self, shape: int | Sequence[int], dtype: npt.DTypeLike = "u4", *, cacheable: bool = True
    ) -> Opening[Buffer]:
        """Contiguous memory as a zero-filled, C-contiguous numpy array of `shape` and `dtype`.

        `await` it and free the buffer yourself, or enter it with `async with`. Raises `OutOfRange` for an impossible
        size and `AllocationError` when the board has no such piece of memory.
        """
        parts = self._open_parts
        kind = element_type(self.name, dtype)

        try:
            extents = tuple(map(operator.index, shape)) if isinstance(shape, Sequence) else (operator.index(shape),)
        except (TypeError, ValueError):
            raise Misuse(self.name, f"{shape!r} is no shape") from None

        if any(extent < 0 for extent in extents):
            raise Misuse(self.name, f"{shape!r} is no shape")

        async def acquire() -> Buffer:
            nbytes = math.prod(extents) * kind.itemsize
            memory = await parts.pool.allocate(nbytes, kind.str, cacheable=cacheable)
            return Buffer(memory, extents, kind)

        return Opening(self.name, "the buffer", acquire, Buffer.free)

    @property
    def _open_parts(self) -> Parts:
        if self._parts is None:
            state = "was closed" if self._closed else "is not open; use 'async with' or await it"
            raise NotOpen(self.name, f"the board {state}")

        return self._parts

    @property
    def _here(self) -> Parts:
        """The parts, for use in the loop and process that they belong to."""
        parts = self._open_parts
        parts.connection.check_loop()
        return parts

    async def _open(self) -> "RemoteDevice":
        if any((self._opening, self._closed)):
            raise NotOpen(self.name, "a board is opened once; make a new RemoteDevice to open it again")

        self._opening = True

        try:
            parts = await Parts.open(self.address, self.name, self.timeouts, self.limits, self.tls)
        except BaseException:
            self._opening = False
            raise

        if self._closed:
            await to_the_end(parts.close())
            raise NotOpen(self.name, "the board was closed while it was opened")

        self._parts, self._traffic = parts, parts.connection.traffic
        return self
