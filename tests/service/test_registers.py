"""Registers and memories of a design, over HTTP."""

from typing import Any

import pytest

from pynq_async.bitstream import synthetic_kernel
from pynq_async.errors import BoardError
from pynq_async.sim import SimBoard

from ..boards import under_faults
from ..designs import design, ip, memory, register
from .services import Running, problem, running
from .test_programming import program
from .uploads import upload_design

MIXER = {
    "CTRL": register(0, EN=(0, 1), MODE=(4, 2)),
    "STATUS": register(4, "read-only", BUSY=(0, 1)),
    "COMMAND": register(8, "write-only", GO=(0, 1), LEVEL=(8, 8)),
    "WIDE": {"address_offset": 16, "size": 64, "access": "read-write", "fields": {}},
}
DESIGN = design(
    {
        "io/mixer": ip("acme.com:user:mixer:1.0", 0x43C0_0000, 0x1000, registers=MIXER),
        "dot": synthetic_kernel("dot", 0x4300_0000, {"a": 32}),
    },
    memories={"lines": memory(0x4200_0000, 0x1000)},
)
REGISTERS = "/api/boards/a/registers?ip=io/mixer"
MMIO = "/api/boards/a/mmio?ip=io/mixer"


async def loaded(it: Running) -> None:
    """Lease a board for alice and program it."""
    await it.lease("a")
    await program(it, await upload_design(it, DESIGN))


async def test_registers_are_read_by_name() -> None:
    async with running() as it:
        await loaded(it)
        it.sims[0].memory.write(0x43C0_0000, (0x21).to_bytes(4, "little"))
        answer = (await it.alice.get(f"{REGISTERS}&register=CTRL")).json()
        value = {"name": "CTRL", "offset": 0, "value": 0x21, "fields": {"EN": 1, "MODE": 2}}
        assert answer == {"ip": "io/mixer", "registers": [value]}
        several = (await it.alice.get(f"{REGISTERS}&register=STATUS&register=CTRL&register=CTRL")).json()
        assert [one["name"] for one in several["registers"]] == ["STATUS", "CTRL"]
        everything = (await it.alice.get(REGISTERS)).json()
        assert [one["name"] for one in everything["registers"]] == ["CTRL", "STATUS", "WIDE"]


async def test_what_changes_by_being_read_is_read_when_it_is_named_only() -> None:
    async with running() as it:
        await loaded(it)
        path = "/api/boards/a/registers?ip=dot"
        names = [one["name"] for one in (await it.alice.get(path)).json()["registers"]]
        assert "GIER" in names and "CTRL" not in names
        assert (await it.alice.get(f"{path}&register=CTRL")).json()["registers"][0]["name"] == "CTRL"


