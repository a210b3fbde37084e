"""What all users of one board in this process and loop share: its locks and limits, and what layers above keep here.

The board server keeps its buffers, register windows and pins in maps without a lock, and runs every call on a
thread of its own. Calls that change a map therefore hold that map's lock alone, calls that look something up in it
share it. The server has no limit on threads, so the limits are kept here as well.
"""

import asyncio
from typing import TypeVar, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from ..config import Limits
from .fabric_log import FabricLog
from .locks import SharedLock

T = TypeVar("T")


class Arbiter:
    """The locks and limits of one board.

    Attributes:
        buffers: alone for allocate and freebuffer, shared by every other call on a buffer.
        windows: alone for get_mmio and while the fabric is programmed, shared by register reads and writes.
        gpio: alone for get_gpio and unexport, shared by reading and writing pins.
        interrupts: alone for register_interrupt and release_interrupt, shared by waiting.
        streams: how many bulk streams may be under way.
        calls: how many short calls may be under way.
        waits: how many calls may be under way that only wait on the board; they have slots of their own.
        programming: whether a download is under way.
        fabric: what this process has programmed.
    """

    def __init__(self, limits: Limits) -> None:
        self.buffers = SharedLock()
        self.windows = SharedLock()
        self.gpio = SharedLock()
        self.interrupts = SharedLock()
        self.streams = asyncio.Semaphore(limits.streams)
        self.calls = asyncio.Semaphore(limits.calls)
        self.waits = asyncio.Semaphore(limits.calls)
        self.programming = False
        self.fabric = FabricLog()
        self._common: dict[type, object] = {}

    def common(self, kind: type[T]) -> T:
        """The one thing of a kind that all users of the board share, made when it is first asked for."""
        if kind not in self._common:
            self._common[kind] = kind()

        return cast("T", self._common[kind])

    @classmethod
    def of(cls, boot: str, offered: "Arbiter") -> "Arbiter":
        """The arbiter of the board with this boot id: the same one for everybody on this loop.

        The first one offers its own: after a reboot that is the one it has, with all who hold something of it.
        """
        boards = _ARBITERS.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return boards.setdefault(boot, offered)


# Two RemoteDevices of one board, whatever names they reach it by, must share locks, or the server's races come back.
_ARBITERS: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, Arbiter]] = WeakKeyDictionary()
