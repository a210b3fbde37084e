"""Forks processes that have imported everything already, which takes Dask longer than all that the tests do with it.

`python -m tests.cluster.nursery SOCKET` ends with its input. Who connects writes the name of a module and its arguments
as a line of JSON, and has a process of its own with the connection as its standard input and output.
"""

import json
import os
import runpy
import selectors
import signal
import socket
import sys
import traceback

import distributed.cli.dask_worker  # noqa: F401
import pytest  # noqa: F401 - imported by the modules of tests whose functions are sent

from . import served  # noqa: F401


def be_born(connection: socket.socket) -> None:
    """Run the module that is asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line = b""

    while not line.endswith(b"\n"):
        line += connection.recv(1)

    module, *arguments = json.loads(line)
    connection.sendall(f"{os.getpid()}\n".encode())
    os.dup2(connection.fileno(), 0)
    os.dup2(connection.fileno(), 1)
    connection.close()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main(path: str) -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    selector = selectors.DefaultSelector()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        sys.stdout.write("ready\n")
        sys.stdout.flush()

        while sys.stdin not in {key.fileobj for key, _ in selector.select()}:
            connection, _ = listener.accept()

            if os.fork() == 0:
                listener.close()

                try:
                    be_born(connection)
                except Exception:
                    traceback.print_exc()
                finally:
                    os._exit(0)  # to take all the modules apart is slow

            connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
