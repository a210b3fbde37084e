"""Runs of jobs: a board each, and an end in any case."""

import asyncio
import logging
from typing import Any

import pytest

from pynq_async import RemoteDevice
from pynq_async.service import Jobs, ServiceOptions
from pynq_async.sim import SimBoard

from ..farm.farms import several
from .jobs import at, begin, ended, jobs
from .services import problem, running
from .test_events import told


async def test_a_run_has_a_board_and_gives_what_the_function_returned() -> None:
    async with running(jobs=jobs) as it:
        run = await begin(it, "look", path="/nowhere")
        said = await ended(it, run)
        assert (said["state"], said["board"], said["owner"], said["attempts"]) == ("done", "a", "alice", 1)
        assert said["created"] <= said["began"] <= said["ended"]
        result = await it.alice.get(f"{run}/result")
        assert result.json() == {"board": "a", "there": False}
        assert result.headers["content-type"] == "application/json"
        assert (await it.carol.get("/api/runs")).json() == [said]
        assert (await it.carol.get("/api/boards/a")).json()["state"] == "free"


async def test_a_job_is_given_what_its_setup_gives() -> None:
    async with running(jobs=jobs) as it:
        result = await it.alice.get(f"{await begin(it, 'with_setup')}/result?wait=5")
        assert result.json() == ["a", "True"]


