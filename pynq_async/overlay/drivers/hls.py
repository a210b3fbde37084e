"""Kernels made by Vitis HLS."""

import asyncio
from collections.abc import Callable
from functools import partial
from inspect import Signature
from typing import Any

import anyio

from ...board.buffer import Buffer
from ...errors import DeadlineExceeded, Misuse, NotInDesign, NotSupported, StaleHandle
from ...hardware import hls
from ..ip import DefaultIP, IpDescription
from .hls_arguments import Word, bind, signature

_SHARE = 0.9  # of the time is an interrupt waited for; then the kernel is looked at, since one may have been lost
_QUIET = 5.0  # seconds that freeing a buffer waits for the kernel that works on it
_SHORT = 0.2  # ... if a wait for it was in vain already


class HlsKernel(DefaultIP):
    """A kernel with the control protocol `ap_ctrl_hs` or `ap_ctrl_chain` (UG1399), called like a function.

    ::

        scale = overlay.scale_0
        await source.sync_to_device()                   # a call does not sync buffers, a DMA transfer does
        total = await scale.call(source, target, n=16)  # gives the function's return value
        await target.sync_from_device()
        largest = await scale.get("largest")            # what it returned through a pointer

        resize = overlay.resize_accel_0                 # a kernel with streams is started before its data comes
        await resize.start(480, 640, dst_rows=240, dst_cols=320)
        ...
        await resize.wait(timeout=1.0)

    Arguments are integers, numpy scalars (`numpy.float32` and `float64` go as their bits), and buffers where the
    function takes a pointer. What a kernel is given stays allocated until it has finished: freeing waits for that, 5 s
    in all, and raises `DeadlineExceeded` while the kernel still runs.

    The board server loads a register twice for one read, and AP_DONE is cleared by the first load. So the end of a run
    is seen by AP_IDLE, which stays; the kernel's interrupt, where it has one, says when to look.

    Attributes:
        arguments: what the host passes, by name, in the order of their addresses.
        results: what it can read with `get`.
    """

    def __init__(self, description: IpDescription) -> None:
        super().__init__(description)
        described = hls.arguments(description.registers)
        self.arguments = {name: one for name, one in described.items() if one.writable}
        self.results = {name: one for name, one in described.items() if not one.writable}
        self._chained = hls.is_chained(description.registers)
        self._runs = asyncio.Lock()
        # Whether a run may be under way, or not acknowledged. Who used the board before may have left one.
        self._unfinished = True
        self._restarting = False
        self._patience = _QUIET  # of who frees a buffer; there is none left once one has waited
        self._pinned: list[Callable[[], None]] = []
        self._pin = self.interrupts.get(hls.INTERRUPT_PIN)
        self._pin_enabled = False

    @staticmethod
    def fits(description: IpDescription) -> bool:
        """Whether an IP has an HLS kernel's control register."""
        return hls.is_kernel(description.registers)

    @property
    def signature(self) -> Signature:
        """The arguments of `call` and `start`, by position and by name."""
        return signature(self.arguments.values())

    async def call(self, *args: object, timeout: float = 10.0, **kwargs: object) -> int | None:
        """Write the arguments, start the kernel and wait until it has finished.

        Without any argument the registers stay as they are; one called `timeout` goes by position. Returns the
        function's return value as an unsigned integer, or None if it has none. Buffers are not synced: await
        `sync_to_device` of what the kernel reads before, and `sync_from_device` of what it writes after. Calls of
        several tasks come one after another. After a timeout or a cancellation the kernel is still running: hardware
        cannot be stopped.

        Raises `Misuse` for arguments that cannot be right, before any register is touched, `Misuse` when an earlier run
        is still under way, and `DeadlineExceeded` when this one takes longer than `timeout` seconds.
        """
        words, buffers = self._bound(args, kwargs)
        self._check_seconds(timeout)

        async with self._runs:
            await self._begin(words, buffers, hls.AP_START)
            await self._until_over(timeout)
            await self._acknowledge()
            return await self._value(hls.RETURN_VALUE) if hls.RETURN_VALUE in self.results else None

    async def start(self, *args: object, **kwargs: object) -> None:
        """Write the arguments and start the kernel; raises as `call`. Without arguments they stay as they are."""
        words, buffers = self._bound(args, kwargs)

        async with self._runs:
            await self._begin(words, buffers, hls.AP_START)

    async def auto_restart(self, on: bool, /, *args: object, **kwargs: object) -> None:
        """Start the kernel over and over, or let the run that is under way be the last; then `wait` for its end."""
        words, buffers = self._bound(args, kwargs)

        async with self._runs:
            if on:
                await self._begin(words, buffers, hls.AP_START | hls.AUTO_RESTART)
            else:
                await self._stop_restarting()

    async def wait(self, timeout: float = 10.0) -> None:
        """Wait until the kernel has finished; at once when it is not running.

        Raises `DeadlineExceeded` after `timeout` seconds, `Misuse` when it restarts by itself.
        """
        self._check_seconds(timeout)

        if self._restarting:
            raise Misuse(
                self.board.name, f"{self.name} starts over and over and never ends; await auto_restart(False) first"
            )

        end = anyio.current_time() + timeout

        if not await self._had_turn(timeout):
            raise DeadlineExceeded(self.board.name, f"{self.name} did not finish in {timeout:g} s: a call is under way")

        try:
            await self._until_over(timeout, end)
            await self._acknowledge()
        finally:
            self._runs.release()

    async def done(self) -> bool:
        """Whether the last run has finished; True before the first."""
        return self._is_over(await self.read(hls.CTRL))

    async def idle(self) -> bool:
        """Whether the kernel does nothing (AP_IDLE)."""
        return bool(await self.read(hls.CTRL) & hls.AP_IDLE)

    async def ready(self) -> bool:
        """Whether the kernel has taken its inputs and could be started again (AP_START is cleared by then)."""
        return not await self.read(hls.CTRL) & hls.AP_START

    async def get(self, name: str) -> int:
        """Read a result by name, as an unsigned integer: `numpy.uint32(value).view("f4")` for a float."""
        if name not in self.results:
            there = f"its results are {', '.join(self.results)}" if self.results else "it has none"
            raise NotInDesign(self.board.name, f"{self.name} has no result {name!r}; {there}")

        return await self._value(name)

    def _bound(self, args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[list[Word], list[Buffer]]:
        if not args and not kwargs:
            return [], []

        return bind(self.board, self.name, self.arguments.values(), args, kwargs)

    async def _begin(self, words: list[Word], buffers: list[Buffer], command: int) -> None:
        if self._unfinished:
            if not self._is_over(await self.read(hls.CTRL)):
                raise Misuse(self.board.name, f"{self.name} is still running; await wait() before it is started again")

            await self._acknowledge()

        def check() -> None:
            for buffer in buffers:
                self.board.check_buffer(buffer)

        await self._ready()
        registers = self.mmio.guarded(check)

        try:
            for buffer in buffers:
                self._pinned.append(buffer.pin(partial(self._quiesce, buffer.physical_address)))

            for offset, word in words:
                await registers.write(offset, word)
        except BaseException:
            self._unpin()
            raise

        # From here on it may be running, whatever comes of the write.
        self._unfinished, self._restarting = True, bool(command & hls.AUTO_RESTART)
        self._patience = _QUIET
        await registers.write(hls.CTRL, command)

    async def _stop_restarting(self) -> None:
        await self.write(hls.CTRL, 0)
        self._restarting = False

    async def _until_over(self, timeout: float, end: float | None = None) -> None:
        await self._ready()
        end = anyio.current_time() + timeout if end is None else end
        left = end - anyio.current_time()

        if self._pin is not None and left > 0 and await self._interrupted(self._pin, _SHARE * left):
            return

        left = end - anyio.current_time()
        word = await (self.mmio.poll(hls.CTRL, self._is_over, left) if left > 0 else self.read(hls.CTRL))

        if word is None or not self._is_over(word):
            self._patience = min(self._patience, _SHORT)
            last = "it never answered" if word is None else f"its CTRL register is {word:#x}"
            raise DeadlineExceeded(self.board.name, f"{self.name} did not finish in {timeout:g} s; {last}")

    async def _interrupted(self, pin: Any, timeout: float) -> bool:
        """Wait for the interrupt of a run's end, unless that is seen to have come; gives whether it was seen."""
        with anyio.move_on_after(timeout):
            if self._is_over(await self.read(hls.CTRL)):
                return True

            try:
                if not self._pin_enabled:
                    await pin.listen()
                    await self.write(hls.IP_IER, hls.DONE_INTERRUPT)
                    await self.write(hls.GIER, hls.ENABLE)
                    self._pin_enabled = True
                elif raised := await self.read(hls.IP_ISR):  # of an earlier run; with ap_ctrl_chain reading clears it
                    await self.write(hls.IP_ISR, raised)

                # It may have ended before the interrupt was enabled.
                if self._is_over(await self.read(hls.CTRL)):
                    return True

                await pin.wait(timeout=None)
            except NotSupported:
                self._pin = None

        return False

    async def _acknowledge(self) -> None:
        """Take note that a run is over."""
        if self._chained:
            await self.write(hls.CTRL, hls.AP_CONTINUE)

        self._unfinished = False
        self._unpin()

    async def _quiesce(self, address: int) -> None:
        """Wait until the kernel works on no buffer any more; for one that hangs, once and not for each buffer."""
        patience, self._patience = self._patience, 0.0
        end = anyio.current_time() + patience
        still_runs = DeadlineExceeded(
            self.board.name,
            f"{self.name} still runs and may use the buffer at {address:#x}, which was to be freed and stays "
            "allocated; load the overlay again to stop it",
        )

        if not await self._had_turn(patience):
            raise still_runs

        try:
            if self._unfinished:
                if self._restarting:
                    await self._stop_restarting()

                if not await self._ends_at_last(max(end - anyio.current_time(), 0)):
                    raise still_runs

                await self._acknowledge()
        except StaleHandle:  # the kernel itself is no more
            self._unpin()
        finally:
            self._runs.release()

    async def _ends_at_last(self, patience: float) -> bool:
        if not patience:
            return self._is_over(await self.read(hls.CTRL))

        try:
            await self._until_over(patience)
        except DeadlineExceeded:
            return False

        return True

    async def _had_turn(self, seconds: float) -> bool:
        """Wait until no other task is at the kernel; gives whether that came in time, and the turn is ours."""
        if not self._runs.locked():
            await self._runs.acquire()
            return True

        try:
            async with asyncio.timeout(seconds):
                await self._runs.acquire()
        except TimeoutError:
            return False

        return True

    def _check_seconds(self, timeout: object) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise Misuse(self.board.name, f"{self.name}: the timeout is a number of seconds, not {timeout!r}")

    def _unpin(self) -> None:
        pinned, self._pinned = self._pinned, []

        for unpin in pinned:
            unpin()

    def _is_over(self, control: int) -> bool:
        # AP_START stays until the arguments are taken. A chained kernel may not be idle before it is acknowledged.
        over = control & (hls.AP_START | hls.AP_IDLE) == hls.AP_IDLE
        return over or (self._chained and bool(control & hls.AP_DONE))

    async def _value(self, name: str) -> int:
        result = self.results[name]
        words = [await self.read(offset) for offset in result.offsets]
        value = sum(word << 32 * index for index, word in enumerate(words))
        return value & (1 << result.width) - 1
