"""`mmio.Mmio`: register windows that are never checked and never unmapped."""

import asyncio
import random
from typing import TYPE_CHECKING, NoReturn

import grpc

from ...wire import messages as m
from ...wire import methods
from ..bus import BusError
from ..dispatch import Handler, Refused, unary
from ..windows import Window
from .framing import varint

if TYPE_CHECKING:
    from ..board import SimBoard

_DATA_TAG = b"\x18"
_SIGNED = 0xFFFF_FFFF_0000_0000


class MmioService:
    """Maps windows, and reads and writes 32-bit registers in them (H5, H10 to H19)."""

    def __init__(self, board: "SimBoard") -> None:
        self._board = board
        self._random = random.Random(board.seed)

    def handlers(self) -> list[Handler]:
        """List the methods of this service."""
        return [
            unary(methods.GET_MMIO, self._map),
            Handler(methods.MMIO_READ, self._read),
            Handler(methods.MMIO_WRITE, self._write),
        ]

    async def _map(self, request: m.GetMmioRequest) -> m.GetMmioResponse:
        process = self._board.process
        windows = process.windows
        unique = not self._board.hazards.duplicate_window_ids
        number = windows.count

        if unique:
            windows.count += 1

        async with process.window_table.change("get_mmio"):
            window = windows.map(request.base_addr, request.length, descriptor=process.take_descriptor())
            windows.insert(str(number), window)

        if not unique:
            windows.count += 1

        return m.GetMmioResponse(mmio_id=str(number))

    async def _read(self, message: bytes) -> bytes:
        request = m.ReadRequest.FromString(message)
        window = await self._find("read", request.mmio_id)

        try:
            value = self._board.process.windows.load(window, request.offset)
        except BusError as error:
            await self._bus_error(error)

        if value is None:
            await self._fault(window, request.offset)
            value = 0

        # 3.1 declares a signed number: it goes out as ten bytes, of which the low 32 bits count (H17).
        if value >> 31 and self._board.release.startswith("3."):
            value |= _SIGNED

        return _DATA_TAG + varint(value)

    async def _write(self, message: bytes) -> bytes:
        request = m.WriteRequest.FromString(message)
        counters = self._board.counters
        window = await self._find("write", request.mmio_id)

        if self._board.hazards.reorder:
            await asyncio.sleep(self._random.uniform(0, self._board.hazards.reorder_window))

        data = request.data[:4]

        if len(request.data) != 4:
            counters.odd_writes += 1
            # Four bytes are copied whatever was sent: what follows a short value is stale memory (H16).
            data += bytes(self._random.randrange(256) for _ in range(4 - len(data)))

        try:
            stored = self._board.process.windows.store(window, request.offset, int.from_bytes(data, "little"))
        except BusError as error:
            await self._bus_error(error)

        if not stored:
            await self._fault(window, request.offset)

        return b""

    async def _find(self, who: str, window_id: str) -> Window:
        process = self._board.process

        async with process.window_table.search(who):
            window = process.windows.find(window_id)

        if window is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, "MMIO Object not found.")

        await self._touch(window)
        return window

    async def _touch(self, window: Window) -> None:
        if window.virtual is None or not self._board.family.in_logic(window.base) or self._board.fpga.programmed:
            return

        self._board.counters.unprogrammed += 1

        if self._board.hazards.hang_unprogrammed:
            await self._board.freeze()
            await asyncio.get_running_loop().create_future()

    async def _bus_error(self, error: BusError) -> NoReturn:
        self._board.counters.bus_errors += 1

        if self._board.hazards.fatal_bus_errors:
            await self._board.process.die(str(error))

        raise Refused(grpc.StatusCode.INTERNAL, str(error))

    async def _fault(self, window: Window, offset: int) -> None:
        if self._board.hazards.crash_out_of_range:
            await self._board.process.die(f"segmentation fault at offset {offset:#x} of a window of {window.length:#x}")
