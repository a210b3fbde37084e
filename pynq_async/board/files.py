"""Files on the board: exists, read, write."""

import os
import posixpath
import re
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

from ..concurrency import in_a_thread
from ..config import Limits
from ..errors import (
    BoardExhausted,
    ConnectionLost,
    Misuse,
    RemoteFileError,
    RemoteFileNotFound,
    ServerError,
    UnknownHandle,
)
from ..progress import Progress, ProgressCallback
from ..wire import messages as m
from ..wire import methods
from ..wire.channel import Connection
from ..wire.framing import frames, payload
from ..wire.guard import Admit

T = TypeVar("T")

_LONGEST_PATH, _LONGEST_NAME = 4095, 255  # linux/limits.h; a longer one makes the server throw
_HARMLESS_DEVICES = ("/dev/shm/",)
# Devices, pipes of the kernel, and the ways through /proc that lead to them.
_ENDLESS = re.compile(
    r"/dev/.*|/sys/kernel/(debug|tracing)/.*|/proc/(kmsg|kcore|kpage\w+|bus/.*"
    r"|(\d+|self|thread-self)/(mem|pagemap|(map_files|fd|task|root|cwd)(/.*)?))"
)
_SHORT = re.compile(r"/proc/|/sys/|/tmp/pynq_async\.|/lib/firmware/(pynq_async\.|pa_.*\.marker$)")
_ONE_MESSAGE = 1 << 16
_LOCAL_PIECE = 1 << 20


