"""Memory-mapped registers."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal, SupportsIndex, TypeAlias

import anyio
import numpy as np
import numpy.typing as npt

from ..concurrency import Pauses, deadline, for_each
from ..errors import (
    BoardRebooted,
    ConnectionLostOutcomeUnknown,
    DeadlineExceeded,
    Misaligned,
    Misuse,
    OutOfRange,
    ProtocolViolation,
    StaleHandle,
    UnknownHandle,
)
from ..wire import messages as m
from ..wire import methods
from ..wire.channel import Connection
from ..wire.locks import SharedLock
from ..wire.methods import Method, Request, Response
from .windows import Window, Windows
from .words import WordOrder as WordOrder
from .words import block_of, integer, words_of

Words: TypeAlias = npt.NDArray[np.uint32]

_LONGEST = 1 << 31  # the server keeps offsets in a C int
_HIGHEST = 1 << 63  # beyond it the server's mmap fails without a word
_WIDTH = 16  # register calls of one block under way at once


class MMIO:
    """A window of registers: `length` bytes from physical address `base`.

    Making one does no I/O; the board maps the window on first use. The board server does 32-bit accesses only, and
    loads a register **twice** for one read: a FIFO or a clear-on-read register cannot be read reliably through it.

    Within one window writes go out one at a time in the order of the calls, and a read waits for earlier writes. Its
    `name`, of the IP it belongs to, stands in errors.

        leds = board.mmio(0x4125_0000, 0x1000)
        await leds.write(0x0, 0b1010)
    """

    def __init__(
        self,
        connection: Connection,
        windows: Windows,
        base: int,
        length: int,
        *,
        lasting: bool = False,
        check: Callable[[], None] | None = None,
        order: SharedLock | None = None,
        name: str = "",
    ) -> None:
        board = connection.board
        self.name = name
        self._subject = f"{name}: " if name else ""
        self._where = board, self._subject
        self.base = integer(board, base)
        self.length = integer(board, length)
        self._lasting = lasting
        self._allowed = check

        if not 0 < self.length <= _LONGEST:
            raise OutOfRange(board, f"a register window has 4 to {_LONGEST:#x} bytes, not {self.length}")

        if self.base < 0 or self.base + self.length > _HIGHEST:
            raise OutOfRange(board, f"{self.base:#x} to {self.base + self.length:#x} is no range of physical addresses")

        if self.base % 4 or self.length % 4:
            raise Misaligned(board, "base address and length of a register window are multiples of 4")

        self._connection = connection
        self._windows = windows
        self._window: Window = windows.window(self.base, self.length)
        self._own_order = order

    def __repr__(self) -> str:
        state = "mapped" if self._window.id is not None else "not mapped yet"
        return f"<MMIO {self._connection.board} {self._subject}{self.base:#x}+{self.length:#x}, {state}>"

    async def read(self, offset: int = 0, length: int = 4, word_order: WordOrder = "little") -> int:
        """Read the unsigned value of 1, 2, 4 or 8 bytes at byte `offset`, a multiple of 4.

        8 bytes are two ordered reads and not atomic; `word_order` says which of the two words comes first. 1 and 2
        bytes are the lowest of a 32-bit read. Raises `Misuse` before anything is sent, or an `OutcomeUnknown` when the
        answer is lost: the register was perhaps read, and reads can have effects.
        """
        if length not in (1, 2, 4, 8):
            raise Misuse(
                self._connection.board, f"{self._subject}registers are read by 1, 2, 4 or 8 bytes, not {length}"
            )

        if word_order not in ("little", "big"):
            raise Misuse(
                self._connection.board, f"{self._subject}the word order is 'little' or 'big', not {word_order!r}"
            )

        offset = self._check(offset, 8 if length == 8 else 4)

        async with self._order.shared():
            first = await self._load(offset)

            if length < 8:
                return first & ((1 << 8 * length) - 1)

            second = await self._load(offset + 4)

        low, high = (first, second) if word_order == "little" else (second, first)
        return high << 32 | low

    async def write(
        self,
        offset: int,
        data: SupportsIndex | bytes | bytearray | memoryview,
        *,
        length: Literal[4, 8] = 4,
        word_order: WordOrder = "little",
    ) -> None:
        """Write an integer of any type as 4 (or with `length=8` as two times 4) bytes, or bytes in multiples of 4.

        Negative integers are written as two's complement. Words are written one after another in ascending order.
        Raises `Misuse` before anything is sent when the value does not fit, or an `OutcomeUnknown` when the answer is
        lost; it is never written again.
        """
        words = words_of(*self._where, data, length, word_order)
        offset = self._check(offset, 4 * len(words))

        async with self._order.alone():
            for index, word in enumerate(words):
                await self._store(offset + 4 * index, word)

    async def update(self, offset: int, mask: int, value: int) -> int:
        """Replace the bits under `mask` of the register at `offset` by those of `value`; returns the word written.

        No other access through this process comes between the read and the write. Raises as `read` and `write`.
        """
        board = self._connection.board
        mask, value = integer(board, mask), integer(board, value)

        if not 0 < mask <= 0xFFFF_FFFF or value & ~mask:
            raise OutOfRange(board, f"{self._subject}{value:#x} does not lie under the mask {mask:#x} of 32 bits")

        offset = self._check(offset, 4)

        async with self._order.alone():
            word = await self._load(offset) & ~mask | value
            await self._store(offset, word)

        return word

    async def read_block(self, offset: int, count: int) -> Words:
        """Read `count` registers from byte `offset` on, many at a time; returns a uint32 array of shape (count,)."""
        count = integer(self._connection.board, count)

        if count < 0:
            raise OutOfRange(self._connection.board, f"{self._subject}cannot read {count} registers")

        offset = self._check(offset, 4 * count)
        words = np.zeros(count, np.uint32)

        async def load(index: int) -> None:
            words[index] = await self._load(offset + 4 * index)

        async with self._order.shared():
            await for_each(range(count), load, width=min(count, _WIDTH))

        return words

    async def write_block(
        self,
        offset: int,
        words: Iterable[int] | npt.NDArray[np.integer] | bytes | bytearray | memoryview,
        *,
        ordered: bool = True,
    ) -> None:
        """Write 32-bit words from byte `offset` on, one after another in ascending order.

        `ordered=False` lets them overlap, which is faster and right for memories, where the order does not matter.
        Raises as `write`.
        """
        values = block_of(*self._where, words)
        offset = self._check(offset, 4 * len(values))

        async def store(index: int) -> None:
            await self._store(offset + 4 * index, values[index])

        async with self._order.alone():
            await for_each(range(len(values)), store, width=1 if ordered else min(len(values), _WIDTH))

    async def write_many(self, words: Mapping[int, SupportsIndex], *, ordered: bool = True) -> None:
        """Write a 32-bit word at each byte offset, one after another in the mapping's order.

        `ordered=False` lets them overlap, for registers that do not depend on each other. Raises as `write`.
        """
        values = {}

        for offset, word in words.items():
            (values[self._check(offset, 4)],) = words_of(
                *self._where, integer(self._connection.board, word), 4, "little"
            )

        async def store(offset: int) -> None:
            await self._store(offset, values[offset])

        async with self._order.alone():
            await for_each(values, store, width=1 if ordered else min(len(values), _WIDTH))

    async def wait_for(self, offset: int, mask: int, value: int, timeout: float) -> int:
        """Poll the register at `offset` until its bits under `mask` equal `value`; returns the whole register.

        Polls after 1 ms at first and ever slower, to every 50 ms. Raises `DeadlineExceeded` after `timeout` seconds;
        with 0 it looks once.
        """
        mask, value = integer(self._connection.board, mask), integer(self._connection.board, value)

        if not 0 < mask <= 0xFFFF_FFFF or value & ~mask:
            raise Misuse(
                self._connection.board, f"{self._subject}no register can have {value:#x} under the mask {mask:#x}"
            )

        word = await self.poll(offset, lambda word: word & mask == value, timeout)

        if word is not None and word & mask == value:
            return word

        last = "it never answered" if word is None else f"it is {word:#010x}"
        raise DeadlineExceeded(
            self._connection.board,
            f"{self._subject}the register at {self.base + offset:#x} did not become {value:#x} under {mask:#x} in "
            f"{timeout:g} s; {last}",
        )

    async def poll(self, offset: int, until: Callable[[int], bool], timeout: float) -> int | None:
        """Read the register at `offset` as `wait_for` does, until `until` of its value is true or the time is over.

        Returns what was read last, which may not be what was waited for; None when nothing was read in time.
        """
        end = deadline(self._connection.board, timeout)
        pauses = Pauses()
        word = None

        with anyio.move_on_after(timeout if timeout > 0 else None):
            while True:
                word = await self.read(offset)
                left = end - anyio.current_time()

                if until(word) or left <= 0:
                    break

                await anyio.sleep(min(pauses.next(), left))

        return word

    def guarded(self, check: Callable[[], None]) -> "MMIO":
        """The same registers with one more check, which is called before each access is sent and may raise.

        For the address of a buffer: a register of a restarted server is reached again, its buffers are gone.
        """
        allowed = self._allowed

        def both() -> None:
            if allowed is not None:
                allowed()

            check()

        return self._like(both, self._own_order)

    def lane(self) -> "MMIO":
        """The same registers with an order of their own, for a part of an IP that does not depend on the others.

        Accesses through different lanes overlap, and are not in the order of the calls.
        """
        return self._like(self._allowed, SharedLock())

    @property
    def _order(self) -> SharedLock:
        return self._own_order or self._window.order

    def _like(self, check: Callable[[], None] | None, order: SharedLock | None) -> "MMIO":
        return MMIO(
            self._connection,
            self._windows,
            self.base,
            self.length,
            lasting=self._lasting,
            check=check,
            order=order,
            name=self.name,
        )

    def _check(self, offset: int, length: int) -> int:
        """The offset as an integer that cannot wrap; raises unless the access lies in the window, and in our loop."""
        self._connection.check_loop()
        offset = integer(self._connection.board, offset)

        if offset % 4:
            raise Misaligned(self._connection.board, f"{self._subject}offset {offset:#x} is no multiple of 4")

        if offset < 0 or offset + length > self.length:
            raise OutOfRange(
                self._connection.board,
                f"{self._subject}{length} bytes at offset {offset:#x} do not lie in the {self.length:#x} bytes at "
                f"{self.base:#x}",
            )

        return offset

    async def _load(self, offset: int) -> int:
        response = await self._access(
            methods.MMIO_READ,
            lambda window, position: m.ReadRequest(mmio_id=window, offset=position, length=4, word_order="little"),
            offset,
        )

        if not response.HasField("data"):
            raise ProtocolViolation(self._connection.board, "the answer to a register read has no data")

        return response.data & 0xFFFF_FFFF  # PYNQ 3.1 sends a signed field

    async def _store(self, offset: int, word: int) -> None:
        data = word.to_bytes(4, "little")
        await self._access(
            methods.MMIO_WRITE,
            lambda window, position: m.WriteRequest(mmio_id=window, offset=position, data=data),
            offset,
        )

    async def _access(
        self, method: Method[Request, Response], request: Callable[[str, int], Request], offset: int
    ) -> Response:
        """Make one access; it is begun again only when nothing was sent because the window had to be mapped again."""
        connection, window = self._connection, self._window

        while True:
            identifier, server = await self._windows.ensure_mapped(window, lasting=self._lasting)
            position = self.base - window.base + offset

            async with connection.arbiter.windows.shared():
                if self._allowed is not None:
                    self._allowed()

                try:
                    return await connection.calls.unary(
                        method,
                        request(identifier, position),
                        changing=True,
                        admit=partial(connection.same_server, server, str(window)),
                    )
                except UnknownHandle:
                    problem = await connection.unknown_handle(server, str(window))
                except StaleHandle as stale:
                    problem = stale
                except ConnectionLostOutcomeUnknown as lost:
                    if self._lasting:
                        raise

                    raise self._perhaps_nothing_there(lost, offset) from None

            if not isinstance(problem, StaleHandle) or (isinstance(problem, BoardRebooted) and not self._lasting):
                raise problem

    def _perhaps_nothing_there(self, lost: ConnectionLostOutcomeUnknown, offset: int) -> ConnectionLostOutcomeUnknown:
        board = self._connection.board
        problem = f"{self._subject}{str(lost).removeprefix(f'{board}: ')}"
        where = f"{self.base + offset:#x}"
        return ConnectionLostOutcomeUnknown(
            board, f"{problem}; perhaps nothing answers at {where}: is its design loaded?"
        )
