"""A lock on a board between the processes of one host, which the system takes from a process that dies.

`fcntl.flock` (on Windows `msvcrt.locking`) and nothing more: it is the whole of what is needed, and a package such as
filelock brings no more than a wait that polls, as ours does.
"""

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..concurrency import for_each
from ..config import BoardSpec
from ..errors import PynqError

FOLDER = Path(tempfile.gettempdir(), "pynq_async.locks")

if sys.platform == "win32":
    import msvcrt

    def _try(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HostLock:
    """The lock on the board at one address, such as `192.168.2.99:7967`, for all users of the host.

    Nothing here waits: a local file is opened and locked in microseconds.

    Attributes:
        name: by which all processes know it.
    """

    def __init__(self, address: str, folder: Path | None = None) -> None:
        self.name = "".join(sign if sign.isalnum() or sign in ".-" else "_" for sign in address)
        self._path = (folder or FOLDER) / self.name
        self._file: int | None = None

    def queue(self) -> "HostLock":
        """A lock for whoever is next to have this one."""
        return HostLock(f"{self.name}.queue", self._path.parent)

    def take(self) -> bool:
        """Take the lock unless another process, or another lock object of this one, has it."""
        if self._file is not None:
            return True

        try:
            file = self._open()
        except OSError as error:
            raise PynqError(f"the lock {self._path} cannot be opened: {error.strerror}") from error

        try:
            _try(file)
        except OSError:
            os.close(file)
            return False

        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        # Never made anew where it exists: Linux refuses that in a sticky folder when another user owns the file.
        flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

        with contextlib.suppress(FileNotFoundError):
            return os.open(self._path, flags)

        if not self._path.parent.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.parent.chmod(0o1777)

        file = os.open(self._path, flags | os.O_CREAT, 0o666)

        with contextlib.suppress(OSError, AttributeError):
            os.fchmod(file, 0o666)  # whatever the umask: all users of the host share it

        return file


async def host_locks(specs: Mapping[str, BoardSpec]) -> dict[str, HostLock]:
    """A lock for each board that is not `locked`, by its numeric address: one whatever name it is reached by.

    Boards behind one TLS terminator may have one address; then they differ in the server name that is asked for.
    """
    locks: dict[str, HostLock] = {}
    loop = asyncio.get_running_loop()

    async def find(spec: BoardSpec) -> None:
        address = spec.address

        try:
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
            host = min(str(entry[4][0]) for entry in found)
        except OSError:
            host = address.host

        behind = f"/{spec.tls.server_name}" if spec.tls is not None and spec.tls.server_name else ""
        locks[spec.name] = HostLock(f"{host}:{address.port}{behind}")

    await for_each([spec for spec in specs.values() if not spec.locked], find, width=16)
    return locks