async def test_a_function_that_raises_fails_its_run_and_only_the_log_says_where(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(jobs=jobs) as it:
        run = await begin(it, "fail")
        said = await ended(it, run)
        assert (said["state"], said["error"], said["attempts"]) == ("failed", "ValueError: no such picture", 1)
        sentence = problem(await it.alice.get(f"{run}/result"), 409, "run-failed")
        assert "no such picture" in sentence
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.exc_info is not None
        await ended(it, await begin(it, "look"))  # the board is free


async def test_a_run_that_takes_too_long_is_ended() -> None:
    async with running(jobs=jobs) as it:
        said = await ended(it, await begin(it, "late"))
        assert said["state"] == "failed"
        assert "a: the job did not end within 0.02 s" in said["error"]


async def test_a_run_waits_for_its_board() -> None:
    async with running(*several(2), jobs=jobs) as it:
        lease = await it.lease("a", it.bob)
        answer = await it.alice.post("/api/jobs/look/runs", json={"board": "a"})
        run = answer.headers["location"]
        assert answer.json()["state"] == "queued"
        problem(await it.alice.get(f"{run}/result"), 409, "not-ended")
        assert (await it.alice.get(f"{run}?wait=0.01")).json()["state"] == "queued"
        assert (await it.alice.get(f"{await begin(it, 'look')}/result?wait=5")).json()["board"] == "b"
        await it.bob.delete(f"/api/leases/{lease}")
        assert (await it.alice.get(f"{run}/result?wait=5")).json()["board"] == "a"


async def test_whoever_has_a_board_for_a_run_is_told() -> None:
    async with running(jobs=jobs) as it:
        run = await begin(it, "forever")
        await at(it, run, "running")
        board = (await it.carol.get("/api/boards/a")).json()
        assert (board["state"], board["holder"]) == ("leased", "alice")
        await it.alice.delete(run)


@pytest.mark.parametrize("waiting", [False, True])
async def test_a_run_is_cancelled(waiting: bool) -> None:
    sim = SimBoard()

    async with running(sim, jobs=jobs) as it:
        lease = await it.lease("a", it.bob) if waiting else ""
        run = await begin(it, "forever")

        if not waiting:
            await at(it, run, "running")

        problem(await it.bob.delete(run), 403, "not-your-run")
        assert (await it.alice.delete(run)).status_code == 204
        assert (await ended(it, run))["state"] == "cancelled"
        problem(await it.alice.get(f"{run}/result"), 409, "run-cancelled")
        assert sim.counters.live_buffers == 0

        if waiting:
            await it.bob.delete(f"/api/leases/{lease}")

        await it.lease("a", it.bob)


async def test_a_run_that_is_cancelled_at_once_has_ended() -> None:
    async with running(jobs=jobs) as it:
        job = jobs.get("forever")
        (token,) = (token for token in it.service.tokens if token.name == "alice")
        assert job is not None
        run = it.service.runs.begin(job, token, {}, None, 0)
        await it.service.runs.cancel(run)
        assert run.state == "cancelled"
        assert run.over.is_set()


async def test_a_run_that_has_ended_is_forgotten_on_request() -> None:
    async with running(jobs=jobs) as it:
        run = await begin(it, "look")
        await ended(it, run)
        assert (await it.root.delete(run)).status_code == 204
        problem(await it.alice.get(run), 404, "no-such-run")
        problem(await it.alice.delete(run), 404, "no-such-run")


async def test_so_many_runs_and_no_more() -> None:
    async with running(jobs=jobs, options=ServiceOptions(runs=2)) as it:
        runs = [await begin(it, "forever"), await begin(it, "forever")]
        problem(await it.bob.post("/api/jobs/look/runs", json={}), 503, "too-many-runs")

        for run in runs:
            await it.alice.delete(run)

        await ended(it, await begin(it, "look"))


async def test_so_many_ended_runs_are_kept() -> None:
    async with running(jobs=jobs, options=ServiceOptions(kept_runs=2)) as it:
        runs = [await begin(it, "look") for _ in range(4)]
        await ended(it, runs[-1])
        kept = [run["id"] for run in (await it.carol.get("/api/runs")).json()]
        assert [f"/api/runs/{run}" for run in kept] == runs[2:]


async def test_a_run_whose_board_fails_is_done_on_another_one() -> None:
    sims = several(2)
    mine = Jobs()
    tried: list[str] = []

    @mine.job()
    async def work(board: RemoteDevice) -> str:
        tried.append(board.name)

        if len(tried) == 1:
            (sim,) = (sim for sim in sims if sim.address.endswith(str(board.address.port)))
            sim.faults.drop("remote_device.existsfile", times=2)

        await board.exists_file("/")
        return board.name

    async with running(*sims, jobs=mine) as it:
        run = await begin(it, "work")
        said = await ended(it, run)
        assert (said["state"], said["attempts"]) == ("done", 2)
        assert len(set(tried)) == 2
        assert said["board"] == tried[1]


async def test_a_run_is_tried_so_often_and_no_more() -> None:
    sim = SimBoard()
    mine = Jobs()

    @mine.job(attempts=1)
    async def work(board: RemoteDevice) -> None:
        sim.faults.drop("remote_device.existsfile", times=2)
        await board.exists_file("/")

    async with running(sim, jobs=mine) as it:
        said = await ended(it, await begin(it, "work"))
        assert (said["state"], said["attempts"]) == ("failed", 1)
        assert said["error"].startswith("ConnectionLost: a: ")
        sim.faults.clear()


async def test_no_board_that_fits_fails_the_run() -> None:
    mine = Jobs()

    @mine.job(model="ZCU104")
    async def work(board: RemoteDevice) -> None:
        raise AssertionError

    async with running(jobs=mine) as it:
        said = await ended(it, await begin(it, "work"))
        assert said["state"] == "failed"
        assert "ZCU104" in said["error"]


async def test_runs_are_told_to_those_who_watch() -> None:
    async with running(served=True, jobs=jobs) as it, it.carol.stream("GET", "/api/events") as answer:
        events = told(answer)
        await anext(events)
        run = await begin(it, "look")
        seen: list[dict[str, Any]] = []

        async with asyncio.timeout(5):
            async for kind, data in events:
                if kind == "run":
                    seen.append(data)

                    if data["ended"]:
                        break

        assert [each["state"] for each in seen] == ["queued", "running", "done"]
        assert {f"/api/runs/{each['id']}" for each in seen} == {run}
        assert seen[-1]["board"] == "a"


async def test_a_service_that_stops_lets_runs_end_and_begins_none() -> None:
    mine = Jobs()
    go = asyncio.Event()

    @mine.job()
    async def work(board: RemoteDevice) -> None:
        await go.wait()

    async with running(jobs=mine) as it:
        first, second = await begin(it, "work"), await begin(it, "work")
        await at(it, first, "running")
        it.service.drain()
        problem(await it.alice.post("/api/jobs/work/runs", json={}), 503, "stopping")
        assert (await ended(it, second))["state"] == "cancelled"
        assert (await it.carol.get(first)).json()["state"] == "running"
        runs = list(it.service.runs)
        asyncio.get_running_loop().call_later(0.01, go.set)

    assert [run.state for run in runs] == ["done", "cancelled"]


async def test_a_service_that_stops_cancels_runs_that_do_not_end() -> None:
    async with running(jobs=jobs, options=ServiceOptions(drain=0.02)) as it:
        run = await begin(it, "forever")
        await at(it, run, "running")
        runs = list(it.service.runs)

    assert [run.state for run in runs] == ["cancelled"]


@pytest.mark.parametrize("method", ["remote_device.existsfile"])
async def test_slow_and_lost_calls_end_in_success_or_an_error_of_ours(method: str) -> None:
    sim = SimBoard()

    async with running(sim, jobs=jobs, farm={}) as it:
        for fault in ("slow", "before", "after"):
            if fault == "slow":
                sim.faults.delay(method, 0.01)
            else:
                sim.faults.drop(method, after=fault == "after")

            said = await ended(it, await begin(it, "look"))
            assert said["state"] == "done" or "a: " in said["error"], said
            sim.faults.clear()

        assert (await ended(it, await begin(it, "look")))["state"] == "done"
