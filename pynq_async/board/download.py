"""From a bitstream file to a running design: the steps of a download, in order, and who is told of them."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..bitstream import Bitstream, Design, load_bitstream, load_design
from ..concurrency import both
from ..errors import Misuse
from ..progress import Progress, ProgressCallback
from .axi_ports import set_axi_port_widths
from .fabric import FULL, PARTIAL
from .loaded import Loaded, Record
from .parts import Parts
from .shutdown import stop_shutdown_managers


class DownloadObserver(Protocol):
    """Whoever is told of every download of a board, by whomever it is made; must not raise."""

    def progressed(self, step: Progress) -> None:
        """A download has come a step further."""

    def loaded(self, board: str, loaded: Loaded) -> None:
        """A download has ended well."""

    def failed(self, board: str, error: BaseException) -> None:
        """A download has failed, or was cancelled."""


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be loaded, and how; see `RemoteDevice.download`."""

    bitstream: str | os.PathLike[str] | Bitstream
    design: Design | None
    partial: bool
    ranges: Iterable[range]
    clocks: bool
    verify: Literal["marker", "full"]
    progress: ProgressCallback | None

    async def run(self, parts: Parts, observer: DownloadObserver | None) -> Loaded:
        """Load it; the fabric is ours for as long as that takes."""
        board = parts.connection.board

        if self.verify not in ("marker", "full"):
            raise Misuse(board, f"verify is 'marker' or 'full', not {self.verify!r}")

        def report(step: Progress) -> None:
            if observer is not None:
                observer.progressed(step)

            if self.progress is not None:
                self.progress(step)

        with parts.fabric.reserve():
            try:
                loaded = await self._run(parts, report)
                report(Progress(board, "done", 0, 0))
            except BaseException as error:
                if observer is not None:
                    observer.failed(board, error)

                raise

        if observer is not None:
            observer.loaded(board, loaded)

        return loaded

    async def _run(self, parts: Parts, report: ProgressCallback) -> Loaded:
        bitstream, design, partial = self.bitstream, self.design, self.partial

        if not isinstance(bitstream, Bitstream):
            bitstream = await load_bitstream(bitstream)

        parts.fabric.check(bitstream, parts.identity.family, partial=partial)

        if design is None and bitstream.description is not None:
            design = await load_design(bitstream)

        sent, before = await _bring(parts, bitstream, self.verify, report)

        if not partial:
            await stop_shutdown_managers(parts.connection, parts.windows, before.shutdown_managers if before else {})

            if self.clocks and design is not None:
                await parts.clocks.apply(design)

        await both(parts.firmware.confirm(bitstream), parts.fabric.set_flags(PARTIAL if partial else FULL))
        record = parts.record.partial(before, bitstream) if partial else parts.record.full(bitstream, design)
        covered = [*self.ranges, *(design.extents().values() if design else ())] if partial else None
        parts.last_loaded.forget()
        generation = await parts.fabric.program(bitstream, record, ranges=covered, report=report)
        loaded = Loaded(bitstream.name, bitstream.digest, design, sent, generation=generation)
        parts.last_loaded.programmed(record, None if partial else loaded)

        if not partial and design is not None and parts.identity.family == "zynqmp":
            await set_axi_port_widths(parts.connection, parts.windows, design.axi_port_widths())

        return loaded


async def _bring(
    parts: Parts, bitstream: Bitstream, verify: str, report: ProgressCallback
) -> tuple[int, Record | None]:
    """Bring the bitstream to the board, and read meanwhile what is loaded: how much was sent, and the record.

    The record waits until bytes are under way, so that of many boards the last one's link does not wait for it.
    """
    under_way = asyncio.Event()

    def begun(step: Progress) -> None:
        under_way.set()
        report(step)

    async def bring() -> int:
        try:
            return await parts.firmware.bring(bitstream, read_back=verify == "full", report=begun)
        finally:
            under_way.set()

    async def read() -> Record | None:
        await under_way.wait()
        return await parts.record.read_base()

    return await both(bring(), read())
