"""Parsed designs on disk, found by content and believed only if whole."""

import contextlib
import hashlib
import importlib.metadata
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT = "PYNQ_ASYNC_CACHE"
KEPT = 64

# Raise it whenever the encoding, or what our own parser makes of a description, changes.
FORMAT = 3

_LARGEST = 256 * 1024 * 1024


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where parsed designs are kept: `$PYNQ_ASYNC_CACHE`, else the platform's folder for caches."""
    if folder := environ.get(ENVIRONMENT):
        return Path(folder)

    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pynq-async"

    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "pynq-async" / "Cache"

    # The XDG specification says to ignore a relative path.
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "pynq-async"


def cache_key(digest: str) -> str:
    """The key of what the installed parser makes of the description with this digest."""
    try:
        version = importlib.metadata.version("pynqmetadata")
    except importlib.metadata.PackageNotFoundError:
        version = "none"

    return hashlib.sha256(f"{FORMAT} {version} {digest}".encode()).hexdigest()


def read_entry(key: str) -> bytes | None:
    """What was written under this key, or None if there is nothing, or nothing that is whole."""
    try:
        path = _path(key)

        if path.stat().st_size > _LARGEST:
            return None

        head, _, body = path.read_bytes().partition(b"\n")
    except (OSError, RuntimeError, MemoryError):
        return None

    return body if head == _head(key, body) else None


def write_entry(key: str, body: bytes) -> None:
    """Keep `body` under this key; a folder that cannot be written is no error, the next load parses again."""
    # Path.home raises RuntimeError for a user without a home.
    with contextlib.suppress(OSError, RuntimeError):
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, _head(key, body) + b"\n" + body)
        _prune(path.parent)


def _path(key: str) -> Path:
    return cache_folder() / f"{key}.design"


def _head(key: str, body: bytes) -> bytes:
    return f"pynq-async design {key} {hashlib.sha256(body).hexdigest()}".encode()


def _write_whole(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f"{path.stem[:16]}-", suffix=".design", dir=path.parent)

    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)

        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)

        raise


def _prune(folder: Path) -> None:
    entries = []

    for path in folder.glob("*.design"):
        # Another process may prune at the same time.
        with contextlib.suppress(OSError):
            entries.append((path.stat().st_mtime_ns, path))

    for _, path in sorted(entries, reverse=True)[KEPT:]:
        with contextlib.suppress(OSError):
            path.unlink()
