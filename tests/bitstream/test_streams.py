"""AXI4-Stream connections of a description."""

import pytest

from pynq_async.bitstream import load_design, shipped_description
from pynq_async.bitstream.codec import design_from
from pynq_async.bitstream.parse import parse_description

from .descriptions import GPIO_MODULE, SYSTEM, zynq_description

STREAM = "xilinx.com:interface:axis:1.0"


def module(path: str, *interfaces: str) -> str:
    instance = path.replace("/", "_")
    return (
        f'<MODULE FULLNAME="/{path}" INSTANCE="{instance}" MODTYPE="core" VLNV="acme.com:user:core:1.0">'
        f"<PARAMETERS/><PORTS/><BUSINTERFACES>{''.join(interfaces)}</BUSINTERFACES></MODULE>"
    )


def interface(name: str, kind: str, net: str, vlnv: str = STREAM) -> str:
    return f'<BUSINTERFACE BUSNAME="{net}" NAME="{name}" TYPE="{kind}" VLNV="{vlnv}"/>'


def streams(*modules: str) -> dict[str, str]:
    description = SYSTEM.format(external="", modules="".join(modules)).encode()
    return design_from(parse_description(description)).streams


@pytest.mark.parametrize(("source", "sink"), [("INITIATOR", "TARGET"), ("MASTER", "SLAVE"), ("MASTER", "TARGET")])
def test_a_source_is_joined_to_its_sink_by_their_net(source: str, sink: str) -> None:
    assert streams(
        module("dma", interface("M_AXIS_MM2S", source, "net_1"), interface("S_AXIS_S2MM", sink, "net_2")),
        module("video/fir", interface("in", sink, "net_1"), interface("out", source, "net_2")),
    ) == {"dma/M_AXIS_MM2S": "video/fir/in", "video/fir/out": "dma/S_AXIS_S2MM"}


def test_what_is_no_stream_or_has_one_end_only_is_left_out() -> None:
    assert not streams(
        module("a", interface("out", "MASTER", "edge"), interface("open", "MASTER", "__NOC__")),
        module(
            "b",
            interface("open", "SLAVE", "__NOC__"),
            interface("m", "MASTER", "axi", "xilinx.com:interface:aximm:1.0"),
        ),
        module(
            "c", interface("s", "SLAVE", "axi", "xilinx.com:interface:aximm:1.0"), interface("watch", "MONITOR", "edge")
        ),
        module("d", '<BUSINTERFACE NAME="bare"/>', interface("unnamed", "SLAVE", "")),
    )


def test_a_part_and_a_whole_design_have_streams_alike() -> None:
    joined = module("x", interface("o", "MASTER", "n")) + module("y", interface("i", "SLAVE", "n"))
    whole = zynq_description().replace(b"</MODULES>", joined.encode() + b"</MODULES>")
    assert design_from(parse_description(whole)).streams == {"x/o": "y/i"} == streams(joined)
    assert not streams(GPIO_MODULE.format(path="leds", instance="leds"))


async def test_the_resizers_dma_feeds_its_core_and_is_fed_by_it() -> None:
    expected = {
        "axi_dma_0/M_AXIS_MM2S": "axis_dwidth_converter_0/S_AXIS",
        "axis_dwidth_converter_0/M_AXIS": "resize_accel_0/src",
        "resize_accel_0/dst": "axis_dwidth_converter_1/S_AXIS",
        "axis_dwidth_converter_1/M_AXIS": "axi_dma_0/S_AXIS_S2MM",
    }

    for _ in ("parsed", "cached"):
        assert (await load_design(shipped_description("resizer"))).streams == expected
