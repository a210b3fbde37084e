import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pynq_async.bitstream import Design, PlClock, shipped_description
from pynq_async.bitstream.clocks import pl_clocks
from pynq_async.bitstream.codec import decode, design_from, encode
from pynq_async.bitstream.parse import parse_description
from pynq_async.errors import DesignError, InvalidArgument

from .descriptions import zynq_description, zynq_parameters

PACKAGE = find_spec("pynqmetadata")
assert PACKAGE is not None
assert PACKAGE.submodule_search_locations
GOLDEN = Path(PACKAGE.submodule_search_locations[0]) / "tests" / "golden_dicts" / "resizer"


@pytest.fixture(scope="module")
def resizer() -> Design:
    return design_from(parse_description(shipped_description("resizer")))


@pytest.fixture(scope="module")
def rfsoc() -> Design:
    return design_from(parse_description(shipped_description("rfsoc_sam")))


def differences(golden: Any, found: Any, path: str = "") -> list[str]:
    """What `golden` has and `found` lacks or has otherwise; what `found` has beyond it is no difference."""
    if isinstance(golden, dict) and isinstance(found, dict):
        missing = [f"{path}/{key} is missing" for key in golden if key not in found]
        shared = [key for key in golden if key in found]
        return missing + [line for key in shared for line in differences(golden[key], found[key], f"{path}/{key}")]

    return [] if golden == found else [f"{path}: {golden!r} became {found!r}"]


@pytest.mark.parametrize(
    "name",
    [
        "ip_dict",
        "clock_dict",
        "gpio_dict",
        "hierarchy_dict",
        "interrupt_controllers",
        "interrupt_pins",
    ],
)
def test_resizer_agrees_with_pynqmetadatas_golden_dictionaries(resizer: Design, name: str) -> None:
    # Left out: mem_dict, whose golden PSDDR is PYNQ's own, as in pynqmetadata's test; the objects that PYNQ binds.
    text = (GOLDEN / f"{name}_golden.json").read_text().replace('"<not serializable>"', "null")
    golden = json.loads(text)
    found = json.loads(json.dumps(getattr(resizer, name)))

    assert differences(golden, found) == []


def test_rfsoc_design_has_its_processing_system_and_hierarchies(rfsoc: Design) -> None:
    assert (rfsoc.ps_name, rfsoc.family, rfsoc.partial) == ("zynq_ultra_ps_e", "zynqmp", False)
    assert rfsoc.ip["radio/rfdc"].address == 0xB000_0000
    assert list(rfsoc.hierarchy_dict["radio"]["ip"]) == ["rfdc"]
    assert rfsoc.hierarchy_dict["radio"]["hierarchies"]["receiver"] == rfsoc.hierarchy_dict["radio/receiver"]


def test_ip_view_shows_address_parameters_and_registers(resizer: Design) -> None:
    dma = resizer.ip["axi_dma_0"]

    assert (dma.name, dma.type, dma.address, dma.size) == (
        "axi_dma_0",
        "xilinx.com:ip:axi_dma:7.1",
        0x4040_0000,
        0x1_0000,
    )
    assert dma.registers["MM2S_DMASR"]["address_offset"] == 4
    assert dma.parameters["C_INCLUDE_SG"] == "0"
    assert resizer.ps_name not in resizer.ip


def test_clocks_of_a_zynq_take_the_achieved_frequency(resizer: Design) -> None:
    clocks = resizer.pl_clocks()

    assert clocks[0] == PlClock(index=0, enabled=True, mhz=100.0, divisor0=4, divisor1=4, reference_mhz=33.333333)
    assert [clocks[index].enabled for index in range(4)] == [True, False, False, False]
    assert clocks[3].mhz == 10.0


def test_clocks_of_a_zynq_fall_back_to_the_requested_frequency() -> None:
    clocks = design_from(parse_description(zynq_description())).pl_clocks()

    assert [clock.mhz for clock in clocks.values()] == [100.0, 101.0, 102.0, 103.0]
    assert [clock.enabled for clock in clocks.values()] == [True, True, False, False]
    assert clocks[1].reference_mhz == 50.0


def test_clocks_of_a_zynq_ultrascale(rfsoc: Design) -> None:
    clocks = rfsoc.pl_clocks()

    assert (clocks[0].mhz, clocks[0].divisor0, clocks[0].divisor1) == (99.999985, 15, 1)
    assert clocks[0].reference_mhz == 33.33333
    assert [clock.enabled for clock in clocks.values()] == [True, False, False, False]


