"""Members of a zip archive that nobody vouches for, read into memory and never extracted."""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from ..errors import BitstreamError
from .files import BITSTREAM_LIMIT, read_file

MEMBER_LIMIT = 256 * 1024 * 1024

# Empty parts of a device compress better than 200:1, so a small bitstream may; a large one does not.
_RATIO = 200
_RATIO_FROM = 64 * 1024 * 1024

_MEMBERS = 4096
_DIRECTORY = _MEMBERS * 512
_CHUNK = 1024 * 1024

_NAME = re.compile(r"[\w./-]+", re.ASCII)
_END = b"PK\x05\x06"
_END64 = b"PK\x06\x07"
_END_LENGTH = 22
_END64_LENGTH = 20


class Archive:
    """An open zip archive: `names` lists its members, `read` gives one.

    Raises:
        BitstreamError: whatever is wrong with the archive, from every method.
    """

    def __init__(self, path: str | PathLike[str], file: zipfile.ZipFile, length: int) -> None:
        self.path = path
        self._file = file
        self._length = length
        self.names = [info.filename for info in file.infolist() if not info.is_dir()]

        if len(self.names) > _MEMBERS:
            raise BitstreamError(path, f"has {len(self.names)} members; more than {_MEMBERS} are refused")

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """The content of one member of at most `limit` bytes."""
        info = self._member(name)
        allowed = max(_RATIO_FROM, _RATIO * min(info.compress_size, self._length))
        chunks = []
        length = 0

        # The directory's word on the length is not taken: what comes out is counted.
        with _errors(self.path, name), self._file.open(info) as member:
            while chunk := member.read(_CHUNK):
                chunks.append(chunk)
                length += len(chunk)

                if length > limit:
                    raise BitstreamError(self.path, f"its member {name} has more than {limit} bytes")

                if length > allowed:
                    raise BitstreamError(self.path, f"its member {name} unpacks to more than {_RATIO} times its size")

        return b"".join(chunks)

    def _member(self, name: str) -> zipfile.ZipInfo:
        matches = [info for info in self._file.infolist() if info.filename == name]

        if len(matches) != 1:
            raise BitstreamError(self.path, f"has {len(matches)} members named {name!r} where one must be")

        (info,) = matches

        if not _NAME.fullmatch(info.orig_filename) or name.startswith("/") or ".." in name.split("/"):
            raise BitstreamError(self.path, f"its member {name[:80]!r} has a name that is refused")

        if info.flag_bits & 0x1:
            raise BitstreamError(self.path, f"its member {name} is encrypted; export the archive without encryption")

        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BitstreamError(self.path, f"its member {name} is packed in a way that Vivado does not use")

        return info


@contextmanager
def open_archive(path: str | PathLike[str]) -> Iterator[Archive]:
    """Read a zip archive into memory; raises `BitstreamError`."""
    data = read_file(path, BITSTREAM_LIMIT)
    _check_end(path, data)

    with _errors(path), zipfile.ZipFile(io.BytesIO(data)) as file:
        yield Archive(path, file, len(data))


def _check_end(path: object, data: bytes) -> None:
    """Refuse a table of contents so long that reading it is an attack, as zipfile reads it before it can be asked."""
    at = data.rfind(_END, max(0, len(data) - _END_LENGTH - 0xFFFF), len(data) - _END_LENGTH + len(_END))

    if at < 0:
        raise BitstreamError(path, "is no zip archive, as an .xsa must be, or it is cut")

    if data[max(0, at - _END64_LENGTH) : at].startswith(_END64):
        raise BitstreamError(path, "is a zip archive for more than 4 GiB, which no .xsa needs")

    if int.from_bytes(data[at + 12 : at + 16], "little") > _DIRECTORY:
        raise BitstreamError(path, f"its table of contents is too long for {_MEMBERS} members; it is refused")


@contextmanager
def _errors(path: object, member: str = "") -> Iterator[None]:
    try:
        yield
    except BitstreamError:
        raise
    except MemoryError:
        raise BitstreamError(path, "does not fit into this host's memory") from None
    except Exception as cause:
        # zipfile raises a dozen types on damaged archives: its own, zlib's, struct's, EOFError, NotImplementedError ...
        where = f"its member {member} cannot be read" if member else "is no readable zip archive"
        raise BitstreamError(path, f"{where}: {cause or type(cause).__name__}") from cause