async def test_a_register_is_written_whole_or_by_fields() -> None:
    async with running() as it:
        await loaded(it)

        async def write(name: str, body: dict[str, Any]) -> Any:
            answer = await it.alice.put(f"{REGISTERS}&register={name}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        assert await write("CTRL", {"value": 0x1}) == {"ip": "io/mixer", "register": "CTRL", "offset": 0, "value": 1}
        assert (await write("CTRL", {"fields": {"MODE": 3}}))["value"] == 0x31
        assert (await write("COMMAND", {"fields": {"LEVEL": 7, "GO": 1}}))["value"] == 0x701
        assert (await write("CTRL", {"value": -1}))["value"] == 0xFFFF_FFFF
        assert (await write("WIDE", {"value": 1 << 40}))["value"] == 1 << 40
        memory = it.sims[0].memory
        assert memory.read(0x43C0_0008, 4) == (0x701).to_bytes(4, "little")
        assert memory.read(0x43C0_0010, 8) == (1 << 40).to_bytes(8, "little")


async def test_words_are_read_and_written_by_offset() -> None:
    async with running() as it:
        await loaded(it)

        for path in (MMIO, "/api/boards/a/mmio?ip=lines"):
            body = {"value": 0x1122_3344_5566_7788}
            assert (await it.alice.put(f"{path}&offset=32&length=8", json=body)).status_code == 200
            assert (await it.alice.put(f"{path}&offset=40", json={"value": -2})).json()["value"] == 0xFFFF_FFFE
            answer = (await it.alice.get(f"{path}&offset=32&length=8")).json()
            assert answer == {"ip": path.partition("=")[2], "offset": 32, "length": 8, **body}
            assert (await it.alice.get(f"{path}&offset=36")).json()["value"] == 0x1122_3344


@pytest.mark.parametrize(
    "query, status, kind",
    [
        ("registers?ip=nothing", 404, "not-in-design"),
        ("registers?ip=", 404, "not-in-design"),
        ("registers?ip=io", 404, "not-in-design"),
        ("registers?ip=../../etc", 404, "not-in-design"),
        ("registers?ip=io/mixer&register=NONE", 404, "not-in-design"),
        ("registers?ip=io/mixer&register=COMMAND", 422, "misuse"),
        ("registers", 422, "invalid-request"),
        ("mmio?ip=lines", 422, "invalid-request"),
        ("mmio?ip=lines&offset=4096", 422, "out-of-range"),
        ("mmio?ip=lines&offset=4092&length=8", 422, "out-of-range"),
        ("mmio?ip=lines&offset=1180591620717411303424", 422, "out-of-range"),
        ("mmio?ip=lines&offset=2", 422, "misaligned"),
        ("mmio?ip=lines&offset=-4", 422, "invalid-request"),
        ("mmio?ip=lines&offset=0&length=3", 422, "invalid-request"),
        ("mmio?ip=lines&offset=x", 422, "invalid-request"),
    ],
)
async def test_what_is_not_in_the_design_is_not_read(query: str, status: int, kind: str) -> None:
    async with running() as it:
        await loaded(it)
        reads = it.sims[0].counters.calls["mmio.read"]
        problem(await it.alice.get(f"/api/boards/a/{query}"), status, kind)
        assert it.sims[0].counters.calls["mmio.read"] == reads


@pytest.mark.parametrize(
    "path, body, kind",
    [
        (f"{REGISTERS}&register=STATUS", {"value": 1}, "misuse"),
        (f"{REGISTERS}&register=CTRL", {"value": 1 << 32}, "out-of-range"),
        (f"{REGISTERS}&register=CTRL", {"value": -(1 << 31) - 1}, "out-of-range"),
        (f"{REGISTERS}&register=CTRL", {"fields": {"MODE": 4}}, "out-of-range"),
        (f"{REGISTERS}&register=CTRL", {"fields": {"MODE": -1}}, "out-of-range"),
        (f"{REGISTERS}&register=CTRL", {}, "invalid-argument"),
        (f"{REGISTERS}&register=CTRL", {"value": 1, "fields": {"EN": 1}}, "invalid-argument"),
        (f"{REGISTERS}&register=CTRL", {"value": "1"}, "invalid-request"),
        (f"{REGISTERS}&register=CTRL", {"value": True}, "invalid-request"),
        (f"{REGISTERS}&register=CTRL", {"value": 1.5}, "invalid-request"),
        (f"{REGISTERS}&register=CTRL", {"fields": {"EN": True}}, "invalid-request"),
        (f"{REGISTERS}&register=CTRL", {"values": 1}, "invalid-request"),
        (REGISTERS, {"value": 1}, "invalid-request"),
        (f"{MMIO}&offset=4096", {"value": 1}, "out-of-range"),
        (f"{MMIO}&offset=0", {"value": 1 << 32}, "out-of-range"),
        (f"{MMIO}&offset=0&length=8", {"value": 1 << 64}, "out-of-range"),
        (f"{MMIO}&offset=1", {"value": 1}, "misaligned"),
        (f"{MMIO}&offset=0", {}, "invalid-request"),
    ],
)
async def test_what_cannot_be_written_is_refused(path: str, body: dict[str, Any], kind: str) -> None:
    async with running() as it:
        await loaded(it)
        writes = it.sims[0].counters.calls["mmio.write"]
        problem(await it.alice.put(path, json=body), 422, kind)
        assert it.sims[0].counters.calls["mmio.write"] == writes


async def test_a_field_that_is_not_there_is_told() -> None:
    async with running() as it:
        await loaded(it)
        answer = await it.alice.put(f"{REGISTERS}&register=CTRL", json={"fields": {"SPEED": 1}})
        assert "there are EN, MODE" in problem(answer, 404, "not-in-design")


async def test_registers_are_for_whoever_has_the_board() -> None:
    async with running() as it:
        problem(await it.alice.get(REGISTERS), 409, "not-leased")
        await it.lease("a")
        problem(await it.alice.get(REGISTERS), 404, "no-design")
        await program(it, await upload_design(it, DESIGN))

        for path in (REGISTERS, f"{MMIO}&offset=0"):
            problem(await it.bob.get(path), 403, "not-your-lease")
            problem(await it.carol.get(path), 403, "insufficient-scope")
            problem(await it.nobody.get(path), 401, "missing-token")

        problem(await it.bob.put(f"{MMIO}&offset=0", json={"value": 1}), 403, "not-your-lease")
        problem(await it.alice.get("/api/boards/z/registers?ip=x"), 404, "no-such-board")


async def test_the_next_holder_finds_the_design() -> None:
    async with running() as it:
        lease = await it.lease("a")
        await program(it, await upload_design(it, DESIGN))
        await it.alice.delete(f"/api/leases/{lease}")
        await it.lease("a", it.bob)
        assert (await it.bob.get(REGISTERS)).status_code == 200


async def test_registers_of_a_design_that_is_gone_are_refused() -> None:
    async with running() as it:
        await loaded(it)
        await program(it, await upload_design(it, DESIGN, 1))
        assert (await it.alice.get(REGISTERS)).status_code == 200
        await it.sims[0].reboot()

        for _ in range(3):  # the first may meet the connection that broke
            answer = await it.alice.get(REGISTERS)
            assert answer.status_code in (409, 502), answer.text

        assert answer.json()["type"].endswith(("design-replaced", "board-rebooted")), answer.text


async def test_a_board_that_answers_late_or_not_at_all_is_told() -> None:
    sim = SimBoard()

    async with running(sim) as it:
        await loaded(it)

        for method, verb, body in (("mmio.read", "GET", None), ("mmio.write", "PUT", {"value": 1})):

            async def ask(verb: str = verb, body: Any = body) -> None:
                answer = await it.alice.request(verb, f"{REGISTERS}&register=CTRL", json=body)

                if answer.status_code != 200:
                    assert answer.status_code == 502 and answer.json()["board"] == "a", answer.text
                    raise BoardError(sim.address, answer.json()["detail"])

            await under_faults(sim, method, ask)
