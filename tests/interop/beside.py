"""This package and pynq in one interpreter, imported in the order given, and this package at work on a simulated board.

Runs with an environment that holds both: `python beside.py HOST:PORT pynq_async pynq`. `run.py` starts it.
"""

import asyncio
import importlib
import sys

import numpy as np


async def work(address: str) -> None:
    """What shows that the installed grpcio, protobuf and numpy are good enough for us."""
    from pynq_async import RemoteDevice

    async with RemoteDevice(address) as board:
        assert board.arch == "armv7l"
        window = board.mmio(0x1000_0000, 0x1000)
        await window.write(0x10, 0xDEADBEEF)
        assert await window.read(0x10) == 0xDEADBEEF
        await board.write_file("/tmp/beside.bin", b"beside" * 1000)
        assert await board.read_file("/tmp/beside.bin") == b"beside" * 1000

        async with board.allocate((700, 1000), "u4") as frame:
            expected = np.arange(frame.size, dtype="u4").reshape(frame.shape)
            frame[:] = expected
            await frame.sync_to_device()
            frame[:] = 0
            await frame.sync_from_device()
            assert np.array_equal(frame, expected)
            assert await board.mmio(frame.physical_address, 0x1000).read(0x20) == 8


def theirs(address: str) -> None:
    """PYNQ's client still works in the same process."""
    from pynq.pl_server.remote_device import RemoteDevice

    host, port = address.split(":")
    board = RemoteDevice(0, host, int(port))
    assert board.arch == "armv7l"
    assert board.read_file("/tmp/beside.bin") == b"beside" * 1000


def main() -> None:
    """Import in the order given, then work with both."""
    address, *order = sys.argv[1:]

    for name in order:
        importlib.import_module("pynq.remote.remote_device_pb2_grpc" if name == "pynq" else name)

    asyncio.run(work(address))
    theirs(address)
    print(f"{' then '.join(order)}: both work")


if __name__ == "__main__":
    main()
