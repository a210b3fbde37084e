"""The register windows that the board server has mapped for us.

The server maps a window in every `get_mmio`, never unmaps one, reports success when mapping failed, and dies of too
many. So a range of pages is mapped once in a server's life, confirmed by looking into the server's own memory map,
counted against a budget, and recorded on the board for the next process to reuse.
"""

import contextlib
import re
from zlib import crc32

from ..concurrency import to_the_end
from ..config import Limits
from ..errors import (
    BoardError,
    BoardRebooted,
    MappingBudgetExceeded,
    MappingFailed,
    ProtocolViolation,
    StaleHandle,
)
from ..wire import messages as m
from ..wire import methods
from ..wire.channel import Connection, Server
from ..wire.locks import SharedLock
from .files import Files

RECORD = "/tmp/pynq_async.windows"
PAGE = 4096
_MAPS = "/proc/self/maps"
_MAPS_LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +/dev/mem$", re.MULTILINE)


class Window:
    """A range of whole pages, and the id under which one life of the board server has it mapped.

    `order` keeps the accesses within the window in order: a write goes alone, reads go together.
    """

    def __init__(self, base: int, length: int) -> None:
        self.base = base
        self.length = length
        self.order = SharedLock()
        self.id: str | None = None
        self.server: Server | None = None

    def covers(self, address: int, length: int) -> bool:
        """Whether a range of addresses lies inside."""
        return self.base <= address and address + length <= self.base + self.length

    def __str__(self) -> str:
        return f"the register window at {self.base:#x}"


class Windows:
    """All windows of one board."""

    def __init__(self, connection: Connection, files: Files, limits: Limits) -> None:
        self._connection = connection
        self._files = files
        self._limits = limits
        self._windows: list[Window] = []

    def window(self, address: int, length: int) -> Window:
        """The window that covers a range, made now and mapped on first use."""
        for window in self._windows:
            if window.covers(address, length):
                return window

        base = address - address % PAGE
        window = Window(base, -(-(address + length - base) // PAGE) * PAGE)
        self._windows.append(window)
        return window

    async def ensure_mapped(self, window: Window, *, lasting: bool) -> tuple[str, Server]:
        """The window's id and the server it belongs to; maps it if that server has not mapped it yet.

        Raises `BoardRebooted` when it was mapped before a reboot, unless what is behind it is `lasting` (registers of
        the processing system), `MappingBudgetExceeded` or `MappingFailed`.
        """
        if window.id is not None and window.server == self._connection.server:
            return window.id, window.server

        async with self._connection.arbiter.windows.alone():
            while True:
                server = await self._connection.current()

                if not lasting and window.server is not None and window.server.boot != server.boot:
                    raise BoardRebooted(
                        self._connection.board,
                        f"{window} is from before the board rebooted; the fabric is empty now: download again, then "
                        "ask for new windows and buffers",
                    )

                if window.id is not None and window.server == server:
                    return window.id, window.server

                with contextlib.suppress(StaleHandle):  # the server was replaced meanwhile
                    await to_the_end(self._map(window, server))  # cut off in the middle, the window would be lost

    def forget_rebooted(self) -> None:
        """Drop the windows of an earlier boot, so that new ones can take their place."""
        boot = self._connection.server.boot
        self._windows = [window for window in self._windows if window.server is None or window.server.boot == boot]

    async def _map(self, window: Window, server: Server) -> None:
        board = self._connection.board
        mapped = await self._mapped(server)
        recorded = await self._recorded(server)

        for (base, length), identifier in recorded.items():
            if base <= window.base and window.base + window.length <= base + length and mapped.get(base):
                window.base, window.length = base, length
                window.id, window.server = identifier, server
                return

        if sum(mapped.values()) >= self._limits.windows:
            raise MappingBudgetExceeded(
                board,
                f"the board server holds {sum(mapped.values())} register windows and never lets go of one; map larger "
                "ranges, raise Limits.windows, or restart it (systemctl restart pynq-remote on the board)",
            )

        response = await self._connection.calls.unary(
            methods.GET_MMIO,
            m.GetMmioRequest(base_addr=window.base, length=window.length),
            changing=True,
            admit=lambda: self._connection.same_server(server, "a new register window"),
        )
        identifier = response.mmio_id
        known = {other.id for other in self._windows if other.server == server} | set(recorded.values())

        if not identifier or identifier in known:
            raise ProtocolViolation(board, f"get_mmio answered {identifier!r}, which is no new id")

        if (await self._mapped(server)).get(window.base, 0) <= mapped.get(window.base, 0):
            raise MappingFailed(
                board,
                f"the board server says it mapped {window.length:#x} bytes at {window.base:#x}, but its memory map "
                "does not show it; is the address one that /dev/mem allows?",
            )

        window.id, window.server = identifier, server
        await self._record(server, recorded | {(window.base, window.length): identifier})

    async def _mapped(self, server: Server) -> dict[int, int]:
        """How many live windows start at each page, from the memory map of `server` itself."""
        text = await self._connection.kernel_file(
            _MAPS, lambda: self._connection.same_server(server, "a new register window")
        )
        counts: dict[int, int] = {}

        for _, _, offset in _MAPS_LINE.findall(text):
            counts[int(offset, 16)] = counts.get(int(offset, 16), 0) + 1

        return counts

    async def _recorded(self, server: Server) -> dict[tuple[int, int], str]:
        """The windows that others have recorded for this life of the server; torn lines are not believed."""
        text = (await self._files.read_if_there(RECORD) or b"").decode("ascii", "replace")
        windows = {}

        for line in text.splitlines():
            body, _, check = line.rpartition(" ")
            fields = body.split(" ")

            if check == _checksum(body) and len(fields) == 4 and fields[0] == str(server):
                windows[int(fields[1], 16), int(fields[2], 16)] = fields[3]

        return windows

    async def _record(self, server: Server, windows: dict[tuple[int, int], str]) -> None:
        bodies = [f"{server} {base:x} {length:x} {identifier}" for (base, length), identifier in windows.items()]
        text = "".join(f"{body} {_checksum(body)}\n" for body in bodies)

        with contextlib.suppress(BoardError):  # a lost entry costs the next process one window, nothing else
            await self._files.write(RECORD, text.encode())


def _checksum(text: str) -> str:
    return f"{crc32(text.encode()):08x}"
