from xml.etree import ElementTree

import pytest

from pynq_async.bitstream import Design
from pynq_async.bitstream.codec import design_from
from pynq_async.bitstream.parse import parse_description
from pynq_async.bitstream.ranges import add_ranges

from .blocks import Block, described

KERNEL = described(Block("io/kernel", "acme", interfaces=("s_axi_control", "s_axi_control_r")))


def parse(data: bytes) -> Design:
    return design_from(parse_description(data))


def test_every_address_range_of_an_ip_is_listed_once() -> None:
    design = parse(KERNEL)
    ranges = {(entry["mem_id"], entry["phys_addr"]) for name, entry in design.ip_dict.items() if name != "ps"}
    other = next(name for name in design.ip if name != "io/kernel")

    assert ranges == {("s_axi_control", 0x4000_0000), ("s_axi_control_r", 0x4001_0000)}
    assert len(design.ip) == 2
    assert other == f"io/kernel/{design.ip_dict[other]['mem_id']}"
    assert design.ip_dict[other]["fullpath"] == "io/kernel"
    assert design.ip_dict[other].keys() == design.ip_dict["io/kernel"].keys()


def test_registers_of_an_ip_that_is_memory_too_are_listed() -> None:
    data = KERNEL.replace(b'MEMTYPE="REGISTER"', b'MEMTYPE="MEMORY"', 1)

    design = parse(data)

    assert design.mem_dict["io/kernel"]["mem_id"] == "s_axi_control"
    assert design.ip["io/kernel/s_axi_control_r"].address == 0x4001_0000


def test_ip_with_one_address_range_gets_no_other() -> None:
    design = parse(described(Block("kernel", interfaces=("s_axi_control",))))

    assert design.ip.keys() == {"kernel"}


@pytest.mark.parametrize("name", ["BASEVALUE", "HIGHVALUE", "INSTANCE", "SLAVEBUSINTERFACE", "MEMTYPE"])
@pytest.mark.parametrize("value", [None, "", "x"])
def test_ranges_that_make_no_sense_are_left_out(name: str, value: str | None) -> None:
    fields = parse_description(described(Block("io/kernel", "acme")))
    root = ElementTree.fromstring(KERNEL)

    for memory in root.iter("MEMRANGE"):
        del memory.attrib[name]

        if value is not None:
            memory.set(name, value)

    before = dict(fields["ip_dict"])
    fields["ip_dict"]["io/kernel"]["mem_id"] = "another"
    add_ranges(fields, root)

    assert fields["ip_dict"].keys() - before.keys() <= {"io/kernel/x"}
