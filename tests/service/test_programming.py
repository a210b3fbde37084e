"""Boards are programmed by their holder, wholly or not at all."""

import asyncio
from typing import Any

import pytest

from pynq_async import Timeouts
from pynq_async.bitstream import parse_bitstream, synthetic_bitstream
from pynq_async.sim import SimBoard

from ..designs import design, ip, memory
from ..farm.farms import several
from .services import Running, problem, running
from .test_events import told
from .test_events import until as up_to
from .uploads import until, upload, upload_design

OLD = design(
    {"leds": ip("xilinx.com:ip:axi_gpio:2.0", 0x4120_0000), "filter/fir": ip("acme.com:user:fir:1.0", 0x43C0_0000)}
)
NEW = design({"buttons": ip("xilinx.com:ip:axi_gpio:2.0", 0x4121_0000)})
IIR = design(
    {"iir": ip("acme.com:user:iir:1.0", 0x43C0_0000, 0x1000)},
    memories={"taps": memory(0x43C0_8000, 0x1000)},
    partial=True,
)
HASTY = Timeouts(connect=0.5, call=0.5, grace=0.05, program=0.5)


def digest_of(seed: int) -> str:
    """Of the bitstream that `upload_design` sends."""
    return parse_bitstream("a.bit", synthetic_bitstream(size=40_000, seed=seed)).digest


