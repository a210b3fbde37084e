"""Boards, clients and the service itself end in the middle of work: no lease leaks, no board is half programmed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import pytest

from pynq_async import Health, Timeouts
from pynq_async.bitstream import parse_bitstream, synthetic_bitstream
from pynq_async.service import ServiceOptions
from pynq_async.sim import SimBoard

from ..designs import design, ip
from .services import Running, problem, running
from .sockets import begun, status_of
from .test_leases import freed
from .test_programming import program
from .uploads import files, until, upload_design

LARGE = 1 << 20
OLD = design({"leds": ip("xilinx.com:ip:axi_gpio:2.0", 0x4120_0000)})
NEW = design({"buttons": ip("xilinx.com:ip:axi_gpio:2.0", 0x4121_0000)})
HASTY: dict[str, Any] = {
    "timeouts": Timeouts(connect=5, call=1, stall=1, grace=0.05, program=1),
    "health": Health(interval=0.05, timeout=1),
}


@cache
def digest_of(seed: int, size: int = 40_000) -> str:
    """Of the bitstream that `upload_design` sends."""
    return parse_bitstream("a.bit", synthetic_bitstream(size=size, seed=seed)).digest


def operates(sim: SimBoard, *seeds: int) -> bool:
    """Whether one of these designs is in the fabric, and whole."""
    loaded = sim.fpga.loaded
    digests = {digest_of(seed, size) for seed in seeds for size in (40_000, LARGE)}
    return sim.fpga.state == "operating" and loaded is not None and loaded.digest in digests


async def prepared(it: Running, *, size: int = 40_000) -> bytes:
    """Have the old design in the board and the new one ready; returns the body that asks for it."""
    await it.lease("a")
    await program(it, await upload_design(it, OLD))
    stored = await upload_design(it, NEW, 1, size=size)
    return json.dumps({"bitstream": stored["id"]}).encode()


def uploading(sim: SimBoard) -> Callable[[], object]:
    """A board that takes long to be sent a bitstream, and whether that has begun."""
    sim.faults.bandwidth = 1e6
    calls = sim.counters.calls
    firmware = calls["remote_device.writefile"] + 2  # behind the index of what is on the board
    return lambda: calls["remote_device.writefile"] >= firmware and sim.counters.streams_now


def programming(sim: SimBoard) -> Callable[[], object]:
    """A board that takes long to be programmed, and whether that has begun."""
    sim.faults.program_seconds = 0.2
    return lambda: sim.fpga.state == "write"


PHASES = pytest.mark.parametrize("phase", [uploading, programming])
PATH = "/api/boards/a/program"


@PHASES
async def test_a_client_that_goes_does_not_cut_programming_off(
    phase: Callable[[SimBoard], Callable[[], object]],
) -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it:
        body = await prepared(it, size=LARGE)
        begun_now = phase(sim)

        async with begun(it, it.alice, "POST", PATH, body):
            await until(begun_now)

        sim.faults.bandwidth = None
        await until(lambda: operates(sim, 1))
        (lease,) = it.service.leases
        assert (await it.alice.delete(f"/api/leases/{lease.id}")).status_code == 204
        await it.lease("a", it.bob)
        assert (await it.bob.get("/api/boards/a/registers?ip=buttons")).status_code == 200


@PHASES
async def test_a_request_that_is_cancelled_does_not_cut_programming_off(
    phase: Callable[[SimBoard], Callable[[], object]],
) -> None:
    sim = SimBoard()

    async with running(sim) as it:
        body = await prepared(it, size=LARGE)
        begun_now = phase(sim)
        request = asyncio.create_task(it.alice.post(PATH, content=body, headers={"content-type": "application/json"}))
        await until(begun_now)
        request.cancel()
        sim.faults.bandwidth = None
        await until(lambda: operates(sim, 1))


async def test_a_lease_that_expires_lasts_until_the_board_is_programmed() -> None:
    sim = SimBoard()

    async with running(sim) as it:
        body = await prepared(it)
        begun_now = programming(sim)
        (lease,) = it.service.leases
        request = asyncio.create_task(it.alice.post(PATH, content=body, headers={"content-type": "application/json"}))
        await until(begun_now)
        lease.renew(0.01)
        await until(lambda: lease.ended)
        problem(
            await it.alice.post(PATH, content=body, headers={"content-type": "application/json"}), 409, "not-leased"
        )
        assert it.service.farm.statistics().boards["a"].state == "leased"
        assert (await request).status_code == 200 and operates(sim, 1)
        await freed(it)


@PHASES
async def test_a_service_that_stops_lets_programming_under_way_end(
    phase: Callable[[SimBoard], Callable[[], object]],
) -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it:
        body = await prepared(it, size=LARGE)
        begun_now = phase(sim)
        request = asyncio.create_task(it.alice.post(PATH, content=body, headers={"content-type": "application/json"}))
        await until(begun_now)
        it.service.drain()
        sim.faults.bandwidth = None
        problem(await it.alice.post(PATH, content=body, headers={"content-type": "application/json"}), 503, "stopping")
        assert (await request).status_code == 200
        await freed(it)

    assert operates(sim, 1)


@PHASES
async def test_a_service_that_does_not_wait_leaves_the_old_or_the_new_design(
    phase: Callable[[SimBoard], Callable[[], object]],
) -> None:
    sim = SimBoard()

    async with running(sim) as it:
        body = await prepared(it, size=LARGE)
        begun_now = phase(sim)
        request = asyncio.create_task(it.alice.post(PATH, content=body, headers={"content-type": "application/json"}))
        await until(begun_now)

    assert "old design or the new" in problem(await request, 503, "not-open")
    assert operates(sim, 1 if phase is programming else 0)


async def test_a_client_that_stands_still_in_its_order_is_given_up() -> None:
    async with (
        running(served=True, options=ServiceOptions(stall=0.05)) as it,
        begun(it, it.alice, "POST", PATH, b"{", 100) as (reader, _),
    ):
        assert await status_of(reader) == 408


async def restarted(sim: SimBoard) -> None:
    """The board's server dies, and another takes its place."""
    await sim.restart()


