"""What a user of PYNQ's own client does, on one of our simulated boards.

Runs with the interpreter of an environment that holds pynq and not this package:
`python pynq_client.py HOST:PORT FOLDER`, where FOLDER has `resizer.bit` with its `resizer.hwh`. `run.py` starts it.
"""

import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from pynq.pl_server.remote_device import RemoteBitfileHandler, RemoteDevice, RemoteGPIO

DDR = 0x1000_0000
MANAGER = "/sys/class/fpga_manager/fpga0"


def identity(board: RemoteDevice, _: Path) -> None:
    assert board.arch == "armv7l"
    assert board.name == "Pynq-Z2"


def files(board: RemoteDevice, folder: Path) -> None:
    content = os.urandom(3 * 2**20 + 1)
    board.write_file("/tmp/interop.bin", content)
    assert board.exists_file("/tmp/interop.bin").exists
    assert not board.exists_file("/tmp/nothing.bin").exists
    assert board.read_file("/tmp/interop.bin") == content
    os.chdir(folder)
    saved = board.read_file("/tmp/interop.bin", output_as_string=False)
    assert Path(saved).read_bytes() == content


def buffers(board: RemoteDevice, _: Path) -> None:
    expected = np.arange(700_000, dtype="u4").reshape(700, 1000)
    frame = board.allocate((700, 1000), "u4")
    other = board.allocate(16, "u1")
    frame[:] = expected
    frame.sync_to_device()
    frame[:] = 0
    frame.sync_from_device()
    assert np.array_equal(frame, expected)
    addresses = frame.physical_address, other.device_address
    assert all(addresses), addresses
    assert addresses[0] != addresses[1]
    assert frame.virtual_address
    # A register window on the buffer shows what a DMA would see.
    assert board.mmap(addresses[0], 0x1000).read(0x20) == 8
    frame.freebuffer()
    other.freebuffer()


def registers(board: RemoteDevice, _: Path) -> None:
    window = board.mmap(DDR, 0x1000)
    window.write(0x10, 0xDEADBEEF)
    assert window.read(0x10) & 0xFFFF_FFFF == 0xDEADBEEF
    window.write(0x10, -2)
    assert window.read(0x10) & 0xFFFF_FFFF == 0xFFFF_FFFE
    # Four bytes only: the real server stores the first four of eight, and ignores the length of a read (H15, H16).
    window.write(0x20, b"\1\2\3\4")
    assert window.read(0x20) == 0x04030201
    window.array[3] = 77
    assert window.read(12) == 77


def pins(board: RemoteDevice, _: Path) -> None:
    if version("pynq").startswith("3."):
        return  # its GPIO is a placeholder

    number = RemoteGPIO.get_gpio_pin(0, device=board)
    assert number == RemoteGPIO.get_gpio_base(device=board) + 54
    assert RemoteGPIO.get_gpio_npins(device=board) > 54
    led = RemoteGPIO(number, "out", board)
    led.write(1)
    assert led.is_exported()
    led.release()
    button = RemoteGPIO(number, "in", board)
    assert button.read() in (0, 1)
    button.release()
    assert not button.is_exported()


def download(board: RemoteDevice, folder: Path) -> None:
    path = folder / "resizer.bit"
    parser = RemoteBitfileHandler(str(path)).get_parser()
    assert "axi_dma_0" in parser.ip_dict
    bitstream = SimpleNamespace(bitfile_name=str(path), binfile_name="", partial=False)
    board.download(bitstream, parser)
    assert board.read_file("/lib/firmware/resizer.bin") == bytes(parser.bin_data)
    assert board.read_file(f"{MANAGER}/state").strip() == b"operating"
    assert int(board.read_file(f"{MANAGER}/flags"), 16) == 0
    # The second time it finds the file and sends nothing, and stops the shutdown managers that it knows of.
    board.download(bitstream, parser)
    assert "axi_dma_0" in board.ip_dict


STEPS: tuple[Callable[[RemoteDevice, Path], None], ...] = (identity, files, buffers, registers, pins, download)


def main() -> None:
    """Do every step, saying its name; the first that fails ends it with a traceback."""
    host, port = sys.argv[1].split(":")
    board = RemoteDevice(0, host, int(port))

    for step in STEPS:
        print(f"pynq {version('pynq')}: {step.__name__}", flush=True)
        step(board, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
