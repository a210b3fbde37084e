"""Boards with an HLS kernel in their fabric, for the tests of its driver."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

from pynq_async import Overlay, RemoteDevice, Timeouts
from pynq_async.bitstream import SyntheticIp, synthetic_kernel
from pynq_async.overlay import HlsKernel
from pynq_async.sim import KernelCall, SimBoard, SimDesign
from tests.boards import simulated
from tests.designs import design, firmware

KERNEL = 0x43C0_0000
ADD = synthetic_kernel("add", KERNEL, {"a": 32, "b": 32}, results={"ap_return": 32})
CHAINED = synthetic_kernel("add", KERNEL, {"a": 32, "b": 32}, results={"ap_return": 32}, chained=True)
COPY = synthetic_kernel("copy", KERNEL, {"to": 64, "source": 64, "count": 32}, results={"copied": 32})
MIXED = synthetic_kernel(
    "mixed", KERNEL, {"small": 10, "x": 32, "y": 64, "flag": 1, "lambda": 8}, results={"sum": 64, "sign": 1}
)


def add(call: KernelCall) -> int:
    return call.arguments["a"] + call.arguments["b"]


def copy(call: KernelCall) -> None:
    arguments = call.arguments
    call.write(arguments["to"], call.read(arguments["source"], arguments["count"]))
    call.outputs["copied"] = arguments["count"]


@asynccontextmanager
async def loaded(
    entry: SyntheticIp, function: Callable[[KernelCall], Any] | None, timeouts: Timeouts | None = None
) -> AsyncIterator[tuple[SimBoard, RemoteDevice, HlsKernel]]:
    """A board with one kernel that runs `function`."""
    made = design({"kernel": entry})
    known = SimDesign(made, kernels={"kernel": function} if function else {})

    async with simulated(designs=[known], timeouts=timeouts) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=made, clocks=False)
        kernel = overlay.kernel
        assert isinstance(kernel, HlsKernel)
        yield sim, board, kernel


class Gate:
    """A function that runs until it is let go."""

    def __init__(self, function: Callable[[KernelCall], Any] = add) -> None:
        self.open = False
        self._function = function

    def __call__(self, call: KernelCall) -> Generator[float, None, Any]:
        while not self.open:
            yield 0.001

        return self._function(call)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)
