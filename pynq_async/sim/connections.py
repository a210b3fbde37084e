"""Break TCP connections under a gRPC server in this process, as the death of a process does.

`grpc.aio` can only say goodbye: it sends GOAWAY, which a process that was killed does not, and gRPC clients write a
line to stderr about it. So the sockets are shut down first; they are found by the port they are bound to.
"""

import contextlib
import os
import socket

_DESCRIPTORS = "/dev/fd"
_TCP = (socket.AF_INET, socket.AF_INET6)


def break_connections(port: int) -> int:
    """Shut down every connected socket of this process whose own port is `port`; returns how many there were.

    Where descriptors cannot be listed (Windows) there are none.
    """
    return sum(_shut(descriptor, port) for descriptor in _listed())


def _listed() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_DESCRIPTORS)]
    except OSError:
        return []


def _shut(descriptor: int, port: int) -> bool:
    try:
        copy = os.dup(descriptor)
    except OSError:
        return False

    try:
        candidate = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return False

    # A listening socket has no peer and raises.
    with candidate, contextlib.suppress(OSError):
        if candidate.family in _TCP and candidate.getsockname()[1] == port and candidate.getpeername():
            candidate.shutdown(socket.SHUT_RDWR)
            return True

    return False
