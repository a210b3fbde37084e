"""From a hardware description to a `Design`, without holding the event loop: parsed once in a child, then cached."""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from ..errors import DesignError
from .cache import cache_key, read_entry, write_entry
from .child import run_child
from .codec import decode, design_from
from .design import Design
from .files import DESCRIPTION_LIMIT, read_file
from .formats import Bitstream, read_description

DEADLINE = 60.0

# The child starts with the standard library alone (-I -S) and then finds packages where this process does. Thus a
# user's random.py in the working folder is never taken for the library's, and no other version of a package either.
# Its two packages are bare: the real ones import gRPC and numpy, half a second that parsing does not need.
_CHILD = """
import sys, types

for name, folder in zip(("pynq_async", "pynq_async.bitstream"), sys.argv[1:3]):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]

sys.path += sys.argv[3:]

from pynq_async.bitstream.parse import main

main()
"""


async def load_design(source: Bitstream | bytes | str | os.PathLike[str]) -> Design:
    """Parse a hardware description, or take what an earlier load of the same content made of it.

    The first load of a content runs pynqmetadata in a child process (about two seconds for a large design), which is
    killed when the caller is cancelled. Later ones read a file in the folder `$PYNQ_ASYNC_CACHE`, by default the
    user's folder for caches, in a thread.

    Args:
        source: a `.hwh` file, a bitstream file with a description beside or inside it, a `Bitstream` that was loaded
            with its description, or the description's bytes.

    Raises:
        DesignError: there is no description, or it cannot be understood; the message says why.
        BitstreamError: an `.xsa` cannot be read.
    """
    found = await anyio.to_thread.run_sync(_find, source, abandon_on_cancel=True)

    if found.design is not None:
        return found.design

    answer = await _parse(found.name, found.data)
    return await anyio.to_thread.run_sync(_keep, found, answer)


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    data: bytes
    digest: str
    key: str
    design: Design | None


def _find(source: Bitstream | bytes | str | os.PathLike[str]) -> _Found:
    name, data = _description(source)

    if len(data) > DESCRIPTION_LIMIT:
        raise DesignError(name, f"has {len(data)} bytes; more than {DESCRIPTION_LIMIT} are refused")

    if not data:
        raise DesignError(name, "is empty")

    digest = hashlib.sha256(data).hexdigest()
    key = cache_key(digest)
    return _Found(name, data, digest, key, _believed(read_entry(key), digest))


def _description(source: Bitstream | bytes | str | os.PathLike[str]) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        return "<description>", source

    if isinstance(source, Bitstream):
        if source.description is None:
            raise DesignError(
                source.path,
                f"was loaded without a hardware description; put {source.path.stem}.hwh beside it, or pass design=",
            )

        return source.description_source or source.name, source.description

    path = Path(source)

    if path.suffix.lower() == ".hwh":
        return str(path), read_file(path, DESCRIPTION_LIMIT, DesignError)

    found = read_description(path)

    if found is None:
        raise DesignError(path, f"has no hardware description; put {path.stem}.hwh beside it")

    return found


def _believed(entry: bytes | None, digest: str) -> Design | None:
    if entry is None:
        return None

    try:
        design = design_from(decode(entry))
    except ValueError:
        return None

    return design if design.digest == digest else None


def _keep(found: _Found, answer: bytes) -> Design:
    try:
        values = decode(answer)

        if "error" in values:
            raise DesignError(found.name, values["error"])

        design = design_from(values)
    except DesignError:
        raise
    except (ValueError, TypeError) as cause:
        raise DesignError(found.name, f"its parser gave an answer that makes no sense: {cause}") from cause

    write_entry(found.key, answer)
    return design


async def _parse(name: str, data: bytes) -> bytes:
    try:
        with anyio.fail_after(DEADLINE):
            ended = await run_child(_command(), data)
    except TimeoutError:
        raise DesignError(name, f"could not be understood within {DEADLINE:g} s; is it a real description?") from None
    except NotImplementedError:
        raise DesignError(name, "this event loop cannot start a parser; on Windows use the Proactor loop") from None
    except OSError as cause:
        raise DesignError(name, f"its parser could not be run with {sys.executable!r}: {cause}") from cause

    if ended.code:
        last = ended.errors.decode(errors="replace").strip().rpartition("\n")[2]
        raise DesignError(name, f"its parser ended with code {ended.code}: {last[:300] or 'it said nothing'}")

    return ended.output


def _command() -> list[str]:
    here = os.path.dirname(os.path.abspath(__file__))
    path = [os.path.abspath(entry) for entry in sys.path if entry]
    return [sys.executable, "-I", "-S", "-W", "ignore", "-c", _CHILD, os.path.dirname(here), here, *path]
