"""The child process that parses a hardware description: the bytes of a .hwh on stdin, one JSON object on stdout.

The object is either the fields of a `Design` or `{"error": "the end of a sentence about the description"}`. This is
the only file that imports pynqmetadata, which takes a third of a second and reads its input without suspicion.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .codec import encode
from .files import DESCRIPTION_LIMIT
from .interrupts import add_interrupts
from .partial import read_partial
from .parts import PROCESSING_SYSTEMS
from .ranges import add_ranges
from .sanity import Insane, check_xml
from .streams import read_streams

_ROOT = "EDKSYSTEM"
_MEMORY = 4 * 1024 * 1024 * 1024
_SECONDS = 120
_LARGEST_RESULT = 128 * 1024 * 1024


def main() -> None:
    """Parse stdin onto stdout."""
    # Whatever a library prints goes to stderr, so that stdout holds the answer alone.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _limit_resources()
    result = _answer(sys.stdin.buffer.read(DESCRIPTION_LIMIT + 1))

    with answer:
        answer.write(result)


def parse_description(data: bytes) -> dict[str, Any]:
    """The fields of a `Design` by name; raises `Insane`, or whatever pynqmetadata raises."""
    root = ElementTree.fromstring(text := check_xml(data, _ROOT))
    systems = [module for module in root.iter("MODULE") if module.get("MODTYPE") in PROCESSING_SYSTEMS]
    fields = _full(text, root) if systems else _partial(root)
    return {"digest": hashlib.sha256(data).hexdigest(), "streams": read_streams(root), **fields}


def _answer(data: bytes) -> bytes:
    try:
        if len(data) > DESCRIPTION_LIMIT:
            raise Insane(f"has more than {DESCRIPTION_LIMIT} bytes")

        result = encode(parse_description(data))

        if len(result) > _LARGEST_RESULT:
            raise Insane(f"describes more than {_LARGEST_RESULT} bytes can hold")
    except Insane as cause:
        return encode({"error": str(cause)})
    except MemoryError:
        return encode({"error": f"needs more than {_MEMORY} bytes of memory to be understood"})
    except Exception as cause:
        # pynqmetadata has 30 classes of its own and lets every builtin error through.
        detail = " ".join(str(cause).split())[:300]
        return encode({"error": f"cannot be understood: {type(cause).__name__}: {detail}"})

    return result


def _full(text: str, root: ElementTree.Element) -> dict[str, Any]:
    from pynqmetadata.frontends.hwh_frontend import HwhFrontend
    from pynqmetadata.views.runtime import RuntimeMetadataParser

    parsed = RuntimeMetadataParser(HwhFrontend(_hwhfile=text))
    fields = {
        "ps_name": parsed.ps_name,
        "family": PROCESSING_SYSTEMS[parsed.family_ps],
        "partial": False,
        "ip_dict": parsed.ip_dict,
        "mem_dict": parsed.mem_dict,
        "clock_dict": parsed.clock_dict,
        "interrupt_controllers": parsed.interrupt_controllers,
        "interrupt_pins": parsed.interrupt_pins,
        "gpio_dict": parsed.gpio_dict,
        "hierarchy_dict": parsed.hierarchy_dict,
    }
    add_ranges(fields, root)
    add_interrupts(fields, root)
    return fields


def _partial(root: ElementTree.Element) -> dict[str, Any]:
    ip, memories, hierarchies = read_partial(root)
    return {
        "ps_name": "",
        "family": None,
        "partial": True,
        "ip_dict": ip,
        "mem_dict": memories,
        "clock_dict": {},
        "interrupt_controllers": {},
        "interrupt_pins": {},
        "gpio_dict": {},
        "hierarchy_dict": hierarchies,
    }


def _limit_resources() -> None:
    # Elsewhere these limits are missing or do not hold; the deadline of the parent does.
    if sys.platform != "linux":
        return

    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    # What is already mapped counts: threads and libraries of a large host reserve gigabytes they never use.
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + _MEMORY
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    main()
