"""Contiguous memory of the board as a numpy array."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from ..errors import Misuse, NoBoardMemory
from ..progress import ProgressCallback
from ..wire.channel import Connection
from .memory import BoardMemory


class Buffer(np.ndarray[Any, np.dtype[Any]]):
    """A numpy array on the host with memory of the same size on the board; made by `RemoteDevice.allocate`.

    The two sides are independent until they are synchronised. A view knows its place in the buffer. An array that does
    not share the buffer's memory, such as a copy or the result of a computation, has no side on the board.

        async with board.allocate((1080, 1920, 3), "u1") as frame:
            frame[:] = image
            await frame.sync_to_device()
    """

    _memory: BoardMemory | None
    _start: int  # the host address of the buffer's first byte
    _board: str

    def __new__(
        cls,
        memory: BoardMemory,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        store: npt.NDArray[np.uint8] | None = None,
    ) -> "Buffer":
        """An array with `memory` as its side on the board: of the bytes in `store`, or a zero-filled one."""
        if store is None:
            store = np.zeros(memory.nbytes, np.uint8)

        self = super().__new__(cls, shape, dtype, cast("Any", store))
        self._memory = memory
        self._start = _bounds(self)[0]
        self._board = memory.board
        return self

    if TYPE_CHECKING:

        def __getitem__(self, key: Any) -> Any:
            """Elements, or a view that is a buffer too: numpy's own type would hide its methods."""

    def __array_finalize__(self, obj: object) -> None:
        """Numpy makes views, copies and results alike through here; only what lies in the buffer is part of it."""
        memory = getattr(obj, "_memory", None)
        self._start = getattr(obj, "_start", 0)
        self._board = getattr(obj, "_board", "no board")
        inside = memory is not None and 0 <= self.__array_interface__["data"][0] - self._start < memory.nbytes
        self._memory = memory if inside else None

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """A single value, such as a sum, is a number and not a buffer without dimensions."""
        if array is self:
            return self

        return array[()] if array.ndim == 0 else super().__array_wrap__(array, context)

    async def sync_to_device(self, *, progress: ProgressCallback | None = None) -> None:
        """Copy the array to the board and flush the board's cache.

        The board takes a buffer from its start only: of a view, one that starts elsewhere or has gaps raises `Misuse`.
        An upload that is cut off leaves the board's side undefined until a later one succeeds.
        """
        memory, offset = self._board_side()

        if offset:
            raise Misuse(
                memory.board,
                f"this view starts {offset} bytes into its buffer, and the board server writes from the start only; "
                "sync the whole buffer",
            )

        if not self.flags.c_contiguous:
            raise Misuse(
                memory.board,
                "this view has gaps or another order than its buffer; sync the whole buffer",
            )

        await memory.upload(self._bytes().data, progress)

    async def sync_from_device(self, *, progress: ProgressCallback | None = None) -> None:
        """Invalidate the board's cache and copy the board's memory into the array.

        The board sends a buffer from its start; for a view what comes before it is thrown away.
        """
        memory, offset = self._board_side()

        if not self.flags.writeable:
            raise Misuse(memory.board, "this view is read-only")

        if self.flags.c_contiguous:
            await memory.download(self._bytes().data, offset, progress)
            return

        low, high = _bounds(self)
        spanned = np.empty(high - low, np.uint8)
        await memory.download(spanned.data, offset, progress)
        place = self.__array_interface__["data"][0] - low
        self[...] = np.ndarray(self.shape, self.dtype, cast("Any", spanned), place, self.strides)

    async def flush(self) -> None:
        """The same as `sync_to_device`, as in PYNQ."""
        await self.sync_to_device()

    async def invalidate(self) -> None:
        """The same as `sync_from_device`, as in PYNQ."""
        await self.sync_from_device()

    async def free(self) -> None:
        """Give the memory back to the board; the array's content stays. A second time does nothing."""
        await self._attached().free()

    async def freebuffer(self) -> None:
        """The same as `free`, as in PYNQ."""
        await self.free()

    async def __aenter__(self) -> "Buffer":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.free()

    def pin(self, quiesce: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Keep the memory on the board while hardware uses it; calling what is returned unpins it, once or twice.

        To be called before hardware is given the address. `free`, and closing the board, first await `quiesce`, which
        must stop the hardware within a bounded time. If it raises, the memory is kept, and `free` raises the error.

            unpin = buffer.pin(channel.stop)
        """
        return self._board_side()[0].pin(quiesce)

    @property
    def physical_address(self) -> int:
        """Where the hardware finds the array's first element, as a plain value: no I/O."""
        return self._board_side()[0].physical_address + self._first_element()

    @property
    def device_address(self) -> int:
        """The same as `physical_address`."""
        return self.physical_address

    @property
    def virtual_address(self) -> int:
        """Where the board server has the array's first element mapped."""
        return self._board_side()[0].virtual_address + self._first_element()

    @property
    def cacheable(self) -> bool:
        """Whether the board's processor caches the memory."""
        return self._attached().cacheable

    @property
    def coherent(self) -> bool:
        """Whether the hardware sees the processor's cache; never so on these boards, as in PYNQ."""
        return False

    @property
    def freed(self) -> bool:
        """Whether the memory on the board was given back."""
        return self._attached().freed

    @property
    def torn(self) -> bool:
        """Whether an upload was cut off, so that the board's side is undefined until a whole one succeeds."""
        return self._attached().torn

    def _first_element(self) -> int:
        """Where the first element is in the buffer, in bytes: not the lowest one in a reversed view."""
        return int(self.__array_interface__["data"][0]) - self._start

    def _bytes(self) -> npt.NDArray[np.uint8]:
        return self.view(np.ndarray).reshape(-1).view(np.uint8)

    def _attached(self) -> BoardMemory:
        """The board's side, freed or not."""
        if self._memory is None:
            raise NoBoardMemory(
                self._board,
                "this array was computed or copied from a buffer and has no memory on the board; "
                "write it into a buffer with buffer[:] = array",
            )

        return self._memory

    def _board_side(self) -> tuple[BoardMemory, int]:
        """The board's side and where this array starts in it, in bytes; raises `BufferFreed` too."""
        memory = self._attached()
        memory.check()
        return memory, _bounds(self)[0] - self._start


def attached(array: Buffer) -> BoardMemory:
    """The memory behind a buffer, freed or not; raises `NoBoardMemory`."""
    return array._attached()  # noqa: SLF001 - for drivers; not offered to those who hold a buffer


def board_side(array: Buffer) -> tuple[BoardMemory, int]:
    """The memory behind a buffer and where the array starts in it, in bytes; raises `BufferFreed` or `StaleHandle`."""
    return array._board_side()  # noqa: SLF001


def server_life(array: Buffer) -> str:
    """Which process of the board server has the memory: another text after each restart."""
    return str(attached(array).server)


def prefix(array: Buffer) -> Buffer:
    """The bytes of the whole buffer from its start to the array's end, of shape (n,) and dtype uint8.

    Of a view that starts elsewhere, this is the least that can be written to the board.
    """
    memory, offset = board_side(array)
    store: Any = array

    while isinstance(store.base, np.ndarray):
        store = store.base

    low, high = _bounds(array)
    return Buffer(memory, (offset + high - low,), np.dtype(np.uint8), store)


def check(array: Buffer, connection: Connection) -> None:
    """Raise unless this is memory of the board at the other end of `connection`, and still there."""
    memory, _ = board_side(array)

    if not memory.belongs_to(connection):
        raise Misuse(
            connection.board,
            f"{memory} was allocated through {memory.board}; allocate one with this board's allocate",
        )


def element_type(board: str, dtype: npt.DTypeLike) -> np.dtype[Any]:
    """The dtype for a buffer; raises `Misuse` where its elements are no plain bytes."""
    try:
        kind = np.dtype(dtype)
    except TypeError as error:
        raise Misuse(board, f"{dtype!r} is no numpy dtype ({error})") from None

    if kind.hasobject or not kind.itemsize:
        raise Misuse(board, f"elements of {kind} cannot lie in a board's memory")

    return kind


def _bounds(array: npt.NDArray[Any]) -> tuple[int, int]:
    """The addresses of an array's first byte and behind its last one, on the host."""
    low = high = array.__array_interface__["data"][0]

    if not array.size:
        return low, low

    for count, stride in zip(array.shape, array.strides, strict=True):
        low += min(stride, 0) * (count - 1)
        high += max(stride, 0) * (count - 1)

    return low, high + array.itemsize
