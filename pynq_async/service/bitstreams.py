"""Bitstreams that clients have uploaded, each checked before it is kept."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..bitstream import Bitstream, Design, load_bitstream, load_design
from ..errors import BitstreamError, DesignError
from .problems import Refusal
from .storage import Storage, StoredFile
from .tokens import Token


class StoredBitstream:
    """A bitstream on the service's disk; its content is in memory only while somebody works with it.

    Attributes:
        id: names it in requests.
        about: what it is, without payload and description.
        owner: name of the token that uploaded it.
        since: when that was, in seconds since 1970.
        file: as it was uploaded.
        description: its hardware description, if any.
    """

    def __init__(self, about: Bitstream, owner: str, file: StoredFile, description: StoredFile | None) -> None:
        self.id = secrets.token_urlsafe(12)
        self.about = about
        self.owner = owner
        self.since = time.time()
        self.file = file
        self.description = description
        self._users = 0
        self._turn = asyncio.Lock()
        self._content: Content | None = None

    @property
    def used(self) -> bool:
        """Whether somebody works with it."""
        return self._users > 0

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep it from being deleted; the last one who works with it lets go of its content."""
        self._users += 1

        try:
            yield
        finally:
            self._users -= 1

            if not self._users:
                self._content = None

    @asynccontextmanager
    async def content(self) -> AsyncIterator["Content"]:
        """Its payload and its design, which are read once for all who work with it at the same time."""
        with self.in_use():
            async with self._turn:
                if self._content is None:
                    with _named(self.file.path, self.about.name):
                        read = await load_bitstream(self.file.path, description=False)

                    bitstream = replace(read, name=self.about.name, path=self.about.path)
                    self._content = Content(bitstream, await self._design())

                content = self._content

            yield content

    async def design(self) -> Design | None:
        """What its description says, None without one."""
        with self.in_use():
            async with self._turn:
                return await self._design()

    async def describe(self, description: StoredFile) -> StoredFile | None:
        """Take another description; returns the one before, which nobody reads any more."""
        async with self._turn:
            before, self.description, self._content = self.description, description, None
            return before

    async def _design(self) -> Design | None:
        if self.description is None:
            return None

        with _named(self.description.path, self.about.name):
            return await load_design(self.description.path)


@dataclass(frozen=True, slots=True)
class Content:
    """A bitstream with its payload, and its design if it is described."""

    bitstream: Bitstream
    design: Design | None


class BitstreamStore:
    """All of them. They go with the service."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._stored: dict[str, StoredBitstream] = {}
        self._checks = asyncio.Lock()  # one at a time: it needs memory, and for a description a process

    def __iter__(self) -> Iterator[StoredBitstream]:
        return iter(self._stored.values())

    def __len__(self) -> int:
        return len(self._stored)

    def find(self, id: str) -> StoredBitstream:
        """A bitstream by its id."""
        try:
            return self._stored[id]
        except KeyError:
            raise Refusal(404, "no-such-bitstream", f"there is no bitstream {id!r}; upload it again") from None

    def find_own(self, id: str, caller: Token) -> StoredBitstream:
        """A bitstream of the caller's, or anybody's for an admin."""
        found = self.find(id)

        if found.owner != caller.name and not caller.allows("admin"):
            raise Refusal(403, "not-your-bitstream", f"{found.about.name} is {found.owner}'s")

        return found

    async def add(self, file: StoredFile, name: str, owner: str) -> StoredBitstream:
        """Keep a file that is a bitstream; raises `BitstreamError` and deletes it when it is none.

        Of an `.xsa` the hardware description is kept too.
        """
        description = None

        try:
            async with self._checks:
                with _named(file.path, name):
                    read = await load_bitstream(file.path)
                    about = replace(read, name=name, path=Path(name), data=b"", description=None)

                    if read.description is not None:
                        _check_fits(about, await load_design(read))
                        pieces = _all_of(read.description)
                        description = await self._storage.receive(pieces, ".hwh", len(read.description))

            stored = StoredBitstream(about, owner, file, description)
            self._stored[stored.id] = stored
        except BaseException:
            await file.remove()

            if description is not None:
                await description.remove()

            raise

        return stored

    async def describe(self, stored: StoredBitstream, file: StoredFile, name: str) -> None:
        """Keep a file that describes a bitstream's design, instead of the one before.

        Raises `DesignError` and deletes it when it is no description, or of something else.
        """
        try:
            async with self._checks:
                with _named(file.path, name):
                    _check_fits(stored.about, await load_design(file.path))

            before = await stored.describe(file)
        except BaseException:
            await file.remove()
            raise

        if before is not None:
            await before.remove()

    async def delete(self, stored: StoredBitstream) -> None:
        """Forget a bitstream; raises `Refusal` while somebody works with it."""
        if stored.used:
            raise Refusal(409, "bitstream-in-use", f"somebody works with {stored.about.name}; wait for the end of that")

        self._stored.pop(stored.id, None)

        for file in (stored.file, stored.description):
            if file is not None:
                await file.remove()


def suffix_of(name: str) -> str:
    """What a file's name says of its kind: `.bit`."""
    return PurePosixPath(name).suffix.lower()


def _check_fits(bitstream: Bitstream, design: Design) -> None:
    for what, told, described in (
        ("family", bitstream.family, design.family),
        ("partial", bitstream.partial, design.partial),
    ):
        if None not in (told, described) and told != described:
            raise DesignError(
                bitstream.name,
                f"the description is of something else ({what}: {described}) than the bitstream ({what}: {told})",
            )


@contextmanager
def _named(path: Path, name: str) -> Iterator[None]:
    """Let errors speak of a file by the name that its owner gave it."""
    try:
        yield
    except BitstreamError as error:
        problem = str(error).removeprefix(f"{error.path}: ").replace(str(path), name)
        raise type(error)(error.path.replace(str(path), name), problem) from None


async def _all_of(data: bytes) -> AsyncIterator[bytes]:
    yield data
