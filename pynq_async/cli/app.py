"""The group of commands, and how it ends."""

import importlib.metadata

import click

from .demo import demo
from .download import download
from .info import info
from .output import say_error
from .parameters import examples
from .registers import peek, poke
from .selftest import selftest
from .simulate import sim

_INTERRUPTED = 130  # as shells report a process that SIGINT ended


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("pynq-async demo", "pynq-async selftest 192.168.2.99", "pynq-async COMMAND --help"),
)
@click.version_option(importlib.metadata.version("pynq-async"), "--version", prog_name="pynq-async")
def app() -> None:
    """Drive AMD/Xilinx FPGA boards that run the PYNQ.remote server.

    Start with 'demo' where there is no board, and with 'selftest ADDRESS' on a new one.

    An ADDRESS is HOST or HOST:PORT, the port is 7967 unless told; with --inventory FILE it is a name from that file.

    Exit code: 0 when all went well, 1 when a board or a file did not do, 2 for a wrong command line, 130 after Ctrl-C.
    """


for command in (demo, selftest, info, download, peek, poke, sim):
    app.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """Run a command line, the process's own unless told; returns the exit code."""
    try:
        code = app.main(arguments, prog_name="pynq-async", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say_error("interrupted")
        return _INTERRUPTED

    return code if isinstance(code, int) else 0
