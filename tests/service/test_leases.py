"""Leases over HTTP: one client at a time, and never for ever."""

import asyncio
import time

import pytest

from pynq_async.service import ServiceOptions
from pynq_async.service.problems import Refusal
from pynq_async.sim import SimBoard

from ..farm.farms import several
from .services import Running, problem, running


async def freed(it: Running, board: str = "a") -> None:
    """Wait until nobody has a board."""
    async with asyncio.timeout(5):
        while it.service.farm.statistics().boards[board].state != "free":
            await asyncio.sleep(0.001)


async def test_a_lease_is_somebodys_until_it_is_ended() -> None:
    async with running() as it:
        lease = await it.lease("a")
        board = (await it.carol.get("/api/boards/a")).json()
        assert (board["state"], board["holder"]) == ("leased", "alice")
        told = problem(await it.bob.post("/api/leases", json={"name": "a"}), 503, "lease-timeout")
        assert told == "a: alice has it"

        assert (await it.alice.delete(f"/api/leases/{lease}")).status_code == 204
        assert (await it.carol.get("/api/boards/a")).json()["state"] == "free"
        problem(await it.alice.delete(f"/api/leases/{lease}"), 404, "no-such-lease")
        await it.lease("a", it.bob)


async def test_where_a_new_lease_is_stands_in_the_answer() -> None:
    async with running() as it:
        answer = await it.alice.post("/api/leases", json={"seconds": 60})
        found = await it.alice.get(answer.headers["location"])
        assert found.json()["boards"] == ["a"]
        assert 59 < found.json()["seconds_left"] <= 60


async def test_another_ones_lease_is_not_touched() -> None:
    async with running() as it:
        lease = await it.lease("a")

        for answer in (
            await it.bob.delete(f"/api/leases/{lease}"),
            await it.bob.get(f"/api/leases/{lease}"),
            await it.bob.post(f"/api/leases/{lease}/renew", json={}),
        ):
            assert "alice" in problem(answer, 403, "not-your-lease")

        assert (await it.bob.get("/api/leases")).json()[0]["id"] == ""
        assert (await it.alice.get("/api/leases")).json()[0]["id"] == lease
        assert (await it.root.delete(f"/api/leases/{lease}")).status_code == 204


async def test_a_lease_expires() -> None:
    async with running() as it:
        lease = await it.lease("a", seconds=0.05)
        await freed(it)
        problem(await it.alice.get(f"/api/leases/{lease}"), 404, "no-such-lease")


async def test_a_lease_that_is_renewed_lasts_longer() -> None:
    async with running() as it:
        lease = await it.lease("a", seconds=30)
        renewed = (await it.alice.post(f"/api/leases/{lease}/renew", json={"seconds": 600})).json()
        assert 599 < renewed["seconds_left"] <= 600
        renewed = (await it.alice.post(f"/api/leases/{lease}/renew", json={"seconds": 1e9})).json()
        assert renewed["seconds_left"] <= it.service.options.longest_lease
        await it.alice.post(f"/api/leases/{lease}/renew", json={"seconds": 0.01})
        await freed(it)


async def test_a_board_in_use_is_not_given_back() -> None:
    async with running() as it:
        await it.lease("a", seconds=0.01)
        (lease,) = it.service.leases

        async with lease.use("a"):
            async with asyncio.timeout(5):
                while not lease.ended:
                    await asyncio.sleep(0.001)

            assert it.service.farm.statistics().boards["a"].state == "leased"

        await freed(it)


async def test_whoever_waits_is_served_next() -> None:
    async with running() as it:
        lease = await it.lease("a")
        waiting = asyncio.create_task(it.bob.post("/api/leases", json={"name": "a", "wait": 10}))

        async with asyncio.timeout(5):
            while not it.service.farm.statistics().waiting:
                await asyncio.sleep(0.001)

        await it.alice.delete(f"/api/leases/{lease}")
        assert (await waiting).json()["holder"] == "bob"


async def test_a_client_that_goes_while_it_waits_leaves_the_queue() -> None:
    async with running(served=True) as it:
        lease = await it.lease("a")
        waiting = asyncio.create_task(it.bob.post("/api/leases", json={"name": "a", "wait": 60}))

        async with asyncio.timeout(5):
            while not it.service.farm.statistics().waiting:
                await asyncio.sleep(0.001)

            waiting.cancel()

            while it.service.farm.statistics().waiting:
                await asyncio.sleep(0.001)

        await it.alice.delete(f"/api/leases/{lease}")
        await freed(it)


async def test_several_boards_at_once() -> None:
    async with running(*several(3)) as it:
        lease = (await it.alice.post("/api/leases", json={"count": 2})).json()
        assert len(lease["boards"]) == 2
        problem(await it.bob.post("/api/leases", json={"count": 2}), 503, "lease-timeout")


@pytest.mark.parametrize(
    "wanted", [{"name": "z"}, {"count": 2}, {"model": "ZCU104"}, {"tags": ["camera"]}, {"family": "versal"}]
)
async def test_what_can_never_be_met_is_said_at_once(wanted: dict[str, object]) -> None:
    async with running() as it:
        problem(await it.alice.post("/api/leases", json={**wanted, "wait": 60}), 422, "invalid-argument")


