"""Small .xsa archives, made here."""

import io
import zipfile
from collections.abc import Mapping

from pynq_async.bitstream import synthetic_bitstream

SYSDEF = """<?xml version="1.0"?>
<Project Version="3" Minor="0">{files}</Project>
"""


def sysdef(*files: str) -> bytes:
    """A list of files, each given as its attributes."""
    return SYSDEF.format(files="".join(f"<File {file}/>" for file in files)).encode()


def archive(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()

    with zipfile.ZipFile(content, "w", compression) as file:
        for name, data in members.items():
            # A fixed date keeps the archive the same from run to run.
            file.writestr(zipfile.ZipInfo(name, (2025, 1, 1, 0, 0, 0)), data, compress_type=compression)

    return content.getvalue()


def small_xsa(description: bytes = b"<EDKSYSTEM/>") -> bytes:
    return archive(
        {
            "sysdef.xml": sysdef('Type="BIT" Name="top.bit"', 'Type="HW_HANDOFF" Name="top.hwh" BD_TYPE="DEFAULT_BD"'),
            "top.bit": synthetic_bitstream(size=512),
            "top.hwh": description,
        }
    )
