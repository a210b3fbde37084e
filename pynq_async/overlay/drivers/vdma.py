"""The AXI Video DMA (PG020): frames of video to and from AXI4-Streams."""

from typing import Any, ClassVar

import anyio
import numpy as np
import numpy.typing as npt

from ...errors import BufferFreed, DeadlineExceeded, HardwareError, Misuse, NotInDesign
from ...hardware import axi_vdma as regs
from ..ip import DefaultIP, IpDescription
from .vdma_channel import Frame, VdmaChannel, VdmaSettings

_TIMEOUT = 5.0

_MEANINGS = {
    regs.SOF_EARLY: "fewer lines than the mode (SOFEarlyErr)",
    regs.SOF_LATE: "more lines than the mode (SOFLateErr)",
    regs.EOL_EARLY: "shorter lines than the mode (EOLEarlyErr)",
    regs.EOL_LATE: "longer lines than the mode (EOLLateErr)",
    regs.INTERNAL_ERROR: "another size than the mode (VDMAIntErr)",
}


class S2MMChannel(VdmaChannel):
    """The channel that captures: from stream to memory."""

    async def readframe(self, timeout: float = _TIMEOUT) -> Frame:
        """Read the frame that is complete next, as an array of `mode.shape` and uint8.

        The hardware goes on with another frame store meanwhile and does not touch this one; frames that come while
        nobody reads are dropped. Frames of another size, or with an error flagged since the last one, are skipped.
        Raises `Misuse` when the channel is not started, `HardwareError` when the channel halts or only such frames
        come, `DeadlineExceeded` when none comes in `timeout` seconds, in which other tasks may take theirs.
        """
        mode = self._running_mode()

        async with self._one_frame(timeout) as end:
            frames = self._frames
            taken = frames[await self._capture(end, timeout)]

            try:
                await taken.sync_from_device()
            except BufferFreed:
                raise HardwareError(self.board.name, f"{self} was stopped") from None

            lines = np.array(taken.view(np.ndarray)[:, : mode.bytes_per_line])

        return lines.reshape(mode.shape)

    async def _capture(self, end: float, timeout: float) -> int:
        """Send the hardware to the other store once a good frame is in this one; the store that holds it."""
        errors = 0

        while anyio.current_time() < end:
            if not self._settled and not await self._settle(end):
                break

            if (status := await self._frame_done(end)) is None:
                break

            if flagged := status & regs.FRAME_ERRORS:
                self._settled = False
                errors |= flagged
                continue

            taken, self._parked = self._parked, 1 - self._parked
            self._settled = False
            await self._park_on(self._parked)
            met = await self._arrived(end)

            if met is None:
                break

            flagged = met | await self._status() & regs.FRAME_ERRORS
            errors |= flagged

            if not flagged:
                await self._clear()
                self._settled = True
                return taken

        if errors:
            kinds = " and ".join(words for bit, words in _MEANINGS.items() if errors & bit)
            raise HardwareError(self.board.name, f"{self}: only frames with {kinds} came in {timeout:g} s")

        raise DeadlineExceeded(
            self.board.name, f"{self}: no frame came within {timeout:g} s; does its stream carry video?"
        )

    async def _settle(self, end: float) -> bool:
        """Wait for the end of a frame that may have begun before errors were cleared; False if the time is over."""
        await self._find_store()

        if await self._arrived(end) is None:
            return False

        await self._clear()

        if await self._frame_done(end) is None:
            return False

        await self._clear()
        self._settled = True
        return True

    async def _frame_done(self, end: float) -> int | None:
        """Wait until a frame is complete; the status then, None if the time is over."""
        over = regs.FRAME_COUNT_IRQ | regs.HALTED
        left = end - anyio.current_time()
        status = await self._guarded.poll(self.registers.status, lambda word: bool(word & over), max(left, 0.001))

        if status is not None:
            self._check_status(status)

        return status if status is not None and status & regs.FRAME_COUNT_IRQ else None


