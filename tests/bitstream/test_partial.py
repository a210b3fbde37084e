import pytest

from pynq_async.bitstream.codec import design_from
from pynq_async.bitstream.design import Design
from pynq_async.bitstream.parse import parse_description

from .descriptions import GPIO_MODULE, SYSTEM, memrange, partial_description, zynq_description


def parse(data: bytes) -> Design:
    return design_from(parse_description(data))


@pytest.fixture(scope="module")
def partial() -> Design:
    return parse(partial_description())


def test_ip_of_a_part_has_its_address_and_registers(partial: Design) -> None:
    assert partial.partial
    assert (partial.ps_name, partial.family, dict(partial.ps_parameters), partial.pl_clocks()) == ("", None, {}, {})
    assert sorted(partial.ip) == ["leds", "video/sync/gpio"]

    gpio = partial.ip["video/sync/gpio"]
    assert (gpio.type, gpio.address, gpio.size) == ("xilinx.com:ip:axi_gpio:2.0", 0x8001_0000, 0x1000)
    assert gpio.parameters["C_GPIO_WIDTH"] == "4"
    assert gpio.registers["GPIO_DATA"]["fields"]["CH1_DATA"] == {
        "bit_offset": 0,
        "bit_width": 4,
        "access": "read-only",
        "description": "Bits",
    }


def test_memories_of_a_part_are_apart_from_its_ip(partial: Design) -> None:
    assert list(partial.mem_dict) == ["video/lines"]
    assert (partial.mem_dict["video/lines"]["type"], partial.mem_dict["video/lines"]["addr_range"]) == ("BRAM", 0x2000)


def test_hierarchies_of_a_part_hold_what_lies_in_them(partial: Design) -> None:
    video = partial.hierarchy_dict["video"]

    assert sorted(partial.hierarchy_dict) == ["video", "video/sync"]
    assert video["memories"] == {"lines": partial.mem_dict["video/lines"]}
    assert video["hierarchies"] == {"sync": partial.hierarchy_dict["video/sync"]}
    assert video["hierarchies"]["sync"]["ip"] == {"gpio": partial.ip_dict["video/sync/gpio"]}


def test_a_part_and_a_whole_design_describe_ip_in_the_same_shape(partial: Design) -> None:
    ours = partial.ip_dict["leds"]
    theirs = parse(zynq_description()).ip_dict["io/leds"]

    assert {**ours, "phys_addr": 0, "fullpath": ""} == {**theirs, "phys_addr": 0, "fullpath": ""}


def test_a_part_and_a_whole_design_describe_hierarchies_in_the_same_shape(partial: Design) -> None:
    assert partial.hierarchy_dict["video"].keys() == parse(zynq_description()).hierarchy_dict["io"].keys()


def test_ip_with_several_address_ranges_has_a_name_for_each() -> None:
    ranges = memrange("core", 0x8000_0000) + memrange("core", 0x8001_0000, slave="S_AXI_2")
    module = GPIO_MODULE.format(path="core", instance="core")
    external = f"<BUSINTERFACE NAME='S'><MEMORYMAP>{ranges}</MEMORYMAP></BUSINTERFACE>"

    ip = parse(SYSTEM.format(external=external, modules=module).encode()).ip

    assert {name: each.address for name, each in ip.items()} == {"core/S_AXI": 0x8000_0000, "core/S_AXI_2": 0x8001_0000}
    assert list(ip["core/S_AXI"].registers) == ["GPIO_DATA"]
    assert not ip["core/S_AXI_2"].registers
