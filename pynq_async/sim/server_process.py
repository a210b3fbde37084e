"""One life of the board server: everything that is gone when the process dies."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from .contiguous import BufferTable
from .races import UnlockedTable
from .windows import WindowTable

if TYPE_CHECKING:
    from .board import SimBoard
    from .pins import Interrupt

_DESCRIPTORS_AT_REST = 10


class ServerProcess:
    """A process id, four unlocked tables, and the global attributes of the next `download` (H1, H33)."""

    def __init__(self, board: "SimBoard", pid: int, start_ticks: int) -> None:
        hazards = board.hazards
        suffer = self.die if hazards.crash_on_race else None
        self.pid = pid
        self.start_ticks = start_ticks
        self.buffers = BufferTable(board.area, board.memory, board.counters, model_cache=board.model_cache)
        self.windows = WindowTable(board.bus, board.counters, hazards)
        self.buffer_table = UnlockedTable("buffers", board.counters, hazards.race_window, suffer)
        self.window_table = UnlockedTable("windows", board.counters, hazards.race_window, suffer)
        self.gpio_table = UnlockedTable("gpio", board.counters, hazards.race_window, suffer)
        self.interrupt_table = UnlockedTable("interrupts", board.counters, hazards.race_window, suffer)
        self.binfile_name = ""
        self.dead = False
        self.open_files = 0
        self.exported: dict[str, tuple[int, str]] = {}
        self.interrupts: dict[str, Interrupt] = {}
        self.interrupts_made = 0
        self._board = board
        self._mapped = 0
        self._threads: set[asyncio.Task[bytes]] = set()

    @property
    def exhausted(self) -> bool:
        """Whether no file descriptor is left (H12)."""
        return _DESCRIPTORS_AT_REST + self._mapped + self.open_files >= self._board.hazards.descriptor_limit

    def take_descriptor(self) -> bool:
        """Take a file descriptor for ever, as each register window does; False when there is none."""
        if self.exhausted:
            return False

        self._mapped += 1
        return True

    async def thread(self, work: Coroutine[Any, Any, bytes]) -> bytes:
        """Run a call to its end, as a thread does: cancelling the caller does not cancel the work."""
        task = asyncio.create_task(work)
        self._threads.add(task)
        task.add_done_callback(self._threads.discard)
        return await asyncio.shield(task)

    async def end_threads(self) -> None:
        """Stop what is still being worked on, since the process is dead."""
        threads = list(self._threads)

        for thread in threads:
            thread.cancel()

        if threads:
            await asyncio.wait(threads)

    async def die(self, reason: str) -> None:
        """Crash: never returns, since the answer never leaves."""
        self._board.crash(reason)
        await asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """What the kernel takes back from a dead process."""
        self.buffers.close()
