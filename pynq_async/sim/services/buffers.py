"""`buffer.RemoteBuffer`: contiguous memory, moved in whole streams."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc

from ...wire import messages as m
from ...wire import methods
from ..contiguous import BoardBuffer
from ..dispatch import Handler, Refused, Send, unary
from .framing import bytes_field, text_and_bytes

if TYPE_CHECKING:
    from ..board import SimBoard

_READ_SIZE = 1 << 20
_NOT_FOUND = "Buffer not found."


class BufferService:
    """Allocates, moves and frees buffers (H3, H4, H20 to H30)."""

    def __init__(self, board: "SimBoard") -> None:
        self._board = board

    def handlers(self) -> list[Handler]:
        """List the methods of this service."""
        return [
            unary(methods.ALLOCATE, self._allocate),
            Handler(methods.BUFFER_WRITE, self._write),
            Handler(methods.BUFFER_READ, self._read),
            unary(methods.FREE_BUFFER, self._free),
            unary(methods.FLUSH, self._flush),
            unary(methods.INVALIDATE, self._invalidate),
            unary(methods.PHYSICAL_ADDRESS, self._physical_address),
            unary(methods.VIRTUAL_ADDRESS, self._virtual_address),
            unary(methods.CACHEABLE, self._cacheable),
        ]

    async def _allocate(self, request: m.AllocateRequest) -> m.AllocateResponse:
        process = self._board.process

        async with process.buffer_table.change("allocate"):
            buffer = process.buffers.allocate(request.size, cacheable=request.cacheable)

        return m.AllocateResponse(buffer_id=None if buffer is None else buffer.id)

    async def _free(self, request: m.FreeBufferRequest) -> m.FreeBufferResponse:
        process = self._board.process

        async with process.buffer_table.change("freebuffer"):
            buffer = process.buffers.find(request.buffer_id)

            if buffer is not None:
                process.buffers.free(buffer)

        _known(buffer)
        return m.FreeBufferResponse()

    async def _write(self, requests: AsyncIterator[bytes]) -> bytes:
        buffer: BoardBuffer | None = None
        at = 0

        try:
            async for message in requests:
                buffer_id, data = text_and_bytes(message)

                if buffer is None:
                    buffer = await self._search("write", buffer_id)

                    if buffer is None:
                        return m.BufferWriteResponse(msg=_NOT_FOUND).SerializeToString()

                    buffer.streams += 1

                await self._alive(buffer)
                end = at + len(data)

                if end > len(buffer.data):
                    self._board.counters.overflows += 1
                    return m.BufferWriteResponse(msg="Buffer overflow.").SerializeToString()

                buffer.data[at:end] = data
                at = end

            if buffer is not None and at < len(buffer.data):
                self._board.counters.partial_writes += 1
        finally:
            if buffer is not None:
                buffer.streams -= 1

        return b""

    async def _read(self, message: bytes, send: Send) -> None:
        request = m.BufferReadRequest.FromString(message)
        buffer = _known(await self._search("read", request.buffer_id))
        buffer.streams += 1
        stretch = self._board.faults.take_stretch(str(methods.BUFFER_READ))
        end = len(buffer.data) + min(0, stretch)

        try:
            for at in range(0, end, _READ_SIZE):
                await self._alive(buffer)
                await send(bytes_field(3, memoryview(buffer.data)[at : min(at + _READ_SIZE, end)]))

            if stretch > 0:
                await send(bytes_field(3, bytes(stretch)))
        finally:
            buffer.streams -= 1

    async def _flush(self, request: m.FlushRequest) -> m.FlushResponse:
        _known(await self._search("flush", request.buffer_id)).flush()
        return m.FlushResponse()

    async def _invalidate(self, request: m.InvalidateRequest) -> m.InvalidateResponse:
        _known(await self._search("invalidate", request.buffer_id)).invalidate()
        return m.InvalidateResponse()

    async def _physical_address(self, request: m.AddressRequest) -> m.AddressResponse:
        return m.AddressResponse(address=_known(await self._search("physical_address", request.buffer_id)).physical)

    async def _virtual_address(self, request: m.AddressRequest) -> m.AddressResponse:
        return m.AddressResponse(address=_known(await self._search("virtual_address", request.buffer_id)).virtual)

    async def _cacheable(self, request: m.CacheableRequest) -> m.CacheableResponse:
        return m.CacheableResponse(cacheable=_known(await self._search("cacheable", request.buffer_id)).cacheable)

    async def _search(self, who: str, buffer_id: str) -> BoardBuffer | None:
        process = self._board.process

        async with process.buffer_table.search(who):
            return process.buffers.find(buffer_id)

    async def _alive(self, buffer: BoardBuffer) -> None:
        """The stream keeps a bare pointer: after a free it goes on in memory that is gone (H4)."""
        if not buffer.freed:
            return

        self._board.counters.use_after_free += 1

        if self._board.hazards.crash_on_use_after_free:
            await self._board.process.die(f"segmentation fault in a stream of the freed buffer {buffer.id}")


def _known(buffer: BoardBuffer | None) -> BoardBuffer:
    if buffer is None:
        raise Refused(grpc.StatusCode.NOT_FOUND, _NOT_FOUND)

    return buffer
