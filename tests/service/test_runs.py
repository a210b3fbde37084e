"""Runs of jobs: a board each, results of all kinds, and an end in any case."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from pynq_async import RemoteDevice
from pynq_async.service import Jobs, ServiceOptions
from pynq_async.service.npy import NPY
from pynq_async.sim import SimBoard

from ..farm.farms import several
from .services import Running, problem, running
from .test_buffers import file, open_request
from .test_events import told

jobs = Jobs()
AS_NPY = {"Content-Type": NPY}


@jobs.job()
async def look(board: RemoteDevice, path: str = "/") -> dict[str, Any]:
    """A call to the board."""
    return {"board": board.name, "there": await board.exists_file(path)}


@jobs.job(timeout=30)
async def forever(board: RemoteDevice) -> None:
    """Takes a buffer and never ends."""
    async with board.allocate(16):
        await asyncio.Event().wait()


@jobs.job()
async def fail(board: RemoteDevice) -> None:
    """Fails."""
    raise ValueError("no such picture")


@jobs.job(timeout=0.02)
async def late(board: RemoteDevice) -> None:
    """Does not end in time."""
    await asyncio.Event().wait()


@jobs.job()
async def give(board: RemoteDevice, what: str) -> object:
    """Returns something of a kind."""
    return {
        "bytes": b"abc",
        "view": memoryview(b"abc"),
        "array": np.arange(6, dtype="<u2").reshape(2, 3).T,
        "json": {"a": [1, 2.5, None, float("nan")], "n": np.uint8(3), "row": np.array([1, 2])},
        "none": None,
        "object": object(),
        "objects": np.array([object()]),
        "large": bytes(1000),
    }[what]


@jobs.job()
async def mirror(board: RemoteDevice, image: npt.NDArray[np.uint8], times: int = 1) -> npt.NDArray[np.uint8]:
    """An image through the board's memory."""
    async with board.allocate(image.shape, image.dtype) as buffer:
        buffer[:] = image
        await buffer.sync_to_device()
        buffer[:] = 0
        await buffer.sync_from_device()
        return buffer[:, :: -1 if times % 2 else 1]  # type: ignore[no-any-return]


@jobs.job()
async def count(board: RemoteDevice, content: bytes, more: int = 0) -> int:
    """How much was sent."""
    assert isinstance(content, bytes)
    return len(content) + more


@asynccontextmanager
async def tool(board: RemoteDevice) -> AsyncIterator[list[str]]:
    """What a setup gives."""
    yield [board.name, str(await board.exists_file("/"))]


@jobs.job(setup=tool)
async def with_setup(names: list[str]) -> list[str]:
    """Is given what its setup gives."""
    return names


async def begin(it: Running, job: str, client: httpx.AsyncClient | None = None, **arguments: Any) -> str:
    """Begin a run; returns where it is."""
    answer = await (client or it.alice).post(f"/api/jobs/{job}/runs", json={"arguments": arguments})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def ended(it: Running, run: str) -> dict[str, Any]:
    """Wait for the end of a run."""
    answer = (await it.carol.get(f"{run}?wait=10")).json()
    assert answer["ended"] is not None, answer
    return dict(answer)


async def at(it: Running, run: str, state: str) -> None:
    """Wait until a run is in a state."""
    async with asyncio.timeout(5):
        while (await it.carol.get(run)).json()["state"] != state:
            await asyncio.sleep(0.001)


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


async def test_a_job_without_arguments_needs_no_body() -> None:
    async with running(jobs=jobs) as it:
        run = (await it.alice.post("/api/jobs/look/runs")).headers["location"]
        assert (await it.alice.get(f"{run}/result?wait=5")).json()["there"]


@pytest.mark.parametrize(
    ("what", "kind", "content"),
    [
        ("bytes", "application/octet-stream", b"abc"),
        ("view", "application/octet-stream", b"abc"),
        ("json", "application/json", b'{"a":[1,2.5,null,null],"n":3,"row":[1,2]}'),
        ("none", "application/json", b"null"),
    ],
)
async def test_results_of_each_kind(what: str, kind: str, content: bytes) -> None:
    async with running(jobs=jobs) as it:
        run = await begin(it, "give", what=what)
        result = await it.alice.get(f"{run}/result?wait=5")
        assert (result.status_code, result.headers["content-type"], result.content) == (200, kind, content)
        assert result.headers["content-length"] == str(len(content))


async def test_an_array_is_given_as_numpys_file() -> None:
    async with running(jobs=jobs) as it:
        result = await it.alice.get(f"{await begin(it, 'give', what='array')}/result?wait=5")
        assert result.headers["content-type"] == NPY
        array = np.load(io.BytesIO(result.content), allow_pickle=False)
        assert array.dtype == np.dtype("<u2")
        assert array.tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("what", ["object", "objects"])
async def test_what_cannot_be_sent_fails_the_run(what: str) -> None:
    async with running(jobs=jobs) as it:
        said = await ended(it, await begin(it, "give", what=what))
        assert said["state"] == "failed"
        assert "object" in said["error"]


async def test_an_image_goes_through_a_job() -> None:
    image = np.arange(24, dtype="u1").reshape(2, 4, 3)

    async with running(jobs=jobs) as it:
        answer = await it.alice.post(
            "/api/jobs/mirror/runs",
            content=file(image),
            headers=AS_NPY,
            params={"arguments": '{"times": 3}', "board": "a"},
        )
        result = await it.alice.get(f"{answer.headers['location']}/result?wait=5")
        assert np.array_equal(np.load(io.BytesIO(result.content)), image[:, ::-1])


