from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from pynq_async.bitstream import Design, Family, load_design
from pynq_async.bitstream.codec import design_from
from pynq_async.bitstream.interrupts import add_interrupts, read_interrupts
from pynq_async.bitstream.parse import parse_description

from .blocks import Block, concat, controller, described, gpio

# Two GPIO and a controller share the interrupts of the processing system; one more GPIO is behind the controller.
SHARED = described(
    gpio("first", "a"),
    gpio("second", "b"),
    gpio("third", "c"),
    controller("intc", intr="c*1", irq="i"),
    concat("joined", "a*1", "b*1", "i*1", to="lines*3"),
    IRQ_F2P="lines*3",
)

CASCADE = described(
    gpio("near", "a"),
    gpio("far/first", "b"),
    gpio("far/second", "c"),
    concat("far/joined", "b*1", "c*1", to="inner*2"),
    controller("far/intc", intr="inner*2", irq="i"),
    concat("joined", "a*1", "i*1", to="outer*2"),
    controller("intc", intr="outer*2", irq="o"),
    IRQ_F2P="o*1",
)


def parse(data: bytes) -> Design:
    return design_from(parse_description(data))


def read(data: bytes, family: Family = "zynq7000") -> tuple[dict[str, Any], dict[str, Any]]:
    """What our reader alone makes of a description."""
    return read_interrupts(ElementTree.fromstring(data), "ps", family)


def pin(name: str, place: str, index: int, raw_irq: int | None = None) -> dict[str, Any]:
    raw = {} if raw_irq is None else {"raw_irq": raw_irq}
    return {"controller": place, "index": index, **raw, "fullpath": name}


def places(pins: dict[str, Any], *, port: str = "") -> dict[str, tuple[str, int]]:
    return {name: (entry["controller"], entry["index"]) for name, entry in pins.items() if name.endswith(port)}


def test_pin_wired_to_the_processing_system() -> None:
    design = parse(described(gpio("io/leds", "a"), IRQ_F2P="a*1"))
    entry = pin("io/leds/ip2intc_irpt", "", 0, raw_irq=61)

    assert design.interrupt_pins == {
        "io/leds/ip2intc_irpt": entry,
        "ps/IRQ_F2P": pin("ps/IRQ_F2P", "", 0, raw_irq=61),
    }
    assert design.ip_dict["io/leds"]["interrupts"] == {"ip2intc_irpt": entry}
    assert design.hierarchy_dict["io"]["ip"]["leds"]["interrupts"] == {"ip2intc_irpt": entry}
    assert design.interrupt_controllers == {}


def test_pins_wired_to_the_processing_system_through_a_concat_beside_a_controller() -> None:
    design = parse(SHARED)

    for index, name in enumerate(("first", "second")):
        entry = pin(f"{name}/ip2intc_irpt", "", index, raw_irq=61 + index)
        assert design.interrupt_pins[f"{name}/ip2intc_irpt"] == entry
        assert design.interrupt_pins[f"joined/In{index}"] == {**entry, "fullpath": f"joined/In{index}"}
        assert design.ip_dict[name]["interrupts"] == {"ip2intc_irpt": entry}

    assert "joined/In2" not in design.interrupt_pins
    assert design.interrupt_pins["third/ip2intc_irpt"] == pin("third/ip2intc_irpt", "intc", 0)


def test_controller_behind_a_concat_has_the_number_of_its_input() -> None:
    controllers, _ = read(SHARED)

    assert controllers == {"intc": {"parent": "", "index": 2, "raw_irq": 63}}


def test_cascaded_controllers_and_their_pins() -> None:
    design = parse(CASCADE)

    assert design.interrupt_controllers == {
        "intc": {"parent": "", "index": 0, "raw_irq": 61},
        "far/intc": {"parent": "intc", "index": 1},
    }
    assert design.interrupt_pins["near/ip2intc_irpt"] == pin("near/ip2intc_irpt", "intc", 0)

    for index, name in enumerate(("far/first", "far/second")):
        entry = pin(f"{name}/ip2intc_irpt", "far/intc", index)
        assert design.interrupt_pins[f"{name}/ip2intc_irpt"] == entry
        assert design.interrupt_pins[f"far/joined/In{index}"]["controller"] == "far/intc"
        assert design.ip_dict[name]["interrupts"] == {"ip2intc_irpt": entry}


