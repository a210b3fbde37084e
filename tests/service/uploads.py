"""Bitstreams and descriptions that tests upload."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pynq_async.bitstream import Design, synthetic_bitstream
from pynq_async.bitstream.cache import cache_key, write_entry
from pynq_async.bitstream.codec import encode

from .services import Running

BIT = synthetic_bitstream(size=40_000)


async def upload(it: Running, data: bytes = BIT, name: str = "base.bit", hwh: bytes | None = None) -> dict[str, Any]:
    """Upload a bitstream as alice, perhaps with its description."""
    answer = await it.alice.post("/api/bitstreams", params={"name": name}, content=data)
    assert answer.status_code == 201, answer.text

    if hwh is not None:
        path = f"/api/bitstreams/{answer.json()['id']}/description"
        answer = await it.alice.put(path, params={"name": "base.hwh"}, content=hwh)
        assert answer.status_code == 200, answer.text

    found: dict[str, Any] = answer.json()
    return found


async def upload_design(it: Running, design: Design, seed: int = 0, *, size: int = 40_000) -> dict[str, Any]:
    """Upload a bitstream of a design that was made by hand."""
    data = synthetic_bitstream(size=size, seed=seed, partial=design.partial)
    return await upload(it, data, f"design{seed}.bit", description_of(design))


def description_of(design: Design) -> bytes:
    """Bytes that stand for a description of a design: it is known already what a parser would make of them."""
    data = f"the description of {design.digest}".encode()
    digest = hashlib.sha256(data).hexdigest()
    known = replace(design, digest=digest)
    write_entry(cache_key(digest), encode({field.name: getattr(known, field.name) for field in fields(known)}))
    return data


def files(it: Running) -> list[Path]:
    """What is on the service's disk."""
    folder = it.service.storage._folder
    assert folder is not None
    return sorted(folder.iterdir())


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another task will bring about."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
