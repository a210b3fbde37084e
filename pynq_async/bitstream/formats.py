"""Bitstream files on the host: .bit, .bin, .pdi and .xsa, as the payload that a board's FPGA manager takes."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import anyio.to_thread

from ..errors import BitstreamError, DesignError
from . import xsa
from .archive import Archive, open_archive
from .bit import BitHeader, split_bit
from .files import BITSTREAM_LIMIT, DESCRIPTION_LIMIT, read_file
from .parts import Family, family_of
from .payload import check_bin, check_pdi, swap_words

_SUFFIXES = (".bit", ".bin", ".pdi")


@dataclass(frozen=True, slots=True)
class Bitstream:
    """A bitstream that was read and checked, ready to be sent to boards.

    Attributes:
        name: the file's name: `base.bit`.
        path: where it was read.
        data: the payload as Linux's FPGA manager takes it.
        digest: SHA-256 of `data` in hexadecimal.
        family: the family of devices that it is for, None where the file does not tell.
        partial: whether it configures only a part of the fabric, None where the file does not tell.
        header: what the header of a .bit says, else None.
        description: the hardware description (.hwh) that lies beside it or in the same archive, if any.
        description_source: the path of that description; the name of an archive's member follows a `!`.
    """

    name: str
    path: Path
    data: bytes = field(repr=False)
    digest: str
    family: Family | None = None
    partial: bool | None = None
    header: BitHeader | None = None
    description: bytes | None = field(default=None, repr=False)
    description_source: str | None = None

    @property
    def part(self) -> str:
        """Device and package, such as `7z020clg400`, empty where the file does not tell."""
        return self.header.part if self.header else ""


async def load_bitstream(path: str | os.PathLike[str], *, description: bool = True) -> Bitstream:
    """Read and check a bitstream in a thread.

    Args:
        path: a `.bit`, `.bin`, `.pdi` or `.xsa` file.
        description: also read the hardware description of the same name beside it, or inside the `.xsa`.

    Raises:
        BitstreamError: there is no such file, or it cannot be used; the message says why and what to do.
        DesignError: the description cannot be used.
    """
    return await anyio.to_thread.run_sync(lambda: read_bitstream(path, description=description), abandon_on_cancel=True)


def read_bitstream(path: str | os.PathLike[str], *, description: bool = True) -> Bitstream:
    """What `load_bitstream` does, in the calling thread."""
    path = Path(path)

    if path.suffix.lower() == ".xsa":
        with open_archive(path) as archive:
            image = xsa.image_of(archive)
            found = _found_inside(archive) if description else None

        checked = _check(f"{path}!{image.name}", Path(image.name).suffix, image.data)
    else:
        checked = _check(path, path.suffix, _read_image(path))
        found = _found_beside(path) if description else None

    return _bitstream(path, checked, found)


def parse_bitstream(name: str, data: bytes, *, description: bytes | None = None) -> Bitstream:
    """A bitstream from the bytes of a `.bit`, `.bin` or `.pdi` file, in the calling thread.

    Args:
        name: the file's name, which says what it is: `base.bit`.
        data: its content.
        description: the content of the hardware description (.hwh) that belongs to it.

    Raises:
        BitstreamError: it is no such bitstream.
    """
    path = Path(name)
    _check_suffix(path)
    found = (str(path.with_suffix(".hwh")), description) if description is not None else None
    return _bitstream(path, _check(name, path.suffix, data), found)


def read_description(path: Path) -> tuple[str, bytes] | None:
    """The hardware description that belongs to a bitstream file, behind its own path; None where there is none.

    Raises:
        BitstreamError: the archive or the description cannot be read.
    """
    if path.suffix.lower() != ".xsa":
        return _found_beside(path)

    with open_archive(path) as archive:
        return _found_inside(archive)


def _found_inside(archive: Archive) -> tuple[str, bytes] | None:
    member = xsa.description_of(archive)
    return (f"{archive.path}!{member.name}", member.data) if member else None


def _found_beside(path: Path) -> tuple[str, bytes] | None:
    beside = path.with_suffix(".hwh")
    return (str(beside), read_file(beside, DESCRIPTION_LIMIT, DesignError)) if os.path.exists(beside) else None


@dataclass(frozen=True, slots=True)
class _Checked:
    data: bytes
    family: Family | None = None
    partial: bool | None = None
    header: BitHeader | None = None


def _bitstream(path: Path, checked: "_Checked", found: tuple[str, bytes] | None) -> Bitstream:
    return Bitstream(
        name=path.name,
        path=path,
        data=checked.data,
        digest=hashlib.sha256(checked.data).hexdigest(),
        family=checked.family,
        partial=checked.partial,
        header=checked.header,
        description=found[1] if found else None,
        description_source=found[0] if found else None,
    )


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in _SUFFIXES:
        raise BitstreamError(path, f"is no bitstream by its name; give one that ends in {', '.join(_SUFFIXES)} or .xsa")


def _read_image(path: Path) -> bytes:
    _check_suffix(path)
    return read_file(path, BITSTREAM_LIMIT)


def _check(source: object, suffix: str, data: bytes) -> _Checked:
    if suffix.lower() == ".bit":
        header, payload = split_bit(source, data)
        return _Checked(swap_words(payload), family_of(header.part), header.partial, header)

    if suffix.lower() == ".pdi":
        return _Checked(data, "versal", partial=check_pdi(source, data))

    check_bin(source, data)
    return _Checked(data)