async def test_bytes_of_any_kind_go_through_a_job() -> None:
    async with running(jobs=jobs) as it:
        for headers in ({}, {"Content-Type": "image/png"}):
            answer = await it.alice.post(
                "/api/jobs/count/runs", content=b"abc", headers=headers, params={"arguments": json.dumps({"more": 4})}
            )
            assert (await it.alice.get(f"{answer.headers['location']}/result?wait=5")).json() == 7


@pytest.mark.parametrize(
    ("job", "content", "kind", "query", "status", "problem_kind"),
    [
        ("mirror", b"abc", NPY, None, 422, "not-npy"),
        ("mirror", file(np.zeros(3, "f4")), NPY, None, 422, "wrong-array"),
        ("mirror", file(np.zeros(3, "u1"))[:-1], NPY, None, 422, "wrong-length"),
        ("mirror", file(np.zeros(3, "u1")).replace(b"(3,)", b"(3000000000,)"), NPY, None, 413, "too-large"),
        ("mirror", file(np.zeros(3, "u1")).replace(b"(3,)", b"(0," + b"9" * 30 + b")"), NPY, None, 422, "not-npy"),
        ("mirror", file(np.zeros(3, "u1")), "image/png", None, 415, "unsupported-media-type"),
        ("mirror", b"", NPY, None, 422, "no-body"),
        ("mirror", b"{}", "application/json", None, 422, "no-body"),
        ("mirror", file(np.zeros(3, "u1")), NPY, "{", 422, "invalid-request"),
        ("mirror", file(np.zeros(3, "u1")), NPY, "[]", 422, "invalid-request"),
        ("mirror", file(np.zeros(3, "u1")), NPY, '{"times": "x"}', 422, "invalid-request"),
        ("look", b"abc", "application/octet-stream", None, 415, "unsupported-media-type"),
        ("look", b"[1]", "application/json", None, 422, "invalid-request"),
        ("look", b"{", "application/json", None, 422, "invalid-request"),
        ("look", b"[" * 100_000, "application/json", None, 422, "invalid-request"),
        ("look", b'{"board": "z"}', "application/json", None, 404, "no-such-board"),
        ("look", b'{"colour": "red"}', "application/json", None, 422, "invalid-request"),
        ("look", b" " * (1 << 20) + b"{}", "application/json", None, 413, "too-large"),
        ("nothing", b"{}", "application/json", None, 404, "no-such-job"),
    ],
)
async def test_input_that_does_not_fit_begins_nothing(
    job: str, content: bytes, kind: str, query: str | None, status: int, problem_kind: str
) -> None:
    async with running(jobs=jobs) as it:
        parameters = {} if query is None else {"arguments": query}
        answer = await it.alice.post(
            f"/api/jobs/{job}/runs", content=content, headers={"Content-Type": kind}, params=parameters
        )
        problem(answer, status, problem_kind)
        assert (await it.carol.get("/api/runs")).json() == []
        assert it.service.runs._coming == []


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


async def test_results_are_for_who_asked_for_them() -> None:
    async with running(jobs=jobs) as it:
        run = await begin(it, "look")
        assert (await it.bob.get(f"{run}?wait=5")).status_code == 200
        assert "alice" in problem(await it.bob.get(f"{run}/result"), 403, "not-your-run")
        problem(await it.carol.get(f"{run}/result"), 403, "insufficient-scope")
        problem(await it.carol.post("/api/jobs/look/runs", json={}), 403, "insufficient-scope")
        assert (await it.root.get(f"{run}/result")).status_code == 200


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


async def test_so_many_bytes_are_kept() -> None:
    async with running(jobs=jobs, options=ServiceOptions(run_bytes=1000, kept_bytes=2500)) as it:
        for _ in range(4):
            await ended(it, await begin(it, "give", what="large"))

        assert len((await it.carol.get("/api/runs")).json()) == 2
        answer = await it.alice.post("/api/jobs/count/runs", content=bytes(1001))
        problem(answer, 413, "too-large")
        answer = await it.alice.post("/api/jobs/count/runs", content=bytes(1000))
        assert (await ended(it, answer.headers["location"]))["state"] == "done"
        lease = await it.lease("a", it.bob)

        for status in (202, 202, 503):
            assert (await it.alice.post("/api/jobs/count/runs", content=bytes(1000))).status_code == status

        await it.bob.delete(f"/api/leases/{lease}")


async def test_a_result_that_is_too_large_fails_the_run() -> None:
    async with running(jobs=jobs, options=ServiceOptions(run_bytes=999)) as it:
        said = await ended(it, await begin(it, "give", what="large"))
        assert said["state"] == "failed"
        assert "999" in said["error"]


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


async def test_a_client_that_vanishes_while_it_sends_begins_nothing() -> None:
    async with running(served=True, jobs=jobs) as it:
        _, writer = await open_request(it, "POST", "/api/jobs/count/runs", 1000)
        writer.write(bytes(500))

        async with asyncio.timeout(5):
            while not it.service.runs._coming:
                await asyncio.sleep(0.001)

            writer.transport.abort()

            while it.service.runs._coming:
                await asyncio.sleep(0.001)

        assert list(it.service.runs) == []


async def test_a_client_that_stops_to_send_is_given_up() -> None:
    async with running(served=True, jobs=jobs, options=ServiceOptions(stall=0.05)) as it:
        reader, writer = await open_request(it, "POST", "/api/jobs/count/runs", 1000)
        writer.write(bytes(500))
        assert b" 408 " in await reader.readline()
        assert it.service.runs._coming == []
        assert list(it.service.runs) == []
        writer.close()


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
