"""The command `pynq-async`: the only part of this package that prints."""

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        from .app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise

        sys.stderr.write(f"error: {error.name} is missing; install pynq-async[cli] to have the command line\n")
        return 1

    return run()


__all__ = ["main"]
