import inspect
from typing import Any

import pytest

from pynq_async.bitstream import (
    SyntheticIp,
    parse_bitstream,
    read_bitstream,
    synthetic_bitstream,
    synthetic_design,
)
from pynq_async.errors import BitstreamError, InvalidArgument


def test_a_made_up_design_has_the_dictionaries_of_a_real_one() -> None:
    design = synthetic_design(
        {
            "video/in/sync": SyntheticIp(
                "acme.com:user:sync:1.0",
                0x43C0_0000,
                0x1000,
                parameters={"C_LINES": 480},
                registers={"CTRL": 0x0, "MODE": {"address_offset": 4, "access": "read-only"}},
                interrupts={"frame": ("intc", 2)},
            ),
            "video/lines": SyntheticIp("BRAM", 0x4000_0000),
            "intc": SyntheticIp("xilinx.com:ip:axi_intc:4.1", 0x4180_0000),
            "inner": SyntheticIp("xilinx.com:ip:axi_intc:4.1", 0x4181_0000, interrupts={"irq": ("intc", 5)}),
            "button": SyntheticIp("acme.com:user:button:1.0", 0x4120_0000, interrupts={"press": ("", 3)}),
        },
        streams={"video/in/sync/M_AXIS": "video/in/sync/S_AXIS"},
    )
    sync = design.ip["video/in/sync"]
    assert (sync.address, sync.size, sync.parameters["C_LINES"]) == (0x43C0_0000, 0x1000, "480")
    assert sync.registers["CTRL"]["address_offset"] == 0 and sync.registers["MODE"]["access"] == "read-only"
    assert list(design.mem_dict) == ["video/lines"]
    assert design.hierarchy_dict["video"]["memories"].keys() == {"lines"}
    assert design.hierarchy_dict["video"]["hierarchies"].keys() == {"in"}
    assert design.hierarchy_dict["video/in"]["ip"].keys() == {"sync"}
    assert design.interrupt_pins["video/in/sync/frame"]["controller"] == "intc"
    assert design.interrupt_pins["button/press"]["raw_irq"] == 64
    assert design.interrupt_controllers["intc"] == {"parent": "", "index": 0, "raw_irq": 61}
    assert design.interrupt_controllers["inner"] == {"parent": "intc", "index": 5}
    assert design.streams == {"video/in/sync/M_AXIS": "video/in/sync/S_AXIS"}
    assert (design.family, design.partial, design.ps_name) == ("zynq7000", False, "ps")


def test_a_made_up_design_of_a_region_has_no_processing_system() -> None:
    design = synthetic_design({"fir": SyntheticIp("acme.com:user:fir:1.0", 0x4000_0000)}, partial=True)
    assert design.family is None and design.partial and list(design.ip_dict) == ["fir"]


def test_an_interrupt_must_go_to_an_interrupt_controller() -> None:
    with pytest.raises(InvalidArgument, match=r"a/irq: 'b' is no interrupt controller"):
        synthetic_design({"a": SyntheticIp("acme.com:user:a:1.0", 0x4000_0000, interrupts={"irq": ("b", 0)})})


def counter(address: Any = 0x4000_0000, **others: Any) -> SyntheticIp:
    return SyntheticIp("acme.com:user:counter:1.0", address, **others)


@pytest.mark.parametrize(
    ("ip", "words"),
    [
        (
            {"a": SyntheticIp("axi_gpio", 0x4000_0000)},
            "a: 'axi_gpio' is no type; write vendor, library, name and version",
        ),
        ({"a": SyntheticIp("xilinx.com:ip:axi_gpio", 0x4000_0000)}, "a: 'xilinx.com:ip:axi_gpio' is no type"),
        ({"a": counter("0x4000_0000")}, "a: its address is a multiple of 4 from 0 on, not '0x4000_0000'"),
        ({"a": counter(0x4000_0002)}, "a: its address is a multiple of 4 from 0 on, not 0x40000002"),
        ({"a": counter(-4)}, "a: its address .* not -0x4"),
        ({"a": counter(size=0)}, "a: its size is a multiple of 4 from 4 on, not 0x0"),
        ({"b": counter(0x4000_8000), "a": counter()}, "b: at 0x40008000 there is a already, with 0x10000 bytes"),
        ({"a": counter(registers={"CTRL": {"fields": {}}})}, "a: the register CTRL has no address_offset"),
        (
            {"a": counter(registers={"CTRL": {"address_offset": 0, "fields": {"EN": {"bit_offset": 0}}}})},
            "a: the field CTRL.EN has no bit_width",
        ),
        ({"a": "acme.com:user:counter:1.0"}, "a: 'acme.com:user:counter:1.0' is no SyntheticIp"),
    ],
)
def test_what_cannot_be_in_a_design_is_refused(ip: Any, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        synthetic_design(ip)


@pytest.mark.parametrize("streams", [{"a/OUT": "b/IN"}, {"b/OUT": "a/IN"}, {"a/OUT": "a"}])
def test_a_stream_joins_ip_of_the_design(streams: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument, match=r"the stream at '.*' belongs to no IP of this design"):
        synthetic_design({"a": counter()}, streams=streams)


def test_a_family_of_devices_is_known() -> None:
    with pytest.raises(InvalidArgument, match="'zynq' is no family of devices; there are zynq7000"):
        synthetic_design({"a": counter()}, family="zynq")  # type: ignore[arg-type]


def test_the_example_of_a_register_with_fields_stands() -> None:
    example = (inspect.getdoc(SyntheticIp) or "").partition("SyntheticIp(")[2].partition("\n\nAttributes")[0]
    mixer = eval(f"SyntheticIp({example}", {"SyntheticIp": SyntheticIp})
    registers = synthetic_design({"mixer": mixer}).ip["mixer"].registers
    assert registers["STATUS"]["address_offset"] == 4 and registers["CTRL"]["fields"]["MODE"]["bit_width"] == 2


def test_bytes_are_read_as_the_file_is(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("bits") / "small.bit"
    path.write_bytes(synthetic_bitstream())
    from_file, from_bytes = (
        read_bitstream(path),
        parse_bitstream("small.bit", synthetic_bitstream(), description=b"<x/>"),
    )
    assert (from_bytes.name, from_bytes.digest, from_bytes.part) == ("small.bit", from_file.digest, "7z020clg400")
    assert from_bytes.description == b"<x/>" and from_bytes.description_source == "small.hwh"

    with pytest.raises(BitstreamError, match="is no bitstream by its name"):
        parse_bitstream("small.txt", synthetic_bitstream())

    with pytest.raises(BitstreamError, match=r"small\.bit"):
        parse_bitstream("small.bit", b"nonsense")
