"""What `/proc`, `/dev` and the device tree of a simulated board say."""

from typing import TYPE_CHECKING

from .clocks import crystal_file
from .filesystem import DeviceFile, FunctionFile

if TYPE_CHECKING:
    from .board import SimBoard

_COMM = "pynq-remote"
_TREE = "/proc/device-tree"


def populate(board: "SimBoard") -> None:
    """Add the system's files to a board."""
    files = board.files

    for path, show in {
        "/proc/version": lambda: board.family.version.encode(),
        "/proc/self/stat": lambda: _stat(board),
        "/proc/self/maps": lambda: _maps(board),
        "/proc/sys/kernel/random/boot_id": lambda: f"{board.boot_id}\n".encode(),
        "/proc/meminfo": lambda: _meminfo(board),
        f"{_TREE}/compatible": lambda: f"{board.family.compatible}\0".encode(),
    }.items():
        files.add(path, FunctionFile(show))

    path, content = crystal_file(board.family)
    files.add(path, FunctionFile(lambda: content))

    if board.model is not None:
        files.add(f"{_TREE}/chosen/pynq_board", FunctionFile(lambda: f"{board.model}\0".encode()))

    if board.family.name == "versal":
        files.add(f"{_TREE}/firmware/versal-firmware/compatible", FunctionFile(lambda: b"xlnx,versal-firmware\0"))
        files.add(f"{_TREE}/family", FunctionFile(lambda: b"Versal\0"))

    files.add("/dev/null", DeviceFile())
    files.add("/dev/zero", DeviceFile(b"\0"))
    files.add("/dev/full", DeviceFile(b"\0"))
    files.make_directory("/tmp")
    files.make_directory("/home/xilinx")


def _stat(board: "SimBoard") -> bytes:
    """Make `proc(5)`'s line: the process id first, the start time in clock ticks as field 22."""
    process = board.process
    fields = ["S", "1", str(process.pid), str(process.pid), "0", "-1", "4194560", "2113", "0", "8", "0"]
    fields += ["41", "23", "0", "0", "20", "0", "9", "0", str(process.start_ticks), "1042886656", "4612"]
    fields += ["18446744073709551615", "1", "1", *["0"] * 27]
    return f"{process.pid} ({_COMM}) {' '.join(fields[:50])}\n".encode()


def _maps(board: "SimBoard") -> bytes:
    lines = [
        "aaaac0de0000-aaaac0f21000 r-xp 00000000 b3:02 268714                     /usr/local/bin/pynq-remote",
        "aaaac0f31000-aaaac0f3a000 rw-p 00141000 b3:02 268714                     /usr/local/bin/pynq-remote",
        "aaaae4f5c000-aaaae4ffe000 rw-p 00000000 00:00 0                          [heap]",
        *board.process.windows.lines(),
        "ffffa0a40000-ffffa0bc8000 r-xp 00000000 b3:02 4187                       /usr/lib/libc.so.6",
        "ffffe1a1c000-ffffe1a3d000 rw-p 00000000 00:00 0                          [stack]",
    ]
    return ("\n".join(lines) + "\n").encode()


def _meminfo(board: "SimBoard") -> bytes:
    rows = {
        "MemTotal": 2**20,
        "MemFree": 700_000,
        "MemAvailable": 800_000,
        "CmaTotal": board.area.size // 1024,
        "CmaFree": board.area.free // 1024,
    }
    return "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in rows.items()).encode()
