import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pynq_async.bitstream import files, formats, load_bitstream, read_bitstream, synthetic_bitstream
from pynq_async.bitstream.bit import split_bit
from pynq_async.errors import BitstreamError, DesignError

from .archives import small_xsa

SWAPPED = bytes.fromhex("665599aa")
BOOT_IMAGE = bytes(0x20) + SWAPPED + b"XNLX" + bytes(64)
PDI = bytes(0x10) + SWAPPED + b"XNLX" + bytes(64)
PARTIAL_PDI = bytes(0x28) + b"IDPP" + bytes(64)
PARTIAL_PDI_BUS_WIDTH = bytes.fromhex("dd000000") * 4 + PARTIAL_PDI


def swapped(payload: bytes) -> bytes:
    count = len(payload) // 4
    return struct.pack(f"<{count}I", *struct.unpack(f">{count}I", payload))


async def test_bit_is_loaded_as_the_fpga_manager_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "base.bit"
    path.write_bytes(synthetic_bitstream("xc7z020clg400-1", 1024))

    loaded = await load_bitstream(path)

    _, payload = split_bit(path, path.read_bytes())
    assert loaded.data == swapped(bytes(payload))
    assert loaded.digest == hashlib.sha256(loaded.data).hexdigest()
    assert (loaded.name, loaded.path, loaded.part, loaded.family) == ("base.bit", path, "xc7z020clg400-1", "zynq7000")
    assert loaded.partial is False
    assert (loaded.description, loaded.description_source) == (None, None)


async def test_path_may_be_text_and_its_suffix_of_any_case(tmp_path: Path) -> None:
    path = tmp_path / "BASE.BIT"
    path.write_bytes(synthetic_bitstream())

    assert (await load_bitstream(str(path))).name == "BASE.BIT"


def test_bin_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "base.bin"
    path.write_bytes(swapped(bytes(split_bit("", synthetic_bitstream())[1])))

    loaded = read_bitstream(path)

    assert loaded.data == path.read_bytes()
    assert (loaded.part, loaded.family, loaded.partial, loaded.header) == ("", None, None, None)


@pytest.mark.parametrize(("data", "partial"), [(PDI, False), (PARTIAL_PDI, True), (PARTIAL_PDI_BUS_WIDTH, True)])
def test_pdi_is_taken_as_it_is(tmp_path: Path, data: bytes, partial: bool) -> None:
    path = tmp_path / "base.pdi"
    path.write_bytes(data)

    loaded = read_bitstream(path)

    assert (loaded.data, loaded.family, loaded.partial) == (data, "versal", partial)


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("x.bin", b"", "it is empty"),
        ("x.bin", synthetic_bitstream(), "it is a .bit file"),
        ("x.bin", synthetic_bitstream()[120:], "no .bin"),
        ("x.bin", bytes.fromhex("ffffffffaa995566"), "bytes are not swapped; use the .bit"),
        ("x.bin", bytes.fromhex("ffffffff665599aa00"), "9 bytes are no whole number"),
        ("x.bin", b"\x7fELF" + SWAPPED * 4, "it is an ELF program"),
        ("x.bin", bytes(4096), "sync word is missing"),
        ("x.bin", BOOT_IMAGE, r"it is a boot image \(BOOT.BIN\)"),
        ("x.bin", PDI, r"it is a Versal image \(.pdi\)"),
        ("x.bin", PARTIAL_PDI, r"it is a partial Versal image \(.pdi\)"),
        ("x.bin", b"xclbin2\0" + bytes(64), "it is an .xclbin container"),
        ("x.bin", b"\xef\xbb\xbf<?xml?>", "it is a text file"),
        ("x.pdi", b"", "it is empty"),
        ("x.pdi", PDI + b"\0", "no whole number"),
        ("x.pdi", BOOT_IMAGE, "it is a boot image"),
        ("x.pdi", synthetic_bitstream(), "it is a .bit file"),
        ("x.xclbin", b"xclbin2\0", r"no bitstream by its name; give one that ends in .bit, .bin, .pdi or .xsa"),
        ("x", b"", "no bitstream by its name"),
    ],
)
def test_other_files_are_refused_by_what_they_are(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(BitstreamError, match=problem) as caught:
        read_bitstream(path)

    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", [".bit", ".bin", ".pdi", ".xsa"])
def test_missing_files_and_folders_are_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"

    with pytest.raises(BitstreamError, match="there is no such file"):
        read_bitstream(path)

    path.mkdir()

    with pytest.raises(BitstreamError, match=r"is a folder|Is a directory|Permission denied"):
        read_bitstream(path)

    with pytest.raises(BitstreamError, match=r"is no path|no such file"):
        read_bitstream(f"a\0b{suffix}")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("suffix", [".bit", ".xsa"])
def test_unreadable_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.touch(mode=0)

    with pytest.raises(BitstreamError, match="cannot be read: Permission denied"):
        read_bitstream(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
@pytest.mark.parametrize("suffix", [".bit", ".xsa"])
def test_pipe_is_refused_instead_of_waited_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    os.mkfifo(path)

    with pytest.raises(BitstreamError, match="not a regular file"):
        read_bitstream(path)


def test_file_above_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.bit"

    with path.open("wb") as file:
        file.truncate(files.BITSTREAM_LIMIT + 4)

    with pytest.raises(BitstreamError, match="more than 536870912 are refused"):
        read_bitstream(path)


@pytest.mark.parametrize("make", [lambda: synthetic_bitstream(), lambda: synthetic_bitstream(partial=True)])
def test_description_beside_the_bitstream_comes_with_it(tmp_path: Path, make: Callable[[], bytes]) -> None:
    path = tmp_path / "base.bit"
    path.write_bytes(make())
    (tmp_path / "base.hwh").write_bytes(b"<EDKSYSTEM/>")
    (tmp_path / "other.hwh").write_bytes(b"other")

    loaded = read_bitstream(path)

    assert (loaded.description, loaded.description_source) == (b"<EDKSYSTEM/>", str(tmp_path / "base.hwh"))
    assert read_bitstream(path, description=False).description is None


def test_description_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "base.bit"
    path.write_bytes(synthetic_bitstream())
    (tmp_path / "base.hwh").write_bytes(bytes(100))
    monkeypatch.setattr(formats, "DESCRIPTION_LIMIT", 10)

    with pytest.raises(DesignError, match=r"base.hwh: has 100 bytes; more than 10 are refused"):
        read_bitstream(path)


def test_xsa_gives_its_bitstream_and_description(tmp_path: Path) -> None:
    path = tmp_path / "top.xsa"
    path.write_bytes(small_xsa(b"<EDKSYSTEM/>"))

    loaded = read_bitstream(path)

    assert (loaded.name, loaded.part, loaded.family) == ("top.xsa", "7z020clg400", "zynq7000")
    assert np.frombuffer(loaded.data, "<u4")[12] == 0xAA995566
    assert (loaded.description, loaded.description_source) == (b"<EDKSYSTEM/>", f"{path}!top.hwh")
    assert read_bitstream(path, description=False).description is None
    assert list(tmp_path.iterdir()) == [path]


def test_repr_shows_no_payload(tmp_path: Path) -> None:
    path = tmp_path / "base.bit"
    path.write_bytes(synthetic_bitstream(size=4096))

    assert len(repr(read_bitstream(path))) < 1000
