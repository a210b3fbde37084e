"""One holder per board on this host: a lock on a file, which the kernel releases when its holder dies."""

import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path


class BoardLock:
    """The lock of one board, for all processes of this host."""

    def __init__(self, target: str) -> None:
        self._path = Path(tempfile.gettempdir()) / f"pynq-async-{re.sub(r'[^A-Za-z0-9.-]', '_', target)}.lock"
        self._file: int | None = None

    def take(self) -> bool:
        """Take it; False when somebody has it."""
        file = self._open()

        try:
            _lock(file)
        except OSError:
            os.close(file)
            return False

        self._file = file
        return True

    def release(self) -> None:
        """Give it back; does nothing when it is not held."""
        file, self._file = self._file, None

        if file is not None:
            os.close(file)

    def _open(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return os.open(self._path, os.O_RDONLY)  # another user's file: opening it is enough to lock it

        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)

        with contextlib.suppress(OSError):
            self._path.chmod(0o644)  # whatever the umask says

        return file


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
