"""A kernel made by Vitis HLS, called like a function; on the simulated board a Python function carries it out.

python examples/hls_kernel.py
"""

import asyncio
from collections.abc import Generator

import numpy as np

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import parse_bitstream, synthetic_bitstream, synthetic_design, synthetic_kernel
from pynq_async.sim import KernelCall, SimBoard, SimDesign, serve


def dot(call: KernelCall) -> Generator[float, None, int]:
    """The simulated kernel: sums up products, finds the largest element, and takes 10 ms for it."""
    length = 4 * call.arguments["count"]
    a, b = (np.frombuffer(call.read(call.arguments[name], length), "<i4") for name in ("a", "b"))
    yield 0.01
    call.outputs["largest"] = int(max(a.max(), b.max()))
    return int(a @ b)


# With a real design this is `await load_design("dot.bit")`.
DESIGN = synthetic_design(
    {
        "dot_0": synthetic_kernel(
            "dot", 0x43C0_0000, {"a": 64, "b": 64, "count": 32}, results={"ap_return": 32, "largest": 32}
        )
    }
)
BITSTREAM = parse_bitstream("dot.bit", synthetic_bitstream())


async def use(board: RemoteDevice) -> None:
    """Call the kernel in one step, then in three."""
    kernel = (await Overlay.load(board, BITSTREAM, design=DESIGN)).dot_0
    print(f"{kernel.name}{kernel.signature}, results: {', '.join(kernel.results)}")

    async with board.allocate(1000, "i4") as a, board.allocate(1000, "i4") as b:
        a[:], b[:] = np.arange(1000), 2
        await a.sync_to_device()
        await b.sync_to_device()
        print("dot product:", await kernel.call(a, b, count=1000))
        print("largest element:", await kernel.get("largest"))

        await kernel.start(a, b, 10)
        print("finished already?", await kernel.done())
        await kernel.wait(timeout=1.0)  # the buffers are not given back before the kernel has finished
        print("of ten elements:", await kernel.get("ap_return"))


async def main() -> None:
    """Use a simulated board that knows the design, and the function of its kernel."""
    sim = SimBoard(designs=[SimDesign(DESIGN, kernels={"dot_0": dot})])

    async with serve(sim) as address, RemoteDevice(address) as board:
        await use(board)


if __name__ == "__main__":
    asyncio.run(main())
