"""Whether what a partial bitstream brings fits into its region of the design."""

from collections.abc import Mapping
from typing import Any

from ..bitstream import Design
from ..errors import OutOfRange


def check_addresses(board: str, region: str, whole: Design, name: str, part: Design) -> None:
    """Raise `OutOfRange` when IP of a partial design lies outside its region's address ranges, or over other IP.

    A design whose description names no address inside the region is believed to have it wherever nothing else is.
    """
    prefix = f"{region}/"
    own = [extent for path, extent in whole.extents().items() if path.startswith(prefix)]
    others = [(path, extent) for path, extent in whole.extents().items() if not path.startswith(prefix)]

    for path, extent in part.extents().items():
        where = f"{name}: {path} at {extent.start:#x} to {extent.stop - 1:#x}"

        if own and not _covered(extent, own):
            ranges = ", ".join(f"{one.start:#x} to {one.stop - 1:#x}" for one in own)
            raise OutOfRange(board, f"{where} lies outside the region {region}, which has {ranges}")

        for other, taken in others:
            if extent.start < taken.stop and taken.start < extent.stop:
                raise OutOfRange(board, f"{where} lies over {other}, which is not in the region {region}")


def region_content(part: Design) -> dict[str, Mapping[str, Any]]:
    """What a hierarchy's description says that holds just this partial design."""
    return {
        "ip": {path: entry for path, entry in part.ip_dict.items() if "/" not in path},
        "memories": {path: entry for path, entry in part.mem_dict.items() if "/" not in path},
        "hierarchies": {path: entry for path, entry in part.hierarchy_dict.items() if "/" not in path},
    }


def _covered(extent: range, ranges: list[range]) -> bool:
    """Whether a range lies in the union of others."""
    at = extent.start

    while at < extent.stop:
        ends = [one.stop for one in ranges if one.start <= at < one.stop]

        if not ends:
            return False

        at = max(ends)

    return True
