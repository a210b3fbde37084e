"""The kernel's FPGA manager: programs the fabric when a firmware's name is written to it."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .counters import Counters, ProgramEvent
from .faults import FaultPlan
from .filesystem import FileSystem, FunctionFile
from .options import Hazards

FOLDER = "/sys/class/fpga_manager/fpga0"
FIRMWARE = "/lib/firmware"

# The synchronisation word as the configuration port sees it and byte-swapped as a .bin carries it (UG470 table 5-1,
# UG570 table 9-1); it follows the bus width pattern within the first kilobytes.
_SYNC = (bytes.fromhex("aa995566"), bytes.fromhex("665599aa"))
_PREAMBLE = 4096


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the fabric holds."""

    name: str
    digest: str
    partial: bool


class FpgaManager:
    """The files of `/sys/class/fpga_manager/fpga0` and what they do."""

    def __init__(
        self,
        files: FileSystem,
        counters: Counters,
        faults: FaultPlan,
        hazards: Hazards,
        *,
        name: str,
        needs_sync: bool,
        plain: bool,
        digests: bool,
        erase: Callable[[], None],
        configure: Callable[[Loaded], None],
        panic: Callable[[str], Awaitable[None] | None],
    ) -> None:
        self.state = "unknown"
        self.flags = 0
        self.loaded: Loaded | None = None
        self.partials: list[Loaded] = []
        self._files = files
        self._counters = counters
        self._faults = faults
        self._hazards = hazards
        self._needs_sync = needs_sync
        self._erase = erase
        self._configure = configure
        self._panic = panic
        self._timer: asyncio.TimerHandle | None = None
        self._digests = digests
        self._plain = {"flags": b"0", "state": b"operating", "name": name.encode(), "firmware": b""} if plain else None

        for file, store in (("flags", self._store_flags), ("firmware", self._store_firmware)):
            files.add(f"{FOLDER}/{file}", FunctionFile(self._show(file), self._remember(file, store)))

        files.add(f"{FOLDER}/state", FunctionFile(self._show("state")))
        files.add(f"{FOLDER}/name", FunctionFile(lambda: f"{name}\n".encode()))

    @property
    def programmed(self) -> bool:
        """Whether the fabric holds a design and may be touched."""
        return self.loaded is not None and self._timer is None

    def reboot(self) -> None:
        """Forget everything: the fabric is empty."""
        self.abandon()
        self.state = "unknown"
        self.flags = 0
        self.loaded = None
        self.partials = []

    def abandon(self) -> None:
        """Stop a programming that is under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _show(self, file: str) -> Callable[[], bytes]:
        def show() -> bytes:
            if self._plain is not None and (file != "flags" or self._faults.flags is None):
                return self._plain[file]

            if file == "flags":
                return f"{self.flags if self._faults.flags is None else self._faults.flags:x}\n".encode()

            if file == "state":
                return ("operating" if self._hazards.always_operating else self.state).encode() + b"\n"

            return b""

        return show

    def _remember(
        self, file: str, store: Callable[[bytes], Awaitable[None] | None]
    ) -> Callable[[bytes], Awaitable[None] | None]:
        def remember(content: bytes) -> Awaitable[None] | None:
            if self._plain is not None:
                self._plain[file] = content

            return store(content)

        return remember

    def _store_flags(self, content: bytes) -> None:
        try:
            self.flags = int(content.strip(b"\0\n "), 16) & 0xFFFFFFFF
        except ValueError:
            self._counters.dropped_stores += 1

    def _store_firmware(self, content: bytes) -> Awaitable[None] | None:
        if len(content) >= 255:
            self._counters.long_names += 1
            return self._panic("firmware name of 255 bytes or more")

        name = content.split(b"\0")[0].decode("utf-8", "replace").removesuffix("\n")

        if self._timer is not None:
            self._counters.dropped_stores += 1
            return None

        if self._faults.program_seconds <= 0:
            self._program(name)
            return None

        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finish() -> None:
            self._timer = None
            self._program(name)

            if not done.done():
                done.set_result(None)

        self.state = "write"

        # The kernel looks at what it was given before it clears the fabric.
        if not self.flags & 1 and self._verdict(self._read(name)) == "operating":
            self._erase()

        self._timer = loop.call_later(self._faults.program_seconds, finish)
        return done

    def _program(self, name: str) -> None:
        partial = bool(self.flags & 1)
        data = self._read(name)
        digest = hashlib.sha256(data).hexdigest() if self._digests else ""
        self.state = self._faults.program_state or self._verdict(data)
        ok = self.state == "operating"
        self._counters.programmed.append(ProgramEvent(name, digest, len(data), partial, ok, self.state))

        if not ok:
            return

        loaded = Loaded(name, digest, partial)

        if partial:
            self.partials.append(loaded)
        else:
            self.loaded = loaded
            self.partials = []

        self._configure(loaded)

    def _read(self, name: str) -> bytes:
        try:
            return self._files.read_bytes(f"{FIRMWARE}/{name}")
        except FileNotFoundError:
            return b""

    def _verdict(self, data: bytes) -> str:
        """Say what the manager's state becomes, in the words of the kernel's sysfs-class-fpga-manager."""
        if not data:
            return "firmware request error"

        # A Versal takes a device image, which has no such word.
        synchronised = not self._needs_sync or any(word in data[:_PREAMBLE] for word in _SYNC)
        return "write init error" if len(data) % 4 or not synchronised else "operating"