def test_clocks_of_a_versal_have_one_divisor() -> None:
    parameters = {"PMC_REF_CLK_FREQMHZ": "33.3333", "PMC_CRP_PL0_REF_CTRL_FREQMHZ": "350"}

    clocks = pl_clocks({0: {"enable": 1, "frequency": None, "divisor0": 3}}, parameters, "versal")

    assert clocks[0] == PlClock(0, enabled=True, mhz=350.0, divisor0=3, divisor1=None, reference_mhz=33.3333)


@pytest.mark.parametrize("value", ["", "fast", "0", "-1", "nan", "inf"])
def test_frequencies_that_are_none_are_left_out(value: str) -> None:
    parameters = {"PCW_CRYSTAL_PERIPHERAL_FREQMHZ": value, "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ": value}

    clock = pl_clocks({0: {"enable": 0}}, parameters, "zynq7000")[0]

    assert (clock.mhz, clock.reference_mhz, clock.divisor0) == (None, None, None)


def test_axi_port_widths_of_a_zynq_ultrascale(rfsoc: Design, resizer: Design) -> None:
    assert rfsoc.axi_port_widths() == {
        **{f"C_MAXIGP{port}_DATA_WIDTH": width for port, width in ((0, 128), (1, 128), (2, 32))},
        **{f"C_SAXIGP{port}_DATA_WIDTH": 128 for port in range(7)},
    }
    assert resizer.axi_port_widths() == {}


@pytest.mark.parametrize("kind", ["pr_axi_shutdown_manager:1.0", "dfx_axi_shutdown_manager:1.0"])
def test_shutdown_managers_are_found_by_type(kind: str) -> None:
    data = zynq_description().replace(b"axi_gpio:2.0", kind.encode())

    assert design_from(parse_description(data)).shutdown_managers() == {"io/leds": 0x4120_0000}


def test_designs_without_shutdown_managers_have_none(resizer: Design) -> None:
    assert resizer.shutdown_managers() == {}


def test_parameters_of_the_processing_system_are_read_only(resizer: Design) -> None:
    assert resizer.ps_parameters["PCW_CRYSTAL_PERIPHERAL_FREQMHZ"] == "33.333333"

    with pytest.raises(TypeError):
        resizer.ps_parameters["PCW_CRYSTAL_PERIPHERAL_FREQMHZ"] = "1"  # type: ignore[index]


def test_designs_can_be_compared_and_hashed(resizer: Design, rfsoc: Design) -> None:
    again = design_from(parse_description(shipped_description("resizer")))

    assert resizer == again
    assert len({resizer, again, rfsoc}) == 2
    assert len(repr(resizer)) < 200


def test_processing_system_that_pynqmetadata_cannot_read_is_an_error() -> None:
    parameters = zynq_parameters()
    del parameters["PCW_FPGA_FCLK2_ENABLE"]

    with pytest.raises(Exception, match="clk_id=2"):
        parse_description(zynq_description(parameters))


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"pins": {"b/c", "a"}, "index": 1},
        {0: {"enable": 1, "frequency": None}, 3: {"frequency": 99.99}},
        {"$set": 1},
        {"$items": {"$set": {"x"}}},
        {"a": [{"b": set()}, True, None, "ü\ud800"]},
        {1: {2: {3: {"x"}}}},
    ],
)
def test_encoding_keeps_sets_and_numbers_as_keys(value: Any) -> None:
    assert decode(encode(value)) == value


def test_encoding_refuses_what_it_cannot_give_back() -> None:
    with pytest.raises(TypeError):
        encode({"driver": object()})


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b'{"$set":[{}]}', b'{"$items":[1]}', b'{"$items":[[[],1]]}', b"[" * 99999]
)
def test_decoding_refuses_what_was_not_encoded(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(data)


def test_fields_of_a_design_are_checked(resizer: Design) -> None:
    values = vars(resizer)

    assert design_from(dict(values)) == resizer

    wrongs: list[Any] = [{**values, "ip_dict": []}, {**values, "digest": None}, {**values, "x": 1}, {}, [], None]

    for wrong in wrongs:
        with pytest.raises(ValueError, match="no design"):
            design_from(wrong)


def test_shipped_descriptions_are_the_ones_that_were_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"<EDKSYSTEM" in shipped_description("resizer")
    monkeypatch.setattr("pynq_async.bitstream.shipped.read_file", lambda *_: b"another")

    with pytest.raises(DesignError, match="is not the file that pynqmetadata"):
        shipped_description("resizer")

    with pytest.raises(InvalidArgument, match="there are resizer, rfsoc_sam"):
        shipped_description("base")
