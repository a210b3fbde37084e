"""The LEDs, buttons and switches of the real designs, and their registers against ours."""

import asyncio
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from pynq_async import Design, Overlay, RemoteDevice, load_bitstream, load_design
from pynq_async.hardware import axi_gpio, axi_timer
from pynq_async.sim import SimBoard, SimDesign, serve
from tests.overlay.test_real_designs import overlay_file


class Names(NamedTuple):
    """What the parts of a design are called."""

    leds: str
    buttons: str
    switches: str
    colours: str | None


NAMES = {
    "pynq-z2-base": Names("leds_gpio", "btns_gpio", "switches_gpio", "rgbleds_gpio"),
    "zcu104-base": Names("gpio_leds", "gpio_btns", "gpio_sws", None),
}


def gpio_of(design: Design) -> list[str]:
    return [name for name, ip in design.ip.items() if ip.type == "xilinx.com:ip:axi_gpio:2.0"]


@pytest.mark.parametrize("name", NAMES)
async def test_leds_buttons_and_switches_of_a_real_design(name: str) -> None:
    bitstream = await load_bitstream(overlay_file(name))
    design = await load_design(bitstream)
    sim = SimBoard(designs=[SimDesign(design, digest=bitstream.digest)])
    parts = NAMES[name]

    async with serve(sim) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, bitstream, design=design)
        leds, buttons, switches = overlay[parts.leds], overlay[parts.buttons], overlay[parts.switches]
        assert len(leds.channel1) == len(buttons.channel1) == 4
        assert axi_gpio.INTERRUPT_PIN in buttons.interrupts and axi_gpio.INTERRUPT_PIN in switches.interrupts
        await leds.channel1.write(0b1010)
        await leds[0].on()
        await leds[3].toggle()
        assert sim.ip[parts.leds].output(1) == 0b0011

        if parts.colours is not None:
            await overlay[parts.colours].channel1[3:6].write(0b101)
            assert sim.ip[parts.colours].output(1) == 0b101_000

        sim.ip[parts.switches].set_input(1, 0b01)
        assert await switches.channel1.read() == 0b01

        async with asyncio.TaskGroup() as group:
            pressed = group.create_task(buttons[2].wait_for_value(1, timeout=5))
            turned = group.create_task(switches.channel1.wait_for_change(timeout=5, since=0b01))
            sim.ip[parts.buttons].set_input(1, 0b0001)
            sim.ip[parts.switches].set_input(1, 0b11)
            assert await turned == 0b11
            assert not pressed.done()
            sim.ip[parts.buttons].set_input(1, 0b0100)

        assert sim.counters.bus_errors == 0


@pytest.mark.parametrize("name", NAMES)
async def test_the_registers_of_the_gpio_are_those_of_a_real_design(name: str) -> None:
    design = await load_design(overlay_file(name).with_suffix(".hwh"))

    for described in (design.ip[gpio].registers for gpio in gpio_of(design)):
        assert {name: entry["address_offset"] for name, entry in described.items()} == axi_gpio.REGISTERS
        assert described["GIER"]["fields"]["INT_EN"]["bit_offset"] == axi_gpio.GLOBAL_ENABLE.bit_length() - 1

        for number, bit in axi_gpio.CHANNEL_INTERRUPT.items():
            assert described["IP_IER"]["fields"][f"CH{number}_INT_EN"]["bit_offset"] == bit.bit_length() - 1
            assert described["IP_ISR"]["fields"][f"CH{number}_INT_S"]["bit_offset"] == bit.bit_length() - 1

    parameters = {*design.ip[gpio_of(design)[0]].parameters}
    assert {axi_gpio.IS_DUAL, axi_gpio.INTERRUPT_PRESENT} <= parameters

    for by_channel in (
        axi_gpio.WIDTH,
        axi_gpio.ALL_INPUTS,
        axi_gpio.ALL_OUTPUTS,
        axi_gpio.DATA_DEFAULT,
        axi_gpio.TRI_DEFAULT,
    ):
        assert {*by_channel.values()} <= parameters


def test_the_registers_of_the_timer_are_those_of_a_real_design() -> None:
    """The real designs have timers, but where only their own processors can address them: not in `ip_dict`."""
    tree = ElementTree.parse(overlay_file("pynq-z2-base").with_suffix(".hwh"))
    timer = tree.find(".//MODULE[@MODTYPE='axi_timer']")
    assert timer is not None
    offsets = {}
    bits: dict[tuple[str, str | None], int] = {}

    for register in timer.iter("REGISTER"):
        name = register.get("NAME", "")
        offsets[name] = _number(register, "ADDRESS_OFFSET")
        bits |= {(name, field.get("NAME")): _number(field, "BIT_OFFSET") for field in register.iter("FIELD")}

    assert offsets == axi_timer.REGISTERS
    of_timer = {
        (register, name): bit
        for (register, name), bit in bits.items()
        if register.startswith("TCSR") and not (register == "TCSR1" and name == "CASC")
    }
    expected = {}

    for index in (0, 1):
        for name, mask in axi_timer.BITS.items():
            called = f"T{index}INT" if name == "INT" else name if name in ("ENALL", "CASC") else f"{name}{index}"

            if (index, name) != (1, "CASC"):
                expected[f"TCSR{index}", called] = mask.bit_length() - 1

    assert of_timer == expected
    parameters = {parameter.get("NAME") for parameter in timer.iter("PARAMETER")}
    assert {axi_timer.COUNT_WIDTH, axi_timer.ONE_TIMER_ONLY, axi_timer.FREQUENCIES[0], *axi_timer.ACTIVE_HIGH} <= (
        parameters
    )


def _number(element: ElementTree.Element, name: str) -> int:
    found = element.find(f"./PROPERTY[@NAME='{name}']")
    assert found is not None
    return int(found.get("VALUE", ""), 0)
