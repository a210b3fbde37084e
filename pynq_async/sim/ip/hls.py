"""Kernels made by Vitis HLS, carried out by Python functions."""

import warnings
from collections.abc import Callable, Generator, Mapping
from typing import Any

from ...errors import SimulationError
from ...hardware import hls
from .kernel_call import KernelCall
from .model import IpModel
from .site import Site

_PAUSE = 0.001  # seconds between the runs of a kernel that restarts by itself


class HlsModel(IpModel):
    """A kernel (UG1399, "S_AXILITE Control Register Map") that runs the function given for it.

    It runs when it was started and a packet waits at each of its connected inputs, and has finished when its function
    returned and all it sent was taken. One without a function is busy for ever once it is started, and so is one whose
    function failed, of which `failure` has the exception; there is a `RuntimeWarning` of both. One without the control
    register (`ap_ctrl_none`) runs whenever there is something at its inputs.

    With `ap_ctrl_hs`, reading CTRL clears AP_DONE; a client's read loads twice, so it never sees it (H10). With
    `ap_ctrl_chain`, AP_DONE stands until AP_CONTINUE is written, and reading IP_ISR clears it.

    Attributes:
        started: how many runs were begun.
        finished: how many of them have ended.
        failure: what the function raised.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.started = 0
        self.finished = 0
        self.failure: Exception | None = None
        self._described = hls.arguments(site.registers)
        self._valid = {
            name.removesuffix(hls.VALID_SUFFIX): int(entry["address_offset"])
            for name, entry in site.registers.items()
            if name.endswith(hls.VALID_SUFFIX)
        }
        self._chained = hls.is_chained(site.registers)
        self._free_running = not hls.is_kernel(site.registers)
        self._start = self._auto_restart = self._free_running
        self._done = self._ready = self._running = self._returned = False
        self._untaken = 0
        self._enabled = self._interrupts = self._raised = 0
        self._line = site.line(hls.INTERRUPT_PIN)
        self._inputs = [site.stream(port) for port in site.inputs]

        for stream in self._inputs:
            stream.on_offer(self._run)

        if self._free_running:
            site.later(0, self._run)

    def load(self, offset: int) -> int:
        """Give a register, and clear what reading clears."""
        if self._free_running:
            return super().load(offset)

        if offset == hls.CTRL:
            word = self._control()
            self._ready = False
            self._done = self._done and self._chained
            return word

        if offset == hls.GIER:
            return self._enabled

        if offset == hls.IP_IER:
            return self._interrupts

        if offset == hls.IP_ISR:
            word = self._raised

            if self._chained:
                # As long as the end of a run is not acknowledged, its interrupt comes again.
                self._raise(self._interrupts & hls.DONE_INTERRUPT if self._done else 0)

            return word

        word = super().load(offset)

        if offset in self._valid.values():
            self.words[offset] = 0

        return word

    def store(self, offset: int, word: int) -> None:
        """Take a register; AP_START begins a run when its inputs are there."""
        if self._free_running or offset >= hls.FIRST_ARGUMENT:
            super().store(offset, word)
        elif offset == hls.CTRL:
            self._auto_restart = bool(word & hls.AUTO_RESTART)
            self._start = self._start or bool(word & hls.AP_START)
            self._done = self._done and not (self._chained and word & hls.AP_CONTINUE)
            self._run()

            if word & hls.AP_START and self.site.kernel is None:
                self._warn_of_no_function()
        elif offset == hls.GIER:
            self._enabled = word & hls.ENABLE
            self._raise(self._raised)
        elif offset == hls.IP_IER:
            self._interrupts = word & (hls.DONE_INTERRUPT | hls.READY_INTERRUPT)
        elif offset == hls.IP_ISR and not self._chained:
            self._raise(self._raised ^ word & (hls.DONE_INTERRUPT | hls.READY_INTERRUPT))

    def _control(self) -> int:
        bits = {
            hls.AP_START: self._start,
            hls.AP_DONE: self._done,
            hls.AP_IDLE: not (self._start or self._running),
            hls.AP_READY: self._ready,
            hls.AUTO_RESTART: self._auto_restart,
            hls.INTERRUPT: self._enabled and self._raised,
        }
        return sum(bit for bit, is_set in bits.items() if is_set)

    def _run(self) -> None:
        """Begin a run if all that it needs is there."""
        kernel = self.site.kernel

        if self._running or not self._start or (self._done and self._chained) or kernel is None:
            return

        if not all(stream.waiting for stream in self._inputs):
            return

        self.started += 1
        self._running, self._returned = True, False
        call = KernelCall(self.site, self._arguments(), self._sent)

        try:
            result = kernel(call)
        except Exception as error:
            self._fail(error)
            return

        if isinstance(result, Generator):
            self._go_on(result, call)
        else:
            self._end(call, result)

    def _go_on(self, steps: Generator[float, None, Any], call: KernelCall) -> None:
        try:
            seconds = next(steps)
        except StopIteration as end:
            self._end(call, end.value)
        except Exception as error:
            self._fail(error)
        else:
            self.site.later(seconds, lambda: self._go_on(steps, call))

    def _end(self, call: KernelCall, result: int | None) -> None:
        """Take what the function returned; the run is over when all it sent is taken."""
        try:
            self._put(call.outputs if result is None else call.outputs | {hls.RETURN_VALUE: result})
        except Exception as error:
            self._fail(error)
        else:
            self._returned = True
            self._settle()

    def _put(self, results: Mapping[str, int]) -> None:
        for name, value in results.items():
            place = self._described.get(name)

            if place is None or place.writable:
                raise SimulationError(f"{self.site.name} has no result {name!r} that could be {value}")

            for index, offset in enumerate(place.offsets):
                self.words[offset] = (int(value) & (1 << place.width) - 1) >> 32 * index & 0xFFFF_FFFF

            if name in self._valid:
                self.words[self._valid[name]] = 1

    def _sent(self) -> Callable[[], None]:
        """Count a packet until what is returned is called."""
        self._untaken += 1

        def taken() -> None:
            self._untaken -= 1
            self._settle()

        return taken

    def _settle(self) -> None:
        if not self._running or not self._returned or self._untaken:
            return

        self.finished += 1
        self._running = False
        self._start = self._auto_restart
        # While it restarts by itself, single runs do not show.
        self._done = self._ready = not self._auto_restart
        self._raise(self._raised | self._interrupts)

        if self._start:
            self.site.later(_PAUSE, self._run)

    def _fail(self, error: Exception) -> None:
        self.failure = error
        warnings.warn(
            f"{self.site.name}: its function failed: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2
        )

    def _warn_of_no_function(self) -> None:
        name = self.site.name
        warnings.warn(
            f"{name}: a kernel without a function was started and is busy for ever; give it one with "
            f"SimDesign(kernels={{{name!r}: function}}), or --kernel {name}=module:function",
            RuntimeWarning,
            stacklevel=2,
        )

    def _raise(self, raised: int) -> None:
        self._raised = raised
        self._line(bool(self._enabled and raised))

    def _arguments(self) -> dict[str, int]:
        return {
            argument.name: sum(self.words.get(offset, 0) << 32 * index for index, offset in enumerate(argument.offsets))
            & (1 << argument.width) - 1
            for argument in self._described.values()
            if argument.writable
        }
