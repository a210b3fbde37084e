import pytest

from pynq_async.bitstream.sanity import Insane, check_xml

SYSTEM = b"<EDKSYSTEM><A B='\xc3\xbc'/></EDKSYSTEM>"


@pytest.mark.parametrize(
    "data",
    [
        SYSTEM,
        b"\xef\xbb\xbf" + SYSTEM,
        b'<?xml version="1.0"?>' + SYSTEM,
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\r\n' + SYSTEM,
        b"<!-- <!DOCTYPE x> -->" + SYSTEM,
        b'<?xml version="1.0" encoding="us-ascii"?><EDKSYSTEM><![CDATA[<!ENTITY x "y">]]></EDKSYSTEM>',
    ],
)
def test_what_vivado_writes_passes(data: bytes) -> None:
    assert check_xml(data, "EDKSYSTEM").startswith("<")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hello", "is not well-formed XML"),
        (SYSTEM[:-4], "is not well-formed XML"),
        (SYSTEM + SYSTEM, "is not well-formed XML"),
        (b"<EDKSYSTEM>\xff</EDKSYSTEM>", r"is not in UTF-8 \(byte 11\)"),
        (SYSTEM.decode().encode("utf-16"), "is not in UTF-8"),
        (SYSTEM.decode().encode("utf-16-le"), "is not in UTF-8"),
        (SYSTEM.decode().encode("utf-32"), "is not in UTF-8"),
        (b"<EDKSYSTEM>" + b" " * 5000 + b"\0</EDKSYSTEM>", "is not well-formed XML"),
        (b'<?xml version="1.0" encoding="UTF-16"?>' + SYSTEM, "declares the encoding 'UTF-16'"),
        (b'<?xml version="1.0" encoding="utf-7"?>' + SYSTEM, "declares the encoding 'utf-7'"),
        (b'<?xml version="1.0" encoding="cp037"?>' + SYSTEM, "declares the encoding 'cp037'"),
        (b"<!DOCTYPE EDKSYSTEM>" + SYSTEM, "declares a document type"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><EDKSYSTEM>&a;</EDKSYSTEM>', "declares a document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + SYSTEM, "declares a document type"),
        (b"<!doctype x>" + SYSTEM, "is not well-formed XML"),
        (b"<EDKSYSTEM>&a;</EDKSYSTEM>", "is not well-formed XML"),
        (b"<html/>", "has the root <html> where <EDKSYSTEM> must be"),
        (b"<EDKSYSTEM>" + b"<A>" * 64 + b"</A>" * 64 + b"</EDKSYSTEM>", "nests elements deeper than 64"),
        (b"<EDKSYSTEM>" + b"<A>" * 1_000_000, "nests elements deeper than 64"),
    ],
)
def test_other_xml_is_refused_with_the_reason(data: bytes, problem: str) -> None:
    with pytest.raises(Insane, match=problem):
        check_xml(data, "EDKSYSTEM")


def test_any_root_passes_where_none_is_asked_for() -> None:
    assert check_xml(b"<Project/>") == "<Project/>"
