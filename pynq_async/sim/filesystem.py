"""The simulated board's files: a tree with small volumes, device files, and files that are functions."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .counters import Counters
from .faults import FaultPlan
from .options import PAGE

NAME_MAX = 255
PATH_MAX = 4096


class PathTooLong(Exception):
    """A path or a part of it is longer than Linux takes."""


@dataclass(eq=False, slots=True)
class Volume:
    """A file system with a size, counted in pages as a RAM disk does."""

    pages: int
    used: int = 0

    def grow(self, size: int, wanted: int) -> int:
        """Let a file of `size` bytes grow to `wanted` if there is room; returns what it may grow to."""
        have = -(-size // PAGE)
        more = max(0, -(-wanted // PAGE) - have)
        given = min(more, self.pages - self.used)
        self.used += given
        return wanted if given == more else max(size, (have + given) * PAGE)

    def release(self, size: int) -> None:
        """Take the pages of a file of `size` bytes back."""
        self.used -= -(-size // PAGE)


@dataclass(eq=False, slots=True)
class RegularFile:
    """Bytes on a volume, or on none."""

    volume: Volume | None = None
    data: bytearray = field(default_factory=bytearray)

    def truncate(self) -> None:
        """Make it empty."""
        if self.volume is not None:
            self.volume.release(len(self.data))

        self.data.clear()


@dataclass(eq=False, slots=True)
class FunctionFile:
    """A file of `/proc` or `/sys`: `show` makes what is read, `store` takes what was written when it is closed.

    `store` may return something to wait for before the writer gets its answer.
    """

    show: Callable[[], bytes] | None = None
    store: Callable[[bytes], Awaitable[None] | None] | None = None


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """`/dev/zero`, `/dev/null` and `/dev/full`: `filler` is read for ever, None reads as empty; writes vanish."""

    filler: bytes | None = None


Node = RegularFile | FunctionFile | DeviceFile


class Reader:
    """An open file being read from its start."""

    def __init__(self, node: Node | None) -> None:
        self._source: bytes | bytearray = b""
        self._filler = node.filler if isinstance(node, DeviceFile) else None
        self._at = 0

        if isinstance(node, RegularFile):
            self._source = node.data
        elif isinstance(node, FunctionFile) and node.show is not None:
            self._source = node.show()

    @property
    def endless(self) -> bool:
        """Whether reading never ends."""
        return self._filler is not None

    def read(self, length: int) -> bytes:
        """Read up to `length` bytes; empty at the end."""
        if self._filler is not None:
            return self._filler * length

        data = bytes(memoryview(self._source)[self._at : self._at + length])
        self._at += len(data)
        return data


class Writer:
    """An open file being written from its start."""

    def __init__(self, files: "FileSystem", path: str, node: Node, *, faulty: bool) -> None:
        self._files = files
        self._path = path
        self._node = node
        self._faulty = faulty
        self._keep = files.faults.take_cut(path) if faulty else None
        self._at = 0
        self._failed = False
        self._collected = bytearray()

        if isinstance(node, RegularFile):
            node.truncate()

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes; what the volume has no room for is lost without a word, and all that follows it (H35)."""
        if self._failed or not len(data):
            return

        if isinstance(self._node, FunctionFile):
            self._collected += data
            return

        if isinstance(self._node, DeviceFile):
            return

        end = self._at + len(data)
        stored = self._node.data
        granted = end if self._node.volume is None else self._node.volume.grow(len(stored), max(end, len(stored)))
        granted = min(granted, end, end if self._keep is None else self._keep)

        if len(stored) < self._at:
            stored.extend(bytes(max(0, min(self._at, granted) - len(stored))))

        fitting = max(0, granted - self._at)
        stored[self._at : self._at + fitting] = memoryview(data)[:fitting]
        self._at += fitting

        if fitting < len(data):
            self._failed = True
            self._files.counters.dropped_stores += 1

    def close(self) -> Awaitable[None] | None:
        """Close the file; returns what the kernel keeps the writer waiting for."""
        if isinstance(self._node, FunctionFile):
            content, self._collected = bytes(self._collected), bytearray()
            return self._node.store(content) if content and self._node.store is not None else None

        if self._faulty and isinstance(self._node, RegularFile) and self._files.faults.take_flip(self._path):
            bit = self._files.random.randrange(8 * len(self._node.data)) if self._node.data else None

            if bit is not None:
                self._node.data[bit // 8] ^= 1 << bit % 8

        return None


class FileSystem:
    """All files by absolute path; tests use `read_bytes`, `write_bytes`, `exists`, `remove` and `paths`."""

    def __init__(self, counters: Counters, faults: FaultPlan, seed: int) -> None:
        self.counters = counters
        self.faults = faults
        self.random = random.Random(seed)
        self._nodes: dict[str, Node] = {}
        self._directories: set[str] = {"/"}
        self._volumes: dict[str, Volume] = {}

    def read_bytes(self, path: str) -> bytes:
        """Read a whole file; raises `FileNotFoundError`."""
        node = self._nodes.get(resolve(path))

        if node is None:
            raise FileNotFoundError(path)

        reader = Reader(node)
        return b"" if reader.endless else reader.read(1 << 40)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a whole file, making its folders; a full volume drops the rest, faults on files do not apply."""
        self.make_directory(resolve(path).rpartition("/")[0] or "/")
        writer = self.open_write(path, faulty=False)

        if writer is None:
            raise IsADirectoryError(path)

        writer.write(data)
        writer.close()

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder; raises `PathTooLong` where Linux does."""
        full = resolve(path)
        return full in self._nodes or full in self._directories

    def remove(self, path: str) -> None:
        """Remove a file; raises `FileNotFoundError`."""
        node = self._nodes.pop(resolve(path), None)

        if node is None:
            raise FileNotFoundError(path)

        if isinstance(node, RegularFile):
            node.truncate()

    def paths(self, prefix: str = "/") -> list[str]:
        """The files whose path begins with `prefix`, sorted."""
        return sorted(path for path in self._nodes if path.startswith(prefix))

    def make_directory(self, path: str) -> None:
        """Make a folder and those above it."""
        while path and path not in self._directories:
            self._directories.add(path)
            path = path.rpartition("/")[0] or "/"

    def remove_directory(self, path: str) -> None:
        """Remove a folder with the files in it."""
        for file in self.paths(f"{path}/"):
            self.remove(file)

        self._directories.discard(path)

    def mount(self, path: str, size: int) -> None:
        """Let the files under a folder share a volume of `size` bytes."""
        self.make_directory(path)
        self._volumes[path] = Volume(size // PAGE)

    def add(self, path: str, node: Node) -> None:
        """Put a file of any kind into the tree, with its folders."""
        self.make_directory(path.rpartition("/")[0] or "/")
        self._nodes[path] = node

    def open_read(self, path: str) -> Reader | None:
        """Open a file as the server does; a folder reads as empty (H41), None is not found."""
        try:
            full = resolve(path)
        except PathTooLong:
            return None

        if full in self._directories:
            return Reader(None)

        node = self._nodes.get(full)
        return None if node is None else Reader(node)

    def open_write(self, path: str, *, faulty: bool = True) -> Writer | None:
        """Open a file as the server does, emptying it at once (H36); None where it cannot be made.

        Without `faulty` the fault plan has no part in it.
        """
        try:
            full = resolve(path)
        except PathTooLong:
            return None

        folder = full.rpartition("/")[0] or "/"

        if full in self._directories or folder not in self._directories or path.endswith("/"):
            return None

        if full not in self._nodes:
            self._nodes[full] = RegularFile(self._volume(full))

        return Writer(self, full, self._nodes[full], faulty=faulty)

    def _volume(self, path: str) -> Volume | None:
        return next((volume for folder, volume in self._volumes.items() if path.startswith(folder + "/")), None)


def resolve(path: str) -> str:
    """Make a path absolute and plain as Linux would; the server's working folder is the root."""
    path = path.split("\0")[0]

    if len(path.encode()) >= PATH_MAX:
        raise PathTooLong(path)

    parts: list[str] = []

    for part in path.split("/"):
        if len(part.encode()) > NAME_MAX:
            raise PathTooLong(part)

        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)

    return "/" + "/".join(parts)
