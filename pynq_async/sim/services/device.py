"""`remote_device.RemoteDevice`: files and the programming of the fabric, as PYNQ's server does them."""

from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING

import grpc

from ...wire import messages as m
from ...wire import methods
from ..dispatch import Handler, Refused, Send, unary
from ..filesystem import PathTooLong, Writer
from ..fpga_manager import FIRMWARE, FOLDER
from .framing import bytes_field, text_and_bytes

if TYPE_CHECKING:
    from ..board import SimBoard

_READ_SIZE = 1024
_DEVICE_NAME = "xrt_device"
_XRT_NAME = b"edge"


class DeviceService:
    """Reads and writes any file as root, and programs whatever it is told (H31 to H45)."""

    def __init__(self, board: "SimBoard") -> None:
        self._board = board

    def handlers(self) -> list[Handler]:
        """List the methods that PYNQ's server implements; `set_pl_clk` and `shutdown` are not among them (H47)."""
        return [
            unary(methods.EXISTS_FILE, self._exists),
            unary(methods.SET_BITSTREAM_ATTRS, self._set_attributes),
            Handler(methods.READ_FILE, self._read),
            Handler(methods.WRITE_FILE, self._write),
            Handler(methods.DOWNLOAD, self._download),
        ]

    async def _exists(self, request: m.ExistsFileRequest) -> m.ExistsFileResponse:
        try:
            return m.ExistsFileResponse(exists=self._board.files.exists(request.file_path))
        except PathTooLong:
            raise Refused(grpc.StatusCode.UNKNOWN, "Unexpected error in RPC handling") from None

    async def _read(self, message: bytes, send: Send) -> None:
        path = m.ReadFileRequest.FromString(message).file_path

        if path == _DEVICE_NAME:
            await send(bytes_field(1, _XRT_NAME))
            return

        process = self._board.process
        reader = None if process.exhausted else self._board.files.open_read(path)

        if reader is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, "File not found")

        left: float = float("inf")
        stretch = self._board.faults.take_stretch(str(methods.READ_FILE))

        if stretch < 0:
            left = max(0, len(self._board.files.read_bytes(path)) + stretch)

        process.open_files += 1

        try:
            while left > 0 and (data := reader.read(int(min(_READ_SIZE, left)))):
                await send(bytes_field(1, data))
                left -= len(data)

            if stretch > 0:
                await send(bytes_field(1, bytes(stretch)))
        finally:
            process.open_files -= 1

            # An endless file is only ever left by a cut: the real server's thread reads on for ever.
            if reader.endless and not process.dead:
                self._board.counters.runaway_reads += 1

    async def _write(self, requests: AsyncIterator[bytes]) -> bytes:
        writer: Writer | None = None
        process = self._board.process

        try:
            async for message in requests:
                path, data = text_and_bytes(message)

                if writer is None:
                    writer = None if process.exhausted else self._board.files.open_write(path)

                    if writer is None:
                        raise Refused(grpc.StatusCode.INTERNAL, "Failed to open file for writing")

                    process.open_files += 1

                writer.write(data)
        finally:
            # A cut upload is closed like a whole one: what arrived stays, and what it triggers happens (H36).
            if writer is not None:
                process.open_files -= 1
                pending = None if process.dead else writer.close()

        if writer is None:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "No file path provided")

        if pending is not None:
            await pending

        return b""

    async def _set_attributes(self, request: m.SetBitstreamAttrsRequest) -> m.SetBitstreamAttrsResponse:
        # `partial` is taken and never used (H32).
        self._board.process.binfile_name = request.binfile_name
        return m.SetBitstreamAttrsResponse()

    async def _download(self, requests: AsyncIterator[bytes]) -> bytes:
        process = self._board.process
        writer = self._board.files.open_write(f"{FIRMWARE}/{process.binfile_name}")
        pending: Awaitable[None] | None = None

        try:
            async for message in requests:
                if writer is not None:
                    writer.write(memoryview(m.DownloadRequest.FromString(message).buffer))
        finally:
            if writer is not None and not process.dead:
                writer.close()

            # The name is read again: it may be another one by now (H33). A cut upload programs all the same (H31).
            if not process.dead:
                pending = self._program(process.binfile_name)

        if pending is not None:
            await pending

        return b""

    def _program(self, name: str) -> Awaitable[None] | None:
        files = self._board.files

        if not name or not files.exists(f"{FIRMWARE}/{name}"):
            return None

        pending = None

        for file, content in (("flags", b"0"), ("firmware", name.encode())):
            writer = files.open_write(f"{FOLDER}/{file}")

            if writer is not None:
                writer.write(content)
                pending = writer.close()

        return pending