@pytest.mark.parametrize(
    "wanted",
    [
        {"count": 0},
        {"count": "x"},
        {"count": "1"},
        {"count": True},
        {"count": 1.5},
        {"seconds": 0},
        {"seconds": "inf"},
        {"wait": -1},
        {"colour": "red"},
        {"tags": "a"},
        [],
    ],
)
async def test_a_request_that_is_not_as_described_is_refused(wanted: object) -> None:
    async with running() as it:
        problem(await it.alice.post("/api/leases", json=wanted), 422, "invalid-request")


async def test_one_token_has_so_many_leases_and_no_more() -> None:
    async with running(*several(3), options=ServiceOptions(leases=2)) as it:
        await it.lease("a")
        lease = await it.lease("b")
        problem(await it.alice.post("/api/leases", json={}), 409, "too-many-leases")
        await it.lease("c", it.bob)
        await it.alice.delete(f"/api/leases/{lease}")
        await it.lease("b")


async def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    async with running() as it:
        body = b'{"name": "' + b"a" * (1 << 20) + b'"}'
        problem(await it.alice.post("/api/leases", content=body), 413, "too-large")


async def test_when_the_service_stops_nothing_is_begun_and_boards_are_free() -> None:
    async with running() as it:
        await it.lease("a")
        it.service.drain()
        problem(await it.bob.post("/api/leases", json={"name": "a"}), 503, "stopping")
        await freed(it)


async def test_a_lost_board_is_no_leak() -> None:
    sim = SimBoard()

    async with running(sim) as it:
        lease = await it.lease("a")
        await sim.restart()
        assert (await it.alice.delete(f"/api/leases/{lease}")).status_code == 204
        await it.lease("a", it.bob)


async def test_a_method_that_a_path_lacks_is_told_those_that_it_has() -> None:
    async with running() as it:
        answer = await it.alice.put("/api/leases")
        problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "GET, POST"
        assert (await it.alice.put("/api/leases/x")).headers["allow"] == "GET, DELETE"
        problem(await it.alice.get("/api/nothing"), 404, "not-found")


async def test_a_whole_number_may_have_a_point() -> None:
    async with running(*several(2)) as it:
        assert len((await it.alice.post("/api/leases", json={"count": 2.0, "seconds": 30})).json()["boards"]) == 2


async def test_a_lease_that_has_ended_is_not_renewed_while_its_board_is_still_in_use() -> None:
    async with running() as it:
        lease = await it.lease("a")
        (held,) = it.service.leases

        async with held.use("a"):
            held.end()
            problem(await it.alice.post(f"/api/leases/{lease}/renew", json={}), 409, "lease-ended")
            assert (await it.alice.get(f"/api/leases/{lease}")).json()["seconds_left"] == 0


async def test_a_lease_that_is_renewed_at_its_last_moment_goes_on() -> None:
    async with running() as it:
        lease = await it.lease("a", seconds=0.05)
        (held,) = it.service.leases
        loop = asyncio.get_running_loop()
        renewed = asyncio.Event()

        def renew() -> None:
            held.renew(60)
            renewed.set()

        def be_late() -> None:  # so that it is renewed when its time has run out, and before its task is told so
            loop.call_at(loop.time() + held.seconds_left + 0.001, renew)
            time.sleep(0.1)

        loop.call_soon(be_late)
        await renewed.wait()
        assert (await it.alice.get(f"/api/leases/{lease}")).json()["seconds_left"] > 50
        assert not held.ended


async def test_whoever_waits_when_the_service_stops_is_told_at_once() -> None:
    async with running(served=True, options=ServiceOptions(drain=30)) as it, asyncio.TaskGroup() as group:
        await it.lease("a", it.bob)
        waiting = group.create_task(it.alice.post("/api/leases", json={"wait": 30}))

        async with asyncio.timeout(5):
            while not it.service.farm.statistics().waiting:
                await asyncio.sleep(0.001)

            it.service.drain()
            problem(await waiting, 503, "stopping")

        assert not list(it.service.leases)


async def test_a_wait_that_is_over_before_it_has_begun_counts_no_lease() -> None:
    async with running(options=ServiceOptions(leases=1)) as it:
        alice = next(token for token in it.service.tokens if token.name == "alice")
        taking = asyncio.create_task(it.service.leases.take(alice, it.service.farm.lease(count=1, timeout=0), 60))
        await asyncio.sleep(0)
        it.service.leases.end_all()

        with pytest.raises(Refusal, match="about to stop"):
            await taking

        await it.lease("a")


async def test_of_many_mistakes_the_first_are_told() -> None:
    async with running() as it:
        wrong = {f"nothing{number}": 1 for number in range(1000)}
        told = problem(await it.alice.post("/api/leases", json=wrong), 422, "invalid-request")
        assert "nothing0" in told and "nothing9" in told and "nothing10" not in told
        assert told.endswith("; and 990 more")
