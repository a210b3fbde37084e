"""What an .xsa, Vivado's exported hardware, holds for a board: the bitstream and its description.

Vivado lists the members in `sysdef.xml`; an archive that was not implemented by Vivado itself has none, and its
`xsa.json` may name the top block design.
"""

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree import ElementTree

from ..errors import BitstreamError, DesignError
from .archive import MEMBER_LIMIT, Archive
from .files import DESCRIPTION_LIMIT
from .sanity import Insane, check_xml

_SYSDEF = "sysdef.xml"
_JSON = "xsa.json"
_LIST_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive: its name and its content."""

    name: str
    data: bytes


def image_of(archive: Archive) -> Member:
    """The one .bit or .pdi of an .xsa; raises `BitstreamError`."""
    return _read(archive, _image_name(archive), MEMBER_LIMIT)


def description_of(archive: Archive) -> Member | None:
    """The default hardware description of an .xsa, or None where it has none; raises `BitstreamError`."""
    name = _description_name(archive)

    if name is None:
        return None

    description = _read(archive, name, DESCRIPTION_LIMIT)
    _refuse_containers(archive, description)
    return description


def _image_name(archive: Archive) -> str:
    listed = _listed(archive)

    for kind in ("BIT", "PL_PDI", "PDI"):
        if names := [name for name, attributes in listed if attributes.get("Type") == kind]:
            return _only(archive, names, "bitstreams")

    if names := [name for name in archive.names if PurePosixPath(name).suffix.lower() in (".bit", ".pdi")]:
        return _only(archive, names, "bitstreams")

    raise BitstreamError(archive.path, "holds no bitstream; export the hardware again with the bitstream included")


def _description_name(archive: Archive) -> str | None:
    defaults = [name for name, attributes in _listed(archive) if attributes.get("BD_TYPE") == "DEFAULT_BD"]

    if defaults:
        return _only(archive, defaults, "default hardware descriptions")

    found = {name: name[: -len(".hwh")] for name in archive.names if name.lower().endswith(".hwh")}

    if not found:
        return None

    if (top := _top_design(archive)) in found:
        return top

    # A block that Vivado builds from a design of its own is named after the design that holds it.
    tops = [name for name, stem in found.items() if all(other.startswith(stem) for other in found.values())]
    return _only(archive, tops or list(found), "hardware descriptions")


def _listed(archive: Archive) -> list[tuple[str, dict[str, str]]]:
    if _SYSDEF not in archive.names:
        return []

    data = archive.read(_SYSDEF, _LIST_LIMIT)

    try:
        root = ElementTree.fromstring(check_xml(data))
    except Insane as cause:
        raise BitstreamError(archive.path, f"its list of files {_SYSDEF} {cause}") from None

    return [(file.get("Name", ""), dict(file.attrib)) for file in root.iter("File")]


def _top_design(archive: Archive) -> str:
    if _JSON not in archive.names:
        return ""

    try:
        files = json.loads(archive.read(_JSON, _LIST_LIMIT))["files"]
        tops = [PurePosixPath(file["name"]).name for file in files if file.get("type") == "TOP_BD"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as cause:
        raise BitstreamError(archive.path, f"its list of files {_JSON} cannot be read: {cause!r}") from cause

    return f"{tops[0].partition('.')[0]}.hwh" if tops else ""


def _only(archive: Archive, names: list[str], what: str) -> str:
    candidates = sorted(set(names))

    if len(candidates) > 1:
        shown = ", ".join(candidates[:8])
        raise BitstreamError(archive.path, f"holds {len(candidates)} {what}: {shown}; unpack it and load the right one")

    return candidates[0]


def _read(archive: Archive, name: str, limit: int) -> Member:
    if name not in archive.names:
        raise BitstreamError(archive.path, f"its list of files names {name[:80]!r}, which it does not hold")

    return Member(name, archive.read(name, limit))


def _refuse_containers(archive: Archive, description: Member) -> None:
    """Block-design containers are described in files of their own, which nothing here merges."""
    modules = re.findall(rb'<MODULE\s[^>]*\bBDTYPE="BLOCK_CONTAINER"[^>]*>', description.data)
    designs = [match for module in modules for match in re.findall(rb'\bBD="([^"]*)"', module)]
    held = sorted({f"{design.decode(errors='replace')}.hwh" for design in designs} & set(archive.names))

    if held:
        raise DesignError(
            archive.path,
            f"its design has block-design containers ({', '.join(held[:8])}), which are not merged; "
            "load it without its description, or unpack it and load the .bit with its .hwh",
        )