def test_cascade_is_as_long_as_it_is() -> None:
    data = described(
        gpio("leds", "a"),
        controller("third", "a*1", "c"),
        controller("second", "c*1", "b"),
        controller("first", "b*1", "i"),
        IRQ_F2P="i*1",
    )

    controllers, pins = read(data)

    assert {name: entry["parent"] for name, entry in controllers.items()} == {
        "first": "",
        "second": "first",
        "third": "second",
    }
    assert places(pins) == {"leds/ip2intc_irpt": ("third", 0), "third/intr": ("third", 0)}


def test_controller_of_every_pin_is_found_also_in_a_hierarchy() -> None:
    data = described(gpio("io/leds", "a"), controller("io/intc", "a*1", "i"), IRQ_F2P="i*1")

    for design in (parse(data), parse(CASCADE), parse(SHARED)):
        behind = [entry["controller"] for entry in design.interrupt_pins.values() if entry["controller"]]
        assert behind

        for name in behind:
            assert design.interrupt_controllers[name]["parent"] in {"", *design.interrupt_controllers}
            assert design.ip[name].type.startswith("xilinx.com:ip:axi_intc:")


def test_inputs_that_pynqmetadata_counts_wrongly_are_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    # It counts pins on from one controller to the next, where the hardware begins again at 0.
    data = described(
        gpio("left", "a"),
        gpio("right", "b"),
        controller("first", "a*1", "c"),
        controller("second", "b*1", "d"),
        concat("joined", "c*1", "d*1", to="lines*2"),
        IRQ_F2P="lines*2",
    )
    monkeypatch.setattr("pynq_async.bitstream.parse.add_interrupts", lambda *_: None)
    before = parse(data)
    monkeypatch.undo()
    after = parse(data)

    assert before.interrupt_pins["right/ip2intc_irpt"] == pin("right/ip2intc_irpt", "second", 1)
    assert after.interrupt_pins["right/ip2intc_irpt"] == pin("right/ip2intc_irpt", "second", 0)
    assert after.ip_dict["right"]["interrupts"]["ip2intc_irpt"]["index"] == 0
    assert after.interrupt_pins.keys() >= before.interrupt_pins.keys()
    assert after.interrupt_controllers.items() >= before.interrupt_controllers.items()


def test_bits_of_a_vector_have_a_name_each() -> None:
    data = described(
        gpio("leds", "a"),
        Block("core", outputs={"irqs": "b*3"}),
        concat("joined", "a*1", "b*3", to="lines*4"),
        controller("intc", "lines*4", "i"),
        IRQ_F2P="i*1",
    )

    _, pins = read(data)

    assert places(pins) == {
        "leds/ip2intc_irpt": ("intc", 0),
        "joined/In0": ("intc", 0),
        **{f"core/irqs{bit}": ("intc", 1 + index) for index, bit in enumerate(("", "[1]", "[2]"))},
        **{f"joined/In1{bit}": ("intc", 1 + index) for index, bit in enumerate(("", "[1]", "[2]"))},
    }
    assert parse(data).ip_dict["core"]["interrupts"].keys() == {"irqs", "irqs[1]", "irqs[2]"}


def test_vector_wired_to_the_processing_system() -> None:
    _, pins = read(described(Block("core", outputs={"irqs": "a*10"}), IRQ_F2P="a*10"))

    assert [pins[name]["raw_irq"] for name in ("core/irqs", "core/irqs[7]", "core/irqs[8]", "core/irqs[9]")] == [
        61,
        68,
        84,
        85,
    ]


def test_part_of_a_vector_is_followed_through_a_slice() -> None:
    data = described(
        Block("core", outputs={"irqs": "a*8"}),
        Block("part", "xlslice", {"Din": "a*8"}, {"Dout": "b*2"}, {"DIN_FROM": 5, "DIN_TO": 4}, interfaces=()),
        IRQ_F2P="b*2",
    )

    _, pins = read(data)

    assert places(pins, port="]") == {
        "core/irqs[4]": ("", 0),
        "core/irqs[5]": ("", 1),
        "part/Din[4]": ("", 0),
        "part/Din[5]": ("", 1),
    }


