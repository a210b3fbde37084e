"""The hardware descriptions that pynqmetadata ships with its tests, for demonstrations and tests of our own."""

import hashlib
import importlib.util
from pathlib import Path

from ..errors import DesignError, InvalidArgument
from .files import DESCRIPTION_LIMIT, read_file

# What pynqmetadata 0.2.0 ships: a Zynq-7000 design with an AXI DMA and an HLS core; a Zynq UltraScale+ RFSoC design.
_DIGESTS = {
    "resizer": "ee7c5de478f7a8e85b2722450aea0101d1ae5de69079d4deeb13c15a5da166b7",
    "rfsoc_sam": "b6734c2e6827d8c986e9dad2e1b6b1d8866c5020b42760e848321f3e7af00da7",
}


def shipped_description(name: str) -> bytes:
    """The description `resizer` or `rfsoc_sam`, found without importing pynqmetadata.

    Raises:
        DesignError: pynqmetadata is not installed, or its version ships another file.
    """
    if name not in _DIGESTS:
        raise InvalidArgument(f"there is no shipped description {name!r}; there are {', '.join(_DIGESTS)}")

    package = importlib.util.find_spec("pynqmetadata")

    if package is None or not package.submodule_search_locations:
        raise DesignError(f"{name}.hwh", "pynqmetadata, which ships it, is not installed")

    path = Path(package.submodule_search_locations[0]) / "tests" / "hwhs" / f"{name}.hwh"
    data = read_file(path, DESCRIPTION_LIMIT, DesignError)

    if hashlib.sha256(data).hexdigest() != _DIGESTS[name]:
        raise DesignError(path, "is not the file that pynqmetadata 0.2.0 ships; install pynqmetadata again")

    return data
