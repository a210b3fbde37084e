"""Designs, as they are shown."""

import os
import time
from pathlib import Path

import pytest

from pynq_async.bitstream import load_design, parse_bitstream, synthetic_bitstream, synthetic_kernel
from pynq_async.service.design_view import Design, as_json

from ..bitstream.descriptions import zynq_description
from ..designs import design, ip, memory, register
from .services import problem, running
from .test_programming import IIR, NEW, OLD, program
from .uploads import upload, upload_design

OVERLAYS = Path(os.environ.get("PYNQ_ASYNC_OVERLAYS") or Path(__file__).parents[3] / "shared" / "overlays")


async def test_the_design_of_a_bitstream_is_shown() -> None:
    async with running() as it:
        stored = await upload(it, hwh=zynq_description())
        answer = await it.carol.get(f"/api/bitstreams/{stored['id']}/design")
        shown = Design.model_validate_json(answer.content, strict=True)
        assert (shown.family, shown.partial, shown.hierarchies, shown.memories) == ("zynq7000", False, ["io"], [])
        assert [(clock.index, clock.enabled, clock.mhz) for clock in shown.clocks][:2] == [
            (0, True, 100),
            (1, True, 101),
        ]
        (leds,) = shown.ip
        assert (leds.name, leds.type, leds.address) == ("io/leds", "xilinx.com:ip:axi_gpio:2.0", 0x4120_0000)
        (data,) = leds.registers
        assert (data.name, data.offset, data.access, data.changes_when_read) == ("GPIO_DATA", 0, "read-write", False)
        assert (data.fields[0].name, data.fields[0].bit_width, data.fields[0].access) == ("CH1_DATA", 4, "read-only")


async def test_a_bitstream_without_a_description_has_no_design_to_show() -> None:
    async with running() as it:
        stored = await upload(it)
        problem(await it.carol.get(f"/api/bitstreams/{stored['id']}/design"), 404, "no-design")
        problem(await it.carol.get("/api/bitstreams/x/design"), 404, "no-such-bitstream")


def test_what_is_shown_is_in_order_and_says_what_reading_changes() -> None:
    made = design(
        {
            "late": ip(
                "acme.com:user:late:1.0",
                0x4300_0000,
                registers={"B": 8, "A": register(0, "read-only", Z=(4, 1), Y=(0, 4))},
            ),
            "early": synthetic_kernel("early", 0x4000_0000, {"a": 32}),
        },
        memories={"m": memory(0x4200_0000)},
    )
    shown = Design.model_validate_json(as_json(made), strict=True)
    assert [one.name for one in shown.ip] == ["early", "late"]
    assert [(one.name, one.access) for one in shown.ip[1].registers] == [("A", "read-only"), ("B", "read-write")]
    assert [field.name for field in shown.ip[1].registers[0].fields] == ["Y", "Z"]
    assert [one.name for one in shown.ip[0].registers if one.changes_when_read] == ["CTRL"]
    assert [(one.name, one.type, one.address) for one in shown.memories] == [("m", "BRAM", 0x4200_0000)]


async def test_the_design_of_a_board_outlives_the_lease() -> None:
    async with running() as it:
        problem(await it.carol.get("/api/boards/a/design"), 404, "no-design")
        problem(await it.carol.get("/api/boards/z/design"), 404, "no-such-board")
        lease = await it.lease("a")
        await program(it, await upload_design(it, OLD))
        await it.alice.delete(f"/api/leases/{lease}")
        shown = (await it.carol.get("/api/boards/a/design")).json()
        assert [one["name"] for one in shown["ip"]] == ["leds", "filter/fir"]


async def test_the_design_of_a_board_has_what_is_in_its_regions_now() -> None:
    async with running() as it:
        await it.lease("a")
        await program(it, await upload_design(it, OLD))
        await program(it, await upload_design(it, IIR, 1), partial=True, region="filter")
        shown = (await it.carol.get("/api/boards/a/design")).json()
        assert [one["name"] for one in shown["ip"]] == ["leds", "filter/iir"]
        assert [one["name"] for one in shown["memories"]] == ["filter/taps"]


async def test_a_design_that_was_replaced_is_not_shown() -> None:
    async with running() as it:
        await it.lease("a")
        await program(it, await upload_design(it, OLD))
        (board,) = it.service.farm.values()
        other = synthetic_bitstream(size=4000, seed=7)
        await board.download(parse_bitstream("other.bit", other))
        problem(await it.carol.get("/api/boards/a/design"), 409, "design-replaced")
        await program(it, await upload_design(it, NEW, 1))
        shown = (await it.carol.get("/api/boards/a/design")).json()
        assert [one["name"] for one in shown["ip"]] == ["buttons"]


async def test_a_real_design_is_small_and_quick() -> None:
    if not (hwh := OVERLAYS / "pynq-z2-base" / "base.hwh").exists():
        pytest.skip(f"no real overlay at {hwh.parent}; set PYNQ_ASYNC_OVERLAYS to a folder that holds them")

    made = await load_design(hwh)
    begun = time.process_time()
    data = as_json(made)
    assert time.process_time() - begun < 0.1
    assert len(data) < 300_000
    shown = Design.model_validate_json(data, strict=True)
    assert len(shown.ip) == 20 and sum(len(one.registers) for one in shown.ip) > 200
