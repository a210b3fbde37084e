"""Real boards for tests: lent to one test at a time on this host, and looked at before and after."""

import asyncio
import math
import random
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import anyio

from ..board.device import RemoteDevice
from ..config import BoardSpec, Timeouts
from ..errors import BoardError
from ..farm.host_lock import HostLock, host_locks

_LOOK_AGAIN = 0.05
_LOOKS = 10
_CHOICE = ("family", "model")


class RealBoards:
    """The boards of `--pynq-board` or `--pynq-inventory`."""

    def __init__(self, specs: Iterable[BoardSpec]) -> None:
        self._boards = {spec.name: _Board(spec) for spec in specs}
        self._found = False

    async def lend(self, count: int | None, options: dict[str, Any], patience: float) -> dict[str, Any]:
        """Lend boards of the `family` and `model` in `options` with all of `tags`; all else is for simulated ones.

        One that does not answer is passed over if there are others that do, and tried last from then on.
        """
        await self._find_locks()
        wanted = {name: options[name] for name in _CHOICE if options.get(name)}
        tags = frozenset(options.get("tags") or ())
        silent: list[BoardError] = []
        fitting: list[_Board] = []

        for board in self._boards.values():
            try:
                if tags <= board.spec.tags and (not wanted or await board.fits(wanted, patience)):
                    fitting.append(board)
            except BoardError as error:
                silent.append(error)

        free = sorted((board for board in fitting if not board.lent), key=lambda board: board.silent)
        held = len(fitting) - len(free)
        count = len(fitting) + len(silent) if count is None else count

        while True:
            if count > len(free) and silent:
                raise silent[0]

            if missing := _missing(count, len(fitting), wanted | {"tag": " and ".join(sorted(tags))}):
                return {"missing": missing}

            if count > len(free):
                return {"missing": f"this test holds {held} of {len(fitting)} boards already"}

            chosen = await _take(count, free, patience, in_turn=not held)

            if chosen is None:
                return {"refused": _refusal(free, patience, count, held)}

            try:
                for board in chosen:
                    await board.look(patience)
            except BaseException as error:
                for each in chosen:
                    each.lock.release()

                if not isinstance(error, BoardError):
                    raise

                silent.append(error)
                board.silent = True
                free.remove(board)
            else:
                break

        for board in chosen:
            board.lent = True

        return {"boards": [board.spec.name for board in chosen]}

    async def take_back(self, names: list[str]) -> dict[str, Any]:
        """Take boards back. Memory that is gone is a doubt: Linux lends free contiguous memory to other uses too."""
        problems, doubts = [], []

        for board in [self._boards[name] for name in names]:
            try:
                gone = await board.gone()
            except BoardError as error:
                problems.append(str(error))
            else:
                if gone:
                    doubts.append(
                        f"{board.spec.name}: {gone} bytes less of contiguous memory are free than before the test; "
                        f"a buffer may have been left on it, and -W error::ResourceWarning may name it"
                    )
            finally:
                board.lent = False
                board.lock.release()

        return {"problems": problems, "doubts": doubts}

    async def aclose(self) -> None:
        """Close the connections; the locks go with this process."""
        for board in self._boards.values():
            await board.aclose()

    async def _find_locks(self) -> None:
        """The locks are those of exclusive farms, which go by numeric address."""
        if not self._found:
            locks = await host_locks({name: board.spec for name, board in self._boards.items()})

            for name, lock in locks.items():
                self._boards[name].lock = lock

            self._found = True


class _Board:
    """One real board."""

    lock: HostLock

    def __init__(self, spec: BoardSpec) -> None:
        self.spec = spec
        self.silent = False
        self.lent = False
        self._device: RemoteDevice | None = None
        self._free = 0
        self._never: BoardError | None = None

    async def fits(self, wanted: dict[str, Any], patience: float) -> bool:
        """Whether it is what is wanted; raises `ConnectError` when it does not answer."""
        device = await self._open(patience)
        return all(getattr(device, name) == value for name, value in wanted.items())

    async def look(self, patience: float) -> None:
        """Note how much contiguous memory is free; raises `ConnectError` when the board does not answer."""
        await self._open(patience)
        self._free = await self._contiguous()

    async def gone(self) -> int:
        """How much less is free than there was; buffers that are just being freed are waited for."""
        gone = 0

        for _ in range(_LOOKS):
            gone = self._free - await self._contiguous()

            if gone <= 0:
                return 0

            await asyncio.sleep(_LOOK_AGAIN)

        return gone

    async def aclose(self) -> None:
        """Close the connection."""
        device, self._device = self._device, None

        if device is not None:
            await device.aclose()

    async def _open(self, patience: float = math.inf) -> RemoteDevice:
        if self._device is None:
            timeouts = self.spec.timeouts or Timeouts()
            connect = min(max(patience, _LOOK_AGAIN), timeouts.connect)
            self.silent = True

            if self._never is not None:  # every test would wait for it
                raise self._never

            try:
                self._device = await RemoteDevice(self.spec, timeouts=replace(timeouts, connect=connect))
            except BoardError as error:
                self._never = error
                raise

        self.silent = False
        return self._device

    async def _contiguous(self) -> int:
        """`CmaFree` of proc_meminfo(5), in bytes; 0 where the kernel does not say."""
        text = (await (await self._open()).read_file("/proc/meminfo")).decode("ascii", "replace")
        found = re.search(r"^CmaFree:\s+(\d+) kB$", text, re.MULTILINE)
        return int(found[1]) * 1024 if found else 0


async def _take(count: int, free: list[_Board], patience: float, *, in_turn: bool) -> list[_Board] | None:
    """Lock `count` of the boards, all or none, so that two who want several cannot wait for each other.

    `in_turn` first waits for a place at the head of the queue for each of them, or who wants one board would again and
    again go past who wants several. Who holds boards already must not: others in the queue may wait for those.
    """
    deadline = anyio.current_time() + patience
    queue = [board.lock.queue() for board in sorted(free, key=lambda board: board.lock.name)] if in_turn else []

    try:
        while True:
            # In one order for all, and what one has got is kept: so whoever has the first places gets the others.
            if all(place.take() for place in queue) and (taken := _take_now(count, free)):
                return taken

            if anyio.current_time() >= deadline:
                return None

            await asyncio.sleep(_LOOK_AGAIN * random.uniform(0.5, 1))  # two processes must not keep meeting
    finally:
        for place in queue:
            place.release()


def _take_now(count: int, free: list[_Board]) -> list[_Board]:
    taken: list[_Board] = []

    for board in free:
        if len(taken) < count and board.lock.take():
            taken.append(board)

    if len(taken) < count:
        for board in taken:
            board.lock.release()

        return []

    return taken


def _refusal(free: list[_Board], patience: float, count: int, held: int) -> str:
    names = ", ".join(board.spec.name for board in free)
    hint = f"; ask for all {held + count} at once, as this test holds {held} while it waits" if held else ""
    return f"{names}: in use by another process of this host, and not free within {patience:g} s{hint}"


def _missing(count: int, fitting: int, wanted: dict[str, Any]) -> str | None:
    if count <= fitting and fitting:
        return None

    which = ", ".join(f"{name} {value}" for name, value in wanted.items() if value)
    return f"{max(count, 1)} board{'s' if count > 1 else ''} wanted{which and f' of {which}'}, {fitting} given"
