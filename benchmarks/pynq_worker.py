"""PYNQ's own client, told what to do by `against_pynq.py`; runs with an interpreter that has pynq 4.0.0.

A line of JSON comes in, `{"job": "registers", "count": 1000}`, and one goes out, `{"seconds": 0.2}`. Only what PYNQ's
client itself does is timed.
"""

import hashlib
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from pynq.pl_server.embedded_device import DEFAULT_XCLBIN
from pynq.pl_server.global_state import clear_global_state
from pynq.pl_server.remote_device import RemoteBitfileHandler, RemoteDevice
from pynq.pl_server.xclbin_parser import XclBin


class Worker:
    """The jobs, on one board or on all."""

    def __init__(self, addresses: list[str]) -> None:
        places = [address.split(":") for address in addresses]
        self.boards = [RemoteDevice(index, host, int(port)) for index, (host, port) in enumerate(places)]
        self.buffer: Any = None
        self.window = self.boards[0].mmap(0x1000_0000, 0x1000)

    def to_board(self, size: int, seed: int) -> dict[str, object]:
        """Send a buffer of random content."""
        if self.buffer is None:
            self.buffer = self.boards[0].allocate(size, "u1")

        self.buffer[:] = np.frombuffer(np.random.default_rng(seed).bytes(size), "u1")
        start = time.perf_counter()
        self.buffer.sync_to_device()
        return {"seconds": time.perf_counter() - start}

    def from_board(self) -> dict[str, object]:
        """Fetch it again."""
        self.buffer[:] = 0
        start = time.perf_counter()
        self.buffer.sync_from_device()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "digest": hashlib.sha256(self.buffer.tobytes()).hexdigest()}

    def read_file(self, path: str) -> dict[str, object]:
        """Read a file on the board into memory."""
        start = time.perf_counter()
        content = self.boards[0].read_file(path)
        return {"seconds": time.perf_counter() - start, "digest": hashlib.sha256(content).hexdigest()}

    def registers(self, count: int) -> dict[str, object]:
        """Read registers one after another."""
        start = time.perf_counter()
        values = [self.window.read(4 * index) for index in range(count)]
        return {"seconds": time.perf_counter() - start, "sum": sum(values)}

    def download(self, path: str, name: str, loaded: bool) -> dict[str, object]:
        """Program every board, each in a thread, with firmware that none of them has yet.

        Each thread reads the file for its board, as an Overlay does; `loaded` shares one that was read before.
        """
        shared = RemoteBitfileHandler(path).get_bin_data()

        def program(board: RemoteDevice) -> None:
            parser = XclBin(xclbin_data=DEFAULT_XCLBIN)
            parser.bin_data = shared if loaded else RemoteBitfileHandler(path).get_bin_data()
            # A path that is not there keeps PYNQ from writing files of global state into its own package.
            board.download(SimpleNamespace(bitfile_name="none.bit", binfile_name=name, partial=False), parser)

        start = time.perf_counter()

        with ThreadPoolExecutor(len(self.boards)) as threads:
            list(threads.map(program, self.boards))

        seconds = time.perf_counter() - start
        return {"seconds": seconds, "digest": hashlib.sha256(shared).hexdigest()}


def main() -> None:
    """Do what comes in, until the input ends."""
    # PYNQ prints; its words go to stderr, and only the answers to stdout.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # A state file that an earlier program left in PYNQ's package would be removed by four threads at once, and fail.
    clear_global_state()
    worker = Worker(sys.argv[1:])
    answers.write(json.dumps({"ready": str(Path(sys.executable))}) + "\n")

    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("job"))(**request)
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
