import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from pynq_async.bitstream import archive as archive_module
from pynq_async.bitstream import read_bitstream, synthetic_bitstream
from pynq_async.errors import BitstreamError, DesignError

from .archives import archive, small_xsa, sysdef
from .test_formats import PDI

BIT = synthetic_bitstream(size=512)
OTHER = synthetic_bitstream(size=512, seed=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "top.xsa"


def test_list_of_files_decides_between_several(path: Path) -> None:
    files = sysdef(
        'Type="BIT" Name="b.bit"',
        'Type="HW_HANDOFF" Name="smc.hwh" BD_TYPE="REFERENCE_BD"',
        'Type="HW_HANDOFF" Name="top.hwh" BD_TYPE="DEFAULT_BD"',
    )
    path.write_bytes(archive({"sysdef.xml": files, "a.bit": BIT, "b.bit": OTHER, "smc.hwh": b"smc", "top.hwh": b"top"}))

    loaded = read_bitstream(path)

    path.with_suffix(".bit").write_bytes(OTHER)
    assert loaded.digest == read_bitstream(path.with_suffix(".bit")).digest
    assert loaded.description == b"top"


@pytest.mark.parametrize("kind", ["PDI", "PL_PDI"])
def test_versal_archive_gives_its_image(path: Path, kind: str) -> None:
    path.write_bytes(archive({"sysdef.xml": sysdef(f'Type="{kind}" Name="top.pdi"'), "top.pdi": PDI}))

    loaded = read_bitstream(path)

    assert (loaded.data, loaded.family, loaded.description) == (PDI, "versal", None)


@pytest.mark.parametrize(
    "members",
    [
        {"top.bit": BIT, "top.hwh": b"top"},
        {"xsa.json": b'{"files": []}', "top.bit": BIT, "top.hwh": b"top"},
        {"top.bit": BIT, "top_smc_0.hwh": b"smc", "top.hwh": b"top"},
        {
            "xsa.json": b'{"files": [{"name": "bd/top.bd", "type": "TOP_BD"}]}',
            "a.hwh": b"a",
            "top.hwh": b"top",
            "x.bit": BIT,
        },
        {"sysdef.xml": sysdef(), "top.bit": BIT, "top.hwh": b"top"},
    ],
)
def test_archive_without_a_telling_list_gives_the_one_there_is(path: Path, members: Mapping[str, bytes]) -> None:
    path.write_bytes(archive(members))

    assert read_bitstream(path).description == b"top"


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({}, "holds no bitstream; export the hardware again"),
        ({"top.hwh": b"top"}, "holds no bitstream"),
        ({"a.bit": BIT, "b.bit": BIT}, "holds 2 bitstreams: a.bit, b.bit"),
        ({"a.bit": BIT, "a.hwh": b"a", "b.hwh": b"b"}, "holds 2 hardware descriptions: a.hwh, b.hwh"),
        (
            {"sysdef.xml": sysdef('Type="BIT" Name="a.bit"', 'Type="BIT" Name="b.bit"'), "a.bit": BIT},
            "holds 2 bitstreams",
        ),
        ({"sysdef.xml": sysdef('Type="BIT" Name="a.bit"')}, "names 'a.bit', which it does not hold"),
        ({"sysdef.xml": sysdef('Type="BIT" Name="/etc/passwd"')}, "which it does not hold"),
        ({"sysdef.xml": sysdef('Type="BIT"')}, "names '', which it does not hold"),
        ({"sysdef.xml": b"<Project>", "a.bit": BIT}, "sysdef.xml is not well-formed"),
        ({"sysdef.xml": b"<!DOCTYPE x []><Project/>", "a.bit": BIT}, "sysdef.xml declares a document type"),
        ({"xsa.json": b"{", "a.bit": BIT, "a.hwh": b""}, "xsa.json cannot be read"),
        ({"xsa.json": b'{"files": [1]}', "a.bit": BIT, "a.hwh": b""}, "xsa.json cannot be read"),
        ({"xsa.json": b"[" * 100_000, "a.bit": BIT, "a.hwh": b""}, "xsa.json cannot be read"),
        ({"../a.bit": BIT}, r"'../a.bit' has a name that is refused"),
        ({"/a.bit": BIT}, r"'/a.bit' has a name that is refused"),
        ({"C:/a.bit": BIT}, r"'C:/a.bit' has a name that is refused"),
        ({"a\\b.bit": BIT}, "has a name that is refused"),
        ({"a b.bit": BIT}, "has a name that is refused"),
        ({"a.bit": b"\x7fELF"}, r"top.xsa!a.bit: is no .bit file: it is an ELF program"),
    ],
)
def test_archives_that_cannot_be_used_are_refused_with_the_reason(
    path: Path, members: Mapping[str, bytes], problem: str
) -> None:
    path.write_bytes(archive(members))

    with pytest.raises(BitstreamError, match=problem) as caught:
        read_bitstream(path)

    assert str(caught.value).startswith(str(path))
    assert list(path.parent.iterdir()) == [path]


