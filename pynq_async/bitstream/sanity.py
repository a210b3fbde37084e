"""What XML must be before a parser that trusts it sees it: UTF-8, no declarations of its own, not deep, well-formed."""

from xml.parsers import expat

_DEPTH = 64
_ENCODINGS = {"utf-8", "utf8", "us-ascii", "ascii"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Insane(ValueError):
    """XML that is refused; the message is the end of a sentence about the file."""


def check_xml(data: bytes, root: str | None = None) -> str:
    """The text of an XML document, whose outermost element must be `root` if given, without its byte order mark.

    Raises:
        Insane: it is in another encoding, declares a document type or entities, nests deeper than 64 elements, is not
            well-formed or has another root.
    """
    data = data.removeprefix(_BYTE_ORDER_MARK)

    if not data.strip():
        raise Insane("is empty")

    if b"\0" in data[:4096]:
        raise Insane("is not in UTF-8; save it again in that encoding")

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise Insane(f"is not in UTF-8 (byte {cause.start}); save it again in that encoding") from None

    _Walk(root).over(data)
    return text


class _Walk:
    def __init__(self, root: str | None) -> None:
        self._root = root
        self._depth = 0

    def over(self, data: bytes) -> None:
        # The encoding given here rules out every other one, whatever the document declares.
        parser = expat.ParserCreate("utf-8")
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

        try:
            parser.Parse(data, True)
        except expat.ExpatError as cause:
            raise Insane(f"is not well-formed XML: {cause}") from None

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise Insane(f"declares the encoding {encoding[:40]!r}; only UTF-8 is read")

    def _document_type(self, *declaration: object) -> None:
        raise Insane("declares a document type or entities, which a file of Vivado never does; it is refused")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._depth and self._root not in (None, name):
            raise Insane(f"has the root <{name[:40]}> where <{self._root}> must be")

        self._depth += 1

        if self._depth > _DEPTH:
            raise Insane(f"nests elements deeper than {_DEPTH}")

    def _end(self, name: str) -> None:
        self._depth -= 1