async def program(it: Running, stored: dict[str, Any], board: str = "a", **more: Any) -> dict[str, Any]:
    """Program a board as alice."""
    answer = await it.alice.post(f"/api/boards/{board}/program", json={"bitstream": stored["id"], **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def in_fabric(sim: SimBoard) -> str:
    """The digest of what a board runs; it operates."""
    assert sim.fpga.state == "operating" and sim.fpga.loaded is not None
    return sim.fpga.loaded.digest


async def test_a_board_is_programmed() -> None:
    async with running() as it:
        stored = await upload_design(it, OLD)
        await it.lease("a")
        answer = await program(it, stored)
        assert answer == {"name": "design0.bit", "digest": digest_of(0), "uploaded_bytes": 40_000, "ip": 2}
        assert in_fabric(it.sims[0]) == digest_of(0)
        assert (await program(it, stored))["uploaded_bytes"] == 0
        board = (await it.carol.get("/api/boards/a")).json()
        assert (board["design"], board["digest"]) == ("design0.bit", stored["digest"])


async def test_progress_is_told() -> None:
    async with running(served=True) as it, it.carol.stream("GET", "/api/events") as answer:
        events = told(answer)
        await anext(events)
        await it.lease("a")
        await program(it, await upload_design(it, OLD))
        seen = [event async for event in up_to(events, "loaded")]
        assert [data["stage"] for kind, data in seen if kind == "progress"][-3:] == ["upload", "program", "done"]
        assert seen[-1][1] | {"time": 0} == {"board": "a", "time": 0, "name": "design0.bit", "digest": digest_of(0)}


async def test_one_bitstream_goes_to_several_boards_at_once() -> None:
    async with running(*several(3)) as it:
        stored = await upload_design(it, OLD)
        await it.alice.post("/api/leases", json={"count": 3})

        async with asyncio.TaskGroup() as group:
            for board in "abc":
                group.create_task(program(it, stored, board))

        assert {in_fabric(sim) for sim in it.sims} == {digest_of(0)}
        found = it.service.bitstreams.find(stored["id"])
        assert not found.used and found._content is None


async def test_a_bitstream_without_a_description_is_programmed_too() -> None:
    async with running() as it:
        await it.lease("a")
        await program(it, await upload_design(it, OLD))
        assert (await program(it, await upload(it)))["ip"] == 0
        problem(await it.carol.get("/api/boards/a/design"), 404, "no-design")
        answer = await it.alice.post(
            "/api/boards/a/program", json={"bitstream": (await upload(it))["id"], "download": False}
        )
        problem(answer, 422, "design-error")


async def test_what_is_in_the_fabric_already_is_taken_as_it_is() -> None:
    async with running() as it:
        old, new = await upload_design(it, OLD), await upload_design(it, NEW, 1)
        await it.lease("a")
        problem(
            await it.alice.post("/api/boards/a/program", json={"bitstream": old["id"], "download": False}),
            409,
            "not-loaded",
        )
        await program(it, old)
        count = len(it.sims[0].counters.programmed)
        assert (await program(it, old, download=False))["ip"] == 2
        problem(
            await it.alice.post("/api/boards/a/program", json={"bitstream": new["id"], "download": False}),
            409,
            "not-loaded",
        )
        assert len(it.sims[0].counters.programmed) == count


async def test_a_region_is_reconfigured() -> None:
    async with running() as it:
        whole, part = await upload_design(it, OLD), await upload_design(it, IIR, 1)
        await it.lease("a")
        wanted = {"bitstream": part["id"], "partial": True, "region": "filter"}
        problem(await it.alice.post("/api/boards/a/program", json=wanted), 404, "no-design")
        await program(it, whole)
        problem(await it.alice.post("/api/boards/a/program", json=wanted | {"region": "fir"}), 404, "not-in-design")
        problem(await it.alice.post("/api/boards/a/program", json={"bitstream": part["id"]}), 422, "invalid-argument")
        assert (await program(it, part, partial=True, region="filter"))["ip"] == 2
        assert (await it.carol.get("/api/boards/a")).json()["partials"] == ["design1.bit"]
        assert (await program(it, part, partial=True))["uploaded_bytes"] == 0


@pytest.mark.parametrize(
    "more",
    [
        {"bitstream": 1},
        {"colour": "red"},
        {"verify": "no"},
        {"partial": "x"},
        {"region": "filter"},
        {"partial": True, "download": False},
    ],
)
async def test_an_order_that_cannot_be_right_is_refused(more: dict[str, object]) -> None:
    async with running() as it:
        stored = await upload_design(it, OLD)
        await it.lease("a")
        answer = await it.alice.post("/api/boards/a/program", json={"bitstream": stored["id"], **more})
        assert answer.status_code == 422
        assert it.sims[0].counters.programmed == []


async def test_only_the_holder_of_a_board_programs_it() -> None:
    async with running() as it:
        wanted = {"bitstream": (await upload(it))["id"]}
        problem(await it.alice.post("/api/boards/a/program", json=wanted), 409, "not-leased")
        await it.lease("a")
        problem(await it.bob.post("/api/boards/a/program", json=wanted), 403, "not-your-lease")
        problem(await it.root.post("/api/boards/a/program", json=wanted), 403, "not-your-lease")
        problem(await it.carol.post("/api/boards/a/program", json=wanted), 403, "insufficient-scope")
        problem(await it.alice.post("/api/boards/z/program", json=wanted), 404, "no-such-board")
        problem(await it.alice.post("/api/boards/a/program", json={"bitstream": "x"}), 404, "no-such-bitstream")
        assert it.sims[0].counters.programmed == []


async def test_a_bitstream_for_other_boards_is_refused() -> None:
    async with running() as it:
        stored = await upload(it, synthetic_bitstream("xczu7ev-ffvc1156-2-e"))
        await it.lease("a")
        problem(await it.alice.post("/api/boards/a/program", json={"bitstream": stored["id"]}), 422, "wrong-family")


async def test_a_board_is_programmed_by_one_at_a_time_and_its_bitstream_stays_meanwhile() -> None:
    async with running() as it:
        stored = await upload_design(it, OLD)
        await it.lease("a")
        it.sims[0].faults.program_seconds = 0.1

        async with asyncio.TaskGroup() as group:
            group.create_task(program(it, stored))
            await until(lambda: it.sims[0].fpga.state == "write")
            problem(await it.alice.post("/api/boards/a/program", json={"bitstream": stored["id"]}), 409, "fabric-busy")
            problem(await it.alice.delete(f"/api/bitstreams/{stored['id']}"), 409, "bitstream-in-use")

        assert (await it.alice.delete(f"/api/bitstreams/{stored['id']}")).status_code == 204
