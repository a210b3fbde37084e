"""Bitstreams in the board's firmware folder, under names made from their content.

The server answers OK to an upload that was cut off or that did not fit on the disk, and the next client would trust
what is there. So a firmware counts only with a marker beside it that was written after it, in this boot, and read back
whole. The folder is often a RAM disk, and nothing can be deleted or listed: an index of our names says what to empty.
"""

import hashlib
import re
from collections.abc import Callable
from zlib import crc32

from anyio import to_thread

from ..bitstream import Bitstream
from ..config import Limits
from ..errors import FirmwareRejected
from ..progress import Progress
from ..wire.channel import Connection
from .files import Files

FOLDER = "/lib/firmware"
INDEX = f"{FOLDER}/pynq_async.index"
_NAME = re.compile(r"pa_[0-9a-f]{32}_\d+\.bin")  # short and tame: the kernel copies it into a fixed buffer

Report = Callable[[Progress], None]


class FirmwareStore:
    """The firmware folder of one board."""

    def __init__(self, connection: Connection, files: Files, limits: Limits) -> None:
        self._connection = connection
        self._files = files
        self._keep = limits.firmware

    @staticmethod
    def name(bitstream: Bitstream) -> str:
        """The name under which the FPGA manager finds a bitstream."""
        return f"pa_{bitstream.digest[:32]}_{len(bitstream.data)}.bin"

    async def confirm(self, bitstream: Bitstream) -> None:
        """Raise `FirmwareRejected` when another host has emptied the bitstream since it was brought."""
        if await self._found_marker(bitstream) != self._marker(bitstream):
            raise FirmwareRejected(
                self._connection.board,
                f"another host emptied {bitstream.name} on the board before it was programmed; download it again",
            )

    async def bring(self, bitstream: Bitstream, *, read_back: bool, report: Report) -> int:
        """Make sure that the board has the bitstream; returns how many bytes had to be sent.

        Raises `FirmwareRejected` when it does not arrive whole; nothing will trust what is there then.
        """
        sent = 0
        kept_others = [0, self._keep - 1]  # if it did not fit beside the others, it may without them
        found = await self._found_marker(bitstream)

        while found != self._marker(bitstream):
            if not kept_others:
                raise FirmwareRejected(
                    self._connection.board,
                    f"{FOLDER} on the board has no room for the {len(bitstream.data)} bytes of {bitstream.name}, or "
                    "cannot be written; nothing was programmed",
                )

            sent += await self._send(bitstream, kept_others.pop(), report, marked=found is not None)
            found = await self._found_marker(bitstream)

        if read_back:
            await self._compare(bitstream, report)

        return sent

    async def _send(self, bitstream: Bitstream, keep_others: int, report: Report, *, marked: bool) -> int:
        board, total = self._connection.board, len(bitstream.data)
        name, marker = self.name(bitstream), self._marker(bitstream)  # of the boot in which the upload begins
        others = [other for other in await self._index() if other != name]

        for other in others[keep_others:]:
            await self._files.write(f"{FOLDER}/{other}.marker", b"")
            await self._files.write(f"{FOLDER}/{other}", b"")

        # In this order: whatever is cut off where, no marker stands beside a firmware that is not whole.
        await self._files.write(INDEX, "".join(f"{known}\n" for known in [name, *others[:keep_others]]).encode())

        if marked:
            await self._files.write(self._marker_path(bitstream), b"")

        await self._files.write(
            f"{FOLDER}/{name}",
            bitstream.data,
            progress=lambda done: report(Progress(board, "upload", done, total)),
        )
        await self._files.write(self._marker_path(bitstream), marker)
        return total

    async def _compare(self, bitstream: Bitstream, report: Report) -> None:
        total = len(bitstream.data)

        def step(progress: Progress) -> None:
            report(Progress(progress.board, "verify", progress.done, total))

        path = f"{FOLDER}/{self.name(bitstream)}"
        found = await self._files.read(path, max_bytes=total + (1 << 20), progress=step)
        digest = await to_thread.run_sync(lambda: hashlib.sha256(found).hexdigest())

        if digest != bitstream.digest:
            await self._files.write(self._marker_path(bitstream), b"")
            raise FirmwareRejected(
                self._connection.board,
                f"what the board stored is not {bitstream.name} ({len(found)} of {total} bytes, another digest); its "
                "disk is full or faulty; nothing was programmed",
            )

    async def _index(self) -> list[str]:
        """Our firmware on the board, newest first; anything else in the index is ignored."""
        text = (await self._files.read_if_there(INDEX) or b"").decode("ascii", "replace")
        return [line for line in dict.fromkeys(text.splitlines()) if _NAME.fullmatch(line)]

    async def _found_marker(self, bitstream: Bitstream) -> bytes | None:
        return await self._files.read_if_there(self._marker_path(bitstream))

    def _marker_path(self, bitstream: Bitstream) -> str:
        return f"{FOLDER}/{self.name(bitstream)}.marker"

    def _marker(self, bitstream: Bitstream) -> bytes:
        body = f"{bitstream.digest} {len(bitstream.data)} {self._connection.server.boot}"
        return f"{body} {crc32(body.encode()):08x}\n".encode()