class MM2SChannel(VdmaChannel):
    """The channel that displays: from memory to stream. It shows the frame that was written last, again and again."""

    def newframe(self) -> Frame:
        """A black frame to draw into, of `mode.shape` and uint8; an array of the host, with no I/O."""
        return np.zeros(self._given_mode().shape, np.uint8)

    async def writeframe(self, frame: npt.ArrayLike, timeout: float = _TIMEOUT) -> None:
        """Show a frame of `mode.shape` and uint8 from the next frame on; it is copied, and can be changed afterwards.

        Waits first until the frame that was written before is on display. Raises `Misuse` for another shape or type, or
        when the channel is not started, `HardwareError` when the channel halts, `DeadlineExceeded` when the display
        takes no frame in `timeout` seconds.
        """
        mode = self._running_mode()
        picture = np.asarray(frame)

        if picture.shape != mode.shape or picture.dtype != np.uint8:
            raise Misuse(
                self.board.name,
                f"{self} shows frames of shape {mode.shape} and uint8, not {picture.shape} and {picture.dtype}",
            )

        async with self._one_frame(timeout) as end:
            if not self._settled:
                await self._find_store()
                self._settled = True

            if await self._arrived(end) is None:
                raise DeadlineExceeded(
                    self.board.name,
                    f"{self}: the last frame is not on display after {timeout:g} s; does anything take the stream?",
                )

            store = 1 - self._parked
            memory = self._frames[store]
            memory.view(np.ndarray)[:, : mode.bytes_per_line] = picture.reshape(mode.height, -1)
            await memory.sync_to_device()
            self._settled = False
            await self._park_on(store)
            self._parked, self._settled = store, True

    async def _prepare(self) -> None:
        await self._frames[0].sync_to_device()  # black


class AxiVDMA(DefaultIP):
    """A Video DMA.

        vdma = overlay.video.axi_vdma
        vdma.readchannel.mode = vdma.writechannel.mode = VideoMode(1280, 720, 24)

        async with vdma.readchannel as camera, vdma.writechannel as display:
            await display.writeframe(255 - await camera.readframe())

    Attributes:
        readchannel: captures, from stream to memory (S2MM); only if the design includes it, as with the other one.
        writechannel: displays, from memory to stream (MM2S).
        framecount: number of frame stores in the design.
    """

    bindto = ("xilinx.com:ip:axi_vdma",)
    _channels: ClassVar = {"readchannel": (S2MMChannel, regs.S2MM), "writechannel": (MM2SChannel, regs.MM2S)}

    readchannel: S2MMChannel
    writechannel: MM2SChannel

    def __init__(self, description: IpDescription) -> None:
        super().__init__(description)
        self.framecount = self._number(regs.STORES, regs.DEFAULT_STORES)

        for name, (channel, registers) in self._channels.items():
            if self._number(regs.INCLUDE.format(registers.name), 1):
                settings = VdmaSettings(
                    name=f"{self.name}.{name}",
                    registers=registers,
                    stores=self.framecount,
                    alignment=self._alignment(registers.name),
                    address_bits=self._number(regs.ADDRESS_WIDTH.format(registers.name), 32),
                )
                setattr(self, name, channel(self.board, self.mmio, settings))

    def __getattr__(self, name: str) -> Any:
        if name in self._channels and "description" in self.__dict__:
            left_out = self._channels[name][1].name
            raise NotInDesign(self.board.name, f"{self.name} has no {name}: the design leaves {left_out} out")

        return super().__getattr__(name)

    def _alignment(self, channel: str) -> int:
        """What addresses must be multiples of (PG020, "Allow Unaligned Transfers"), in bytes."""
        realigns = self._number(regs.REALIGNS.format(channel), 0)
        return 1 if realigns else self._number(regs.DATA_WIDTH.format(channel), 32) // 8

    def _number(self, parameter: str, default: int) -> int:
        return int(self.parameters.get(parameter, default))