class Files:
    """The files of one board, reached as root: the server asks nobody for permission."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits

    async def exists(self, path: str) -> bool:
        """Whether there is a file or folder at `path`."""
        request = m.ExistsFileRequest(file_path=self.checked(path, unsafe=True))
        response = await self._again(lambda: self._connection.calls.unary(methods.EXISTS_FILE, request))
        return response.exists

    async def read(
        self, path: str, *, unsafe: bool = False, max_bytes: int | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """The content of a file.

        Raises `RemoteFileNotFound`, or `RemoteFileError` beyond `max_bytes` (default `Limits.file_bytes`). A folder
        and an unreadable file read as empty: the server cannot tell them from an empty file.
        """
        path = self.checked(path, unsafe=unsafe)

        try:
            return await self._again(lambda: self._read(path, max_bytes, progress))
        except UnknownHandle:
            raise await self._not_found(path) from None

    async def read_if_there(self, path: str) -> bytes | None:
        """The content of a small file, within the call timeout; None when there is none."""
        timeout = self._connection.timeouts.call

        try:
            return await self._again(lambda: self._read(path, None, None, timeout))
        except UnknownHandle:
            return None

    async def read_to(
        self,
        path: str,
        local: str | os.PathLike[str],
        *,
        unsafe: bool = False,
        max_bytes: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> Path:
        """Stream a file into the local file `local`, which appears only when it is complete; returns its path."""
        path = self.checked(path, unsafe=unsafe)
        target = Path(local)

        try:
            partial = await in_a_thread(lambda: _partial_beside(target))
        except OSError as error:
            raise Misuse(self._connection.board, f"{target} cannot be written here: {error.strerror}") from error

        async def attempt() -> None:
            pending = bytearray()

            async def spill() -> bool:
                await in_a_thread(lambda: _append(partial, pending))
                pending.clear()
                return False

            def keep(data: memoryview) -> bool | Awaitable[bool]:
                pending.extend(data)
                return spill() if len(pending) >= _LOCAL_PIECE else False

            await in_a_thread(lambda: partial.write_bytes(b""))
            await self._pull(path, max_bytes, progress, keep)
            await spill()

        try:
            await self._again(attempt)
            await in_a_thread(lambda: partial.replace(target))
        except UnknownHandle:
            raise await self._not_found(path) from None
        finally:
            await in_a_thread(lambda: partial.unlink(missing_ok=True))

        return target

    async def write(
        self,
        path: str,
        data: bytes | bytearray | memoryview,
        *,
        unsafe: bool = False,
        progress: Callable[[int], None] | None = None,
        admit: Admit | None = None,
        timeout: float | None = None,
    ) -> None:
        """Write a file, replacing what was there; its folder must exist. `admit` is awaited directly before.

        Bounded by the stall timeout, and by `timeout` in all.

        The server reports success even when its disk is full: read back what matters. A write that is cut off
        leaves a part of the file.
        """
        path = self.checked(path, unsafe=unsafe)

        try:
            content = memoryview(data).cast("B")
        except TypeError:
            raise Misuse(
                self._connection.board, f"{path}: needs bytes in one piece, not {type(data).__name__}"
            ) from None

        # Small at first: of many boards the last one's link should not wait until much was copied for the others.
        messages = frames(
            m.WriteFileRequest(file_path=path), 2, content, progress or (lambda _: None), first=_ONE_MESSAGE
        )
        whole = b"".join(messages) if len(content) <= _ONE_MESSAGE else None

        async with self._slot(path):
            try:
                await self._connection.streams.push(methods.WRITE_FILE, whole or messages, admit=admit, timeout=timeout)
            except ServerError as error:
                raise RemoteFileError(
                    self._connection.board, f"{path} could not be written; is there such a folder? ({error})"
                ) from error

    def checked(self, path: str, *, unsafe: bool) -> str:
        """`path`, if it is absolute, normalised and harmless (or `unsafe`); raises `Misuse`."""
        board = self._connection.board

        if not _is_plain(path):
            raise Misuse(board, f"{path!r} is no absolute, normalised path such as /tmp/data.bin")

        if len(path.encode()) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in path.split("/")):
            raise Misuse(board, f"{path[:40]}... is longer than Linux allows a path to be")

        if _ENDLESS.fullmatch(path) and not unsafe and not path.startswith(_HARMLESS_DEVICES):
            raise Misuse(
                board,
                f"{path} is a device or may never end, and a read of it that is cut off keeps a thread of the board "
                "server busy for ever; pass unsafe=True if you mean it",
            )

        return path

    def _slot(self, path: str) -> AbstractAsyncContextManager[object]:
        """Files of the kernel and our own small ones are short calls: behind a few uploads they would starve."""
        arbiter = self._connection.arbiter
        return arbiter.calls if _SHORT.match(path) else arbiter.streams

    async def _read(
        self, path: str, max_bytes: int | None, progress: ProgressCallback | None, timeout: float | None = None
    ) -> bytes:
        content = bytearray()

        def keep(data: memoryview) -> bool:
            content.extend(data)
            return False

        await self._pull(path, max_bytes, progress, keep, timeout)
        return bytes(content)

    async def _pull(
        self,
        path: str,
        max_bytes: int | None,
        progress: ProgressCallback | None,
        keep: Callable[[memoryview], bool | Awaitable[bool]],
        timeout: float | None = None,
    ) -> None:
        board = self._connection.board
        limit = max_bytes or self._limits.file_bytes
        read = 0

        def sink(message: bytes) -> bool | Awaitable[bool]:
            nonlocal read
            data, _ = payload(board, message, field=1)
            read += len(data)

            if read > limit:
                raise RemoteFileError(board, f"{path} has more than {limit} bytes; pass max_bytes to read it")

            if progress is not None:
                progress(Progress(board, "read", read, 0))

            return keep(data)

        async with self._slot(path):
            request = m.ReadFileRequest(file_path=path)
            await self._connection.streams.pull(methods.READ_FILE, request, sink, timeout=timeout)

    async def _not_found(self, path: str) -> RemoteFileNotFound | BoardExhausted:
        if await self.exists(path):
            return BoardExhausted(
                self._connection.board,
                f"{path} exists but cannot be opened: the board server has no file descriptors left; restart it "
                "(systemctl restart pynq-remote on the board)",
            )

        return RemoteFileNotFound(self._connection.board, f"there is no {path} on the board")

    async def _again(self, read: Callable[[], Awaitable[T]]) -> T:
        """Reading a file is repeated once after a lost connection; it does no harm."""
        try:
            return await read()
        except ConnectionLost:
            await self._connection.current()
            return await read()


def _is_plain(path: object) -> bool:
    """Whether `path` is text for one absolute path that needs no resolving."""
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//") or "\0" in path:
        return False

    try:
        path.encode()
    except UnicodeEncodeError:
        return False

    return posixpath.normpath(path) == path


def _partial_beside(target: Path) -> Path:
    """A new empty file in the folder of `target`, under a name of its own."""
    if target.is_dir():
        raise IsADirectoryError(None, "it is a folder")

    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    return Path(name)


def _append(path: Path, data: bytes | bytearray) -> None:
    """Opened anew for each piece, so that nothing is open when the transfer is cut off."""
    with path.open("ab") as file:
        file.write(data)
