"""Uploaded files: a folder of the service's own, with a quota, that goes when the service does."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from ..concurrency import in_a_thread
from .problems import Refusal, stopping

_LEAST = 1 << 16  # what the smallest file counts, so that their number is bounded too
_AT_ONCE = 1 << 20


class StoredFile:
    """A file of the storage, under a name that nobody else chose.

    Attributes:
        path: where it is.
        bytes: how long it is.
    """

    def __init__(self, storage: "Storage", path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._storage = storage
        self._counted = 0

    def count(self, length: int) -> None:
        """Let it take so much of the quota, or more than that already; raises `Refusal` when there is no room."""
        if (more := max(length, _LEAST) - self._counted) > 0:
            self._storage.take(more)
            self._counted += more

    async def remove(self) -> None:
        """Delete it; a second time does nothing."""
        try:
            await in_a_thread(lambda: self.path.unlink(missing_ok=True))
        finally:
            self._storage.take(-self._counted)
            self._counted = 0


class Storage:
    """A temporary folder for at most `most` bytes.

    Attributes:
        taken: how much of that is in use or promised to files on their way.
    """

    def __init__(self, most: int) -> None:
        self.taken = 0
        self._most = most
        self._folder: Path | None = None
        self._turn = asyncio.Lock()  # no file is written while the folder goes

    async def open(self) -> None:
        """Make the folder."""
        self._folder = Path(await in_a_thread(lambda: tempfile.mkdtemp(prefix="pynq-async-")))

    async def aclose(self) -> None:
        """Delete it with all that is in it."""
        async with self._turn:
            folder, self._folder = self._folder, None

            if folder is not None:
                await in_a_thread(lambda: shutil.rmtree(folder, ignore_errors=True))

    def take(self, length: int) -> None:
        """Count bytes; raises `Refusal` when there is no room for them."""
        if length > 0 and self.taken + length > self._most:
            raise Refusal(
                507, "store-full", f"uploads may have {self._most} bytes together; delete some that nobody needs"
            )

        self.taken += length

    async def receive(self, body: AsyncIterator[bytes], suffix: str, expected: int = 0) -> StoredFile:
        """Write what comes to a new file; nothing is left of one that does not come to its end.

        `expected` bytes are counted at once, more as they come. Raises `Refusal` when there is no room.
        """
        file = StoredFile(self, self._here() / f"{secrets.token_hex(16)}{suffix}")
        waiting = bytearray()

        try:
            file.count(expected)

            async for piece in body:
                waiting += piece
                file.count(file.bytes + len(waiting))

                if len(waiting) >= _AT_ONCE:
                    await self._append(file, waiting)
                    waiting = bytearray()

            await self._append(file, waiting)
        except BaseException:
            await file.remove()
            raise

        return file

    async def _append(self, file: StoredFile, data: bytearray) -> None:
        def append() -> None:
            with file.path.open("ab") as stream:
                stream.write(data)

        async with self._turn:
            self._here()

            try:
                await in_a_thread(append)
            except OSError as error:
                raise Refusal(507, "store-full", f"the service cannot store it: {error.strerror}") from error

        file.bytes += len(data)

    def _here(self) -> Path:
        if self._folder is None:
            raise stopping()

        return self._folder
