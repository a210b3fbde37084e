"""Reading a file of bounded size, with errors that name it."""

import os
import stat

from ..errors import BitstreamError, BitstreamNotFound

BITSTREAM_LIMIT = 512 * 1024 * 1024
DESCRIPTION_LIMIT = 64 * 1024 * 1024


def read_file(path: str | os.PathLike[str], limit: int, error: type[BitstreamError] = BitstreamError) -> bytes:
    """The content of a regular file of at most `limit` bytes; raises `error`."""
    try:
        status = os.stat(path)

        # A pipe or a device would block or never end.
        if stat.S_ISREG(status.st_mode) and status.st_size <= limit:
            with open(path, "rb") as file:
                data = file.read(status.st_size + 1)
    except FileNotFoundError:
        missing = BitstreamNotFound if error is BitstreamError else error
        raise missing(path, "there is no such file") from None
    except OSError as cause:
        raise error(path, f"cannot be read: {cause.strerror or cause}") from cause
    except ValueError as cause:
        raise error(repr(os.fspath(path)), f"is no path: {cause}") from cause
    except MemoryError:
        raise error(path, f"its {status.st_size} bytes do not fit into this host's memory") from None

    if not stat.S_ISREG(status.st_mode):
        raise error(path, "is a folder, not a file" if stat.S_ISDIR(status.st_mode) else "is not a regular file")

    if status.st_size > limit:
        raise error(path, f"has {status.st_size} bytes; more than {limit} are refused")

    if len(data) != status.st_size:
        raise error(path, "changed while it was read; read it again when it is complete")

    return data