@pytest.mark.parametrize("kind", ["xlconcat", "ilconcat"])
def test_concats_in_concats_count_what_is_not_connected_and_constants(kind: str) -> None:
    data = described(
        gpio("first", "a"),
        gpio("second", "b"),
        Block("zero", "xlconstant", outputs={"dout": "z*2"}, interfaces=()),
        concat("inner", "a*1", "", kind=kind, to="c*2"),
        concat("outer", "z*2", "c*2", "*3", "nowhere*1", "b*1", kind=kind, to="lines*9"),
        controller("intc", "lines*9", "i"),
        concat("last", "i*1", kind=kind, to="o*1"),
        IRQ_F2P="o*1",
    )

    controllers, pins = read(data)

    assert controllers == {"intc": {"parent": "", "index": 0, "raw_irq": 61}}
    assert places(pins) == {
        "first/ip2intc_irpt": ("intc", 2),
        "inner/In0": ("intc", 2),
        "second/ip2intc_irpt": ("intc", 8),
        "outer/In4": ("intc", 8),
    }
    assert parse(data).interrupt_controllers.items() >= controllers.items()


def test_pin_at_the_edge_of_the_design_has_the_name_of_its_port() -> None:
    data = described(controller("intc", "a*1", "i"), external={"wake": "a"}, IRQ_F2P="i*1")

    assert parse(data).interrupt_pins["wake"] == pin("wake", "intc", 0)


def test_pin_that_goes_both_ways_is_behind_its_controller() -> None:
    data = described(
        gpio("leds", "a"),
        controller("intc", "a*1", "i"),
        concat("joined", "a*1", "i*1", to="lines*2"),
        IRQ_F2P="lines*2",
    )

    _, pins = read(data)

    assert pins["leds/ip2intc_irpt"] == pin("leds/ip2intc_irpt", "intc", 0)
    assert pins["joined/In0"] == pin("joined/In0", "", 0, raw_irq=61)


def test_controllers_that_lead_to_another_processor_are_left_out() -> None:
    data = described(
        gpio("leds", "a"),
        controller("intc", "a*1", "i"),
        Block("mb", "microblaze", inputs={"Interrupt": "i"}, interfaces=()),
    )

    assert read(data) == ({}, {})


def test_numbers_of_a_zynq_ultrascale_and_of_a_versal() -> None:
    leds = gpio("leds", "a"), gpio("keys", "b")
    both = described(*leds, pl_ps_irq0="a*1", pl_ps_irq1="b*1")
    second = described(*leds, pl_ps_irq1="a*1")
    versal = described(*leds, pl_ps_irq0="a", pl_ps_irq15="b")
    split = described(*leds, pl_lpd_irq1="a", pl_fpd_irq7="b")

    def numbers(data: bytes, family: Family) -> list[int]:
        _, pins = read(data, family)
        return [pins[f"{name}/ip2intc_irpt"]["raw_irq"] for name in ("leds", "keys") if f"{name}/ip2intc_irpt" in pins]

    assert numbers(both, "zynqmp") == [121, 136]
    assert [entry["index"] for entry in read(both, "zynqmp")[1].values()] == [0, 0, 8, 8]
    assert numbers(second, "zynqmp") == [136]
    assert numbers(versal, "versal") == [116, 131]
    assert numbers(split, "versal") == [137, 182]


def test_zynq_that_counts_from_the_last_interrupt() -> None:
    data = described(
        gpio("first", "a"),
        gpio("second", "b"),
        concat("joined", "a*1", "b*1", to="lines*2"),
        parameters={"C_IRQ_F2P_MODE": "REVERSE"},
        IRQ_F2P="lines*2",
    )

    _, pins = read(data)

    assert [pins[f"{name}/ip2intc_irpt"]["raw_irq"] for name in ("first", "second")] == [90, 91]


def test_wires_that_run_in_a_circle_end() -> None:
    circle = described(concat("joined", "lines*1", to="lines*1"), IRQ_F2P="lines*1")
    ring = described(
        controller("first", "b*1", "a"),
        controller("second", "a*1", "b"),
        IRQ_F2P="a*1",
    )

    assert read(circle) == ({}, {})
    assert read(ring)[0].keys() == {"first", "second"}


def attributes(root: Element) -> Iterator[tuple[Element, str]]:
    return ((element, name) for element in root.iter() for name in list(element.attrib))


@pytest.mark.parametrize("value", [None, "", "x", "-1", "99999999999999999999", "__NOC__"])
def test_odd_descriptions_raise_nothing(value: str | None) -> None:
    fields = parse_description(CASCADE)
    root = ElementTree.fromstring(CASCADE)

    for element, name in attributes(root):
        before = element.attrib.pop(name)

        if value is not None:
            element.set(name, value)

        add_interrupts(fields, root)
        element.set(name, before)


async def test_interrupts_are_the_same_from_the_cache() -> None:
    first = await load_design(CASCADE)

    assert first == await load_design(CASCADE) == parse(CASCADE)
