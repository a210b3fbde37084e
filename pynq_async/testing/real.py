"""Real boards for tests: lent to one test at a time on this host, and looked at before and after."""

import asyncio
import re
from collections.abc import Iterable
from typing import Any

import anyio

from ..board.device import RemoteDevice
from ..config import Address, Timeouts
from ..errors import BoardError
from ..farm.host_lock import HostLock

_LOOK_AGAIN = 0.05
_LOOKS = 10
_CONNECT = Timeouts().connect
_CHOICE = ("family", "model")


class RealBoards:
    """The boards of `--pynq-board`."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._boards = {address: _Board(address) for address in addresses}

    async def lend(self, count: int | None, options: dict[str, Any], patience: float) -> dict[str, Any]:
        """Lend boards of the `family` and `model` in `options`; all else there is for simulated ones."""
        wanted = {name: options[name] for name in _CHOICE if options.get(name)}
        boards = self._boards.values()
        fitting = [board for board in boards if not wanted or await board.fits(wanted, patience)]
        count = len(fitting) if count is None else count

        if missing := _missing(count, len(fitting), wanted):
            return {"missing": missing}

        free = [board for board in fitting if not board.lent]

        if count > len(free):
            return {"missing": f"this test holds {len(fitting) - len(free)} of {len(fitting)} boards already"}

        chosen = await _take(count, free, patience)

        if chosen is None:
            names = ", ".join(board.address for board in free)
            return {"refused": f"{names}: in use by another process of this host, and not free within {patience:g} s"}

        try:
            for board in chosen:
                await board.look(patience)
        except BaseException:
            for board in chosen:
                board.lock.release()

            raise

        for board in chosen:
            board.lent = True

        return {"boards": [board.address for board in chosen]}

    async def take_back(self, addresses: list[str]) -> dict[str, Any]:
        """Take boards back. Memory that is gone is a doubt: Linux lends free contiguous memory to other uses too."""
        problems, doubts = [], []

        for board in [self._boards[address] for address in addresses]:
            try:
                gone = await board.gone()
            except BoardError as error:
                problems.append(str(error))
            else:
                if gone:
                    doubts.append(
                        f"{board.address}: {gone} bytes less of contiguous memory are free than before the test; "
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


class _Board:
    """One real board."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.lock = HostLock(Address.parse(address).target)
        self.lent = False
        self._device: RemoteDevice | None = None
        self._free = 0

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

    async def _open(self, patience: float = _CONNECT) -> RemoteDevice:
        if self._device is None:
            timeouts = Timeouts(connect=min(max(patience, _LOOK_AGAIN), _CONNECT))
            self._device = await RemoteDevice(self.address, timeouts=timeouts)

        return self._device

    async def _contiguous(self) -> int:
        """`CmaFree` of proc_meminfo(5), in bytes; 0 where the kernel does not say."""
        text = (await (await self._open()).read_file("/proc/meminfo")).decode("ascii", "replace")
        found = re.search(r"^CmaFree:\s+(\d+) kB$", text, re.MULTILINE)
        return int(found[1]) * 1024 if found else 0


async def _take(count: int, free: list[_Board], patience: float) -> list[_Board] | None:
    """Lock `count` of the boards, all or none, so that two who want several cannot wait for each other."""
    deadline = anyio.current_time() + patience

    while True:
        taken: list[_Board] = []

        for board in free:
            if len(taken) < count and board.lock.take():
                taken.append(board)

        if len(taken) == count:
            return taken

        for board in taken:
            board.lock.release()

        if anyio.current_time() >= deadline:
            return None

        await asyncio.sleep(_LOOK_AGAIN)


def _missing(count: int, fitting: int, wanted: dict[str, Any]) -> str | None:
    if count <= fitting and fitting:
        return None

    which = ", ".join(f"{name} {value}" for name, value in wanted.items())
    return f"{max(count, 1)} board{'s' if count > 1 else ''} wanted{which and f' of {which}'}, {fitting} given"