def test_block_design_containers_are_refused_unless_the_description_is_left_out(path: Path) -> None:
    top = b'<EDKSYSTEM><MODULE BD="rp1" BDTYPE="BLOCK_CONTAINER" INSTANCE="rp"></MODULE></EDKSYSTEM>'
    path.write_bytes(
        archive(
            {
                "top.bit": BIT,
                "top.hwh": top,
                "top_x.hwh": b"",
                "rp1.hwh": b"",
                "sysdef.xml": sysdef('Type="HW_HANDOFF" Name="top.hwh" BD_TYPE="DEFAULT_BD"'),
            }
        )
    )

    with pytest.raises(DesignError, match=r"block-design containers \(rp1.hwh\)"):
        read_bitstream(path)

    assert read_bitstream(path, description=False).part == "7z020clg400"


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04" + bytes(100), BIT, small_xsa()[:-30], small_xsa()[40:]])
def test_files_that_are_no_zip_archive_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    with pytest.raises(BitstreamError, match=r"is no zip archive|is no readable zip archive|cannot be read"):
        read_bitstream(path)


def test_encrypted_member_is_refused(path: Path) -> None:
    data = bytearray(archive({"top.bit": BIT}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)

    with pytest.raises(BitstreamError, match=r"top.bit is encrypted"):
        read_bitstream(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(path: Path, compression: int) -> None:
    path.write_bytes(archive({"top.bit": BIT}, compression))

    with pytest.raises(BitstreamError, match="packed in a way that Vivado does not use"):
        read_bitstream(path)


def test_member_that_appears_twice_is_refused(path: Path) -> None:
    data = archive({"top.bit": BIT, "tap.bit": OTHER}).replace(b"tap.bit", b"top.bit")
    path.write_bytes(data)

    with pytest.raises(BitstreamError, match=r"has 2 members named 'top.bit'"):
        read_bitstream(path)


def test_damaged_member_is_refused(path: Path) -> None:
    path.write_bytes(archive({"top.bit": BIT}, zipfile.ZIP_STORED).replace(BIT[-64:-32], bytes(32)))

    with pytest.raises(BitstreamError, match=r"top.bit cannot be read: Bad CRC-32"):
        read_bitstream(path)


def test_large_member_is_refused_while_it_is_unpacked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq_async.bitstream.xsa.MEMBER_LIMIT", 1 << 20)
    path.write_bytes(archive({"top.bit": bytes(8 << 20)}))

    with pytest.raises(BitstreamError, match=r"top.bit has more than 1048576 bytes"):
        read_bitstream(path)


def test_member_that_unpacks_too_well_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "_RATIO_FROM", 1 << 20)
    path.write_bytes(archive({"top.bit": bytes(8 << 20)}))

    with pytest.raises(BitstreamError, match=r"top.bit unpacks to more than 200 times its size"):
        read_bitstream(path)


def test_size_that_the_directory_claims_does_not_raise_the_ratio(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "_RATIO_FROM", 1 << 20)
    data = bytearray(archive({"top.bit": bytes(8 << 20)}))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 20, 0x7FFFFFFF)
    path.write_bytes(data)

    with pytest.raises(BitstreamError):
        read_bitstream(path)


def test_too_many_members_are_refused(path: Path) -> None:
    path.write_bytes(archive({f"{number}.txt": b"" for number in range(4097)}))

    with pytest.raises(BitstreamError, match="has 4097 members; more than 4096 are refused"):
        read_bitstream(path)


def test_endless_table_of_contents_is_refused_unread(path: Path) -> None:
    data = bytearray(archive({"top.bit": BIT}))
    struct.pack_into("<I", data, len(data) - 22 + 12, 1 << 30)
    path.write_bytes(data)

    with pytest.raises(BitstreamError, match="table of contents is too long"):
        read_bitstream(path)


def test_archive_of_the_64_bit_form_is_refused(path: Path) -> None:
    data = archive({"top.bit": BIT})
    path.write_bytes(data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:])

    with pytest.raises(BitstreamError, match="more than 4 GiB"):
        read_bitstream(path)


def test_archive_with_a_comment_is_read(path: Path) -> None:
    content = io.BytesIO(small_xsa())

    with zipfile.ZipFile(content, "a") as file:
        file.comment = b"exported by hand"

    path.write_bytes(content.getvalue())

    assert read_bitstream(path).description_source == f"{path}!top.hwh"
