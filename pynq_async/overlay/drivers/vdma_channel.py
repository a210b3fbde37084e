"""One direction of an AXI VDMA: its mode, its frame stores, starting and stopping."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import anyio
import numpy as np
import numpy.typing as npt

from ...board.device import RemoteDevice
from ...board.mmio import MMIO
from ...concurrency import acquired, deadline, to_the_end
from ...errors import (
    BoardError,
    BoardRebooted,
    DeadlineExceeded,
    DesignReplaced,
    HardwareError,
    Misaligned,
    Misuse,
    NotSupported,
    OutOfRange,
)
from ...hardware import axi_vdma as regs
from .video_mode import VideoMode

if TYPE_CHECKING:
    from ...board.buffer import Buffer

Frame = npt.NDArray[np.uint8]

_HALT = 0.1  # for a channel to end its frame
_RESET = 1.0
_SLICE = 0.1  # between looks at the status while waiting for a frame store
_STORES = 2  # in use: one that the hardware is parked on, and one that it leaves alone

_FATAL = {
    regs.DECODE_ERROR: "it was given an address without memory (VDMADecErr)",
    regs.SLAVE_ERROR: "the memory refused an access (VDMASlvErr)",
    regs.INTERNAL_ERROR: "it had an internal error (VDMAIntErr)",
}


@dataclass(frozen=True, slots=True)
class VdmaSettings:
    """What a channel is in this design.

    Attributes:
        name: as it stands in errors: `video/axi_vdma.readchannel`.
        registers: where its registers are.
        stores: number of frame stores.
        alignment: what the stride must be a multiple of, in bytes.
        address_bits: width of its addresses.
    """

    name: str
    registers: regs.VdmaRegisters
    stores: int
    alignment: int
    address_bits: int


class VdmaChannel:
    """A channel of a VDMA; made by `AxiVDMA`, as its `readchannel` and `writechannel`.

    The hardware is parked on one of two frame stores, and sent to the other one at the end of a frame. Both are memory
    of the board that belongs to the channel from `start` to `stop`.

        channel.mode = VideoMode(1280, 720, 24)

        async with channel:
            ...

    Attributes:
        cacheable_frames: whether the frame stores' memory is cached by the board's processor, which makes moving frames
            over the network faster; counts from the next start on.
    """

    def __init__(self, board: RemoteDevice, mmio: MMIO, settings: VdmaSettings) -> None:
        self.board = board
        self.cacheable_frames = True
        self.registers = settings.registers
        self._settings = settings
        self._mmio = mmio
        self._guarded = mmio.guarded(self._check)
        self._mode: VideoMode | None = None
        self._frames: list[Buffer] = []
        self._unpin: list[Callable[[], None]] = []
        self._started = False
        self._parked = 0
        self._settled = False  # whether it is known what the hardware does
        self._turn = asyncio.Lock()  # starting and stopping
        self._busy = asyncio.Lock()  # one frame at a time

    def __str__(self) -> str:
        return self._settings.name

    def __repr__(self) -> str:
        state = "started" if self._started else "stopped"
        return f"<{type(self).__name__} {self} of {self.board.name}, {self._mode}, {state}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def mode(self) -> VideoMode | None:
        """The size of the frames; set it before `start`, in place.

        Setting it raises `OutOfRange` for a mode that the registers cannot hold, `Misaligned` for a stride that the
        design's memory port cannot have, and `Misuse` while the channel is started.
        """
        return self._mode

    @mode.setter
    def mode(self, mode: VideoMode) -> None:
        if not isinstance(mode, VideoMode):
            raise Misuse(self.board.name, f"{self}: {mode!r} is no VideoMode")

        if self._frames:
            raise Misuse(self.board.name, f"{self}: stop the channel before giving it another mode")

        for what, value, field in (
            ("lines", mode.height, regs.LINES),
            ("bytes in a line", mode.bytes_per_line, regs.BYTES),
            ("bytes from line to line", mode.stride, regs.STRIDE),
        ):
            if value >= 1 << field.width:
                most = (1 << field.width) - 1
                raise OutOfRange(self.board.name, f"{self} has at most {most} {what}, not {value}")

        if mode.stride % self._settings.alignment:
            raise Misaligned(
                self.board.name,
                f"{self}: the stride must be a multiple of {self._settings.alignment} bytes in this design, not "
                f"{mode.stride}; give VideoMode a larger stride",
            )

        self._mode = mode

    async def start(self) -> None:
        """Reset the channel, give it memory for its frames and start it; does nothing if it is started.

        Raises `Misuse` without a mode, `AllocationError`, or `NotSupported` for a design with a single frame store or
        with addresses of more than 32 bits.
        """
        mode = self._given_mode()

        if self._settings.stores < _STORES:
            raise NotSupported(self.board.name, f"{self}: frames need two frame stores, and this design has one")

        if self._settings.address_bits > 32:
            raise NotSupported(
                self.board.name, f"{self}: addresses of {self._settings.address_bits} bits are not supported, only 32"
            )

        async with self._turn:
            if self._started:
                return

            await to_the_end(self._release())  # frame stores of a server that is gone

            try:
                for _ in range(_STORES):
                    self._frames.append(
                        await self.board.allocate((mode.height, mode.stride), "u1", cacheable=self.cacheable_frames)
                    )

                await self._prepare()
                await self._reset()
                self._unpin = [frame.pin(self._quiesce) for frame in self._frames]
                self._started = True
                self._settled = False
                await self._configure(mode)
            except BaseException:
                with suppress(BoardError):  # what could not be stopped keeps its memory; stop() tries again
                    await to_the_end(self._release())

                raise

    async def stop(self) -> None:
        """Stop the channel and free its frame stores; does nothing if it is stopped.

        A frame under way is completed, unless that takes longer than 0.1 s: then the channel is reset.
        """
        async with self._turn:
            if self._frames:
                await to_the_end(self._release())

    async def running(self) -> bool:
        """Whether the hardware runs; one read of VDMASR."""
        return not await self._mmio.read(self.registers.status) & regs.HALTED

    @asynccontextmanager
    async def _one_frame(self, timeout: float) -> AsyncIterator[float]:
        """Be the one task that moves a frame; yields when the time for it is over."""
        end = deadline(self.board.name, timeout)

        if not await acquired(self._busy, timeout):
            raise DeadlineExceeded(
                self.board.name, f"{self}: another task still reads or writes a frame after {max(timeout, 0):g} s"
            )

        try:
            yield end
        finally:
            self._busy.release()

    async def _prepare(self) -> None:
        """Bring to the board what is in the frame stores at first."""

    async def _configure(self, mode: VideoMode) -> None:
        # In the order of PG020, "Programming Sequence"; all frame stores have memory, whichever the hardware goes to.
        own, registers = self.registers, self._guarded
        count = min(self._settings.stores, regs.MOST_STORES)
        addresses = [self._frames[index % _STORES].physical_address for index in range(count)]
        await registers.write(own.control, regs.FRAME_COUNT.put(regs.RUN, 1))
        await registers.write_block(own.addresses, addresses)
        await registers.write(own.stride, mode.stride)
        await registers.write(own.horizontal, mode.bytes_per_line)
        await self._park_on(0)
        await registers.write(own.vertical, mode.height)

    async def _park_on(self, store: int) -> None:
        await self._guarded.update(regs.PARK_PTR, self.registers.parked.mask, self.registers.parked.put(0, store))

    async def _release(self) -> None:
        if self._started:
            await self._quiesce()

        frames, self._frames = self._frames, []

        for frame in frames:
            with suppress(BoardError):  # what cannot be freed now is freed by the next allocation
                await frame.free()

    async def _quiesce(self) -> None:
        """Stop the hardware, so that its memory can be freed; raises when it cannot be stopped."""
        with suppress(DesignReplaced, BoardRebooted):  # then it is not there any more
            await self._mmio.write(self.registers.control, 0)
            status = await self._mmio.poll(self.registers.status, lambda word: bool(word & regs.HALTED), _HALT)

            if status is None or not status & regs.HALTED:
                await self._reset()

        self._started = False

        for unpin in self._unpin:
            unpin()

    async def _reset(self) -> None:
        control = self.registers.control
        await self._mmio.write(control, regs.RESET)
        word = await self._mmio.poll(control, lambda word: not word & regs.RESET, _RESET)

        if word is None or word & regs.RESET:
            raise DeadlineExceeded(
                self.board.name,
                f"{self} was not reset within {_RESET:g} s; are the clocks of its stream and its memory running?",
            )

    def _given_mode(self) -> VideoMode:
        if self._mode is None:
            raise Misuse(self.board.name, f"{self} has no mode: set its mode to a VideoMode before it is started")

        return self._mode

    def _running_mode(self) -> VideoMode:
        mode = self._given_mode()

        if not self._started:
            self._check_frames()
            raise Misuse(self.board.name, f"{self} is not started; await start() first")

        return mode

    def _check_frames(self) -> None:
        for frame in self._frames:
            self.board.check_buffer(frame)

    def _check(self) -> None:
        """Raise when the frame stores are not there any more."""
        self._check_frames()

        if not self._started:
            raise HardwareError(self.board.name, f"{self} was stopped")

    async def _status(self) -> int:
        """Read VDMASR; raises `HardwareError` when the channel has halted."""
        status = await self._guarded.read(self.registers.status)
        self._check_status(status)
        return status

    def _check_status(self, status: int) -> None:
        if status & (regs.HALTED | regs.BUS_ERRORS):
            reasons = [words for bit, words in _FATAL.items() if status & bit] or ["somebody else stopped it"]
            raise HardwareError(
                self.board.name, f"{self} has halted: {' and '.join(reasons)}; stop the channel and start it again"
            )

    async def _clear(self) -> None:
        """Forget the errors and the frames that were flagged."""
        await self._guarded.write(self.registers.status, regs.CLEARED_BY_ONE)

    async def _find_store(self) -> None:
        """Learn where the hardware was told to be."""
        self._parked = self.registers.parked.of(await self._guarded.read(regs.PARK_PTR)) % _STORES

    async def _arrived(self, end: float) -> int | None:
        """Wait until the hardware works on the store where it is parked; the errors on the way, None if it does not.

        While an error is flagged the hardware does not say where it is (PG020, PARK_PTR_REG).
        """
        current = self.registers.current
        errors = 0

        while True:
            left = end - anyio.current_time()
            word = await self._guarded.poll(
                regs.PARK_PTR, lambda word: current.of(word) == self._parked, max(min(left, _SLICE), 0.001)
            )

            if word is not None and current.of(word) == self._parked:
                return errors

            if flagged := await self._status() & regs.FRAME_ERRORS:
                errors |= flagged
                await self._clear()

            if left <= _SLICE:
                return None