async def frozen(sim: SimBoard) -> None:
    """The board answers nothing for a while."""
    await sim.freeze()


async def stopped(sim: SimBoard) -> None:
    """The board's server dies."""
    await sim.stop()


async def rebooted(sim: SimBoard) -> None:
    """The board loses its fabric."""
    await sim.reboot()


@PHASES
@pytest.mark.parametrize("die", [restarted, frozen, stopped, rebooted])
async def test_a_board_that_dies_is_told_and_programmed_again(
    phase: Callable[[SimBoard], Callable[[], object]], die: Callable[[SimBoard], Awaitable[None]]
) -> None:
    sim = SimBoard()

    async with running(sim, farm=HASTY) as it:
        body = await prepared(it, size=LARGE)
        begun_now = phase(sim)
        headers = {"content-type": "application/json"}
        request = asyncio.create_task(it.alice.post(PATH, content=body, headers=headers))
        await until(begun_now)
        await die(sim)
        answer = await request
        assert answer.status_code in (409, 502, 504) and answer.json()["board"] == "a", answer.text

        sim.faults.clear()
        await (sim.thaw() if die is frozen else sim.start())
        (lease,) = it.service.leases

        if die is not rebooted:
            await until(lambda: operates(sim, 0, 1))

        assert (await it.alice.delete(f"/api/leases/{lease.id}")).status_code == 204
        await freed(it)
        await it.lease("a", it.bob)
        answer = await it.bob.post(PATH, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert operates(sim, 1)
        assert len(files(it)) == 4 and not any(stored.used for stored in it.service.bitstreams)


@pytest.mark.parametrize("method", ["remote_device.readfile", "remote_device.writefile"])
@pytest.mark.parametrize("fault", ["late", "lost before", "lost after"])
async def test_programming_under_faults_succeeds_or_is_told(method: str, fault: str) -> None:
    sim = SimBoard()

    async with running(sim, farm=HASTY) as it:
        body = await prepared(it)
        headers = {"content-type": "application/json"}

        if fault == "late":
            sim.faults.delay(method, 0.01)
        else:
            sim.faults.drop(method, after=fault == "lost after")

        answer = await it.alice.post(PATH, content=body, headers=headers)
        assert answer.status_code == 200 or (fault != "late" and answer.status_code in (409, 502, 504)), answer.text
        sim.faults.clear()
        await until(lambda: operates(sim, 0, 1))
        answer = await it.alice.post(PATH, content=body, headers=headers)
        assert answer.status_code == 200 and operates(sim, 1), answer.text
