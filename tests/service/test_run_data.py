"""What runs of jobs are given, and what they give back."""

import asyncio
import io
import json

import numpy as np
import pytest

from pynq_async.service import ServiceOptions
from pynq_async.service.npy import NPY

from .data import AS_NPY, file, open_request
from .jobs import begin, ended, jobs
from .services import problem, running


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
        ("mirror", file(np.zeros(1, "u1")).replace(b"(1,), }   ", b"(True,), }"), NPY, None, 422, "not-npy"),
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


async def test_results_are_for_who_asked_for_them() -> None:
    async with running(jobs=jobs) as it:
        run = await begin(it, "look")
        assert (await it.bob.get(f"{run}?wait=5")).status_code == 200
        assert "alice" in problem(await it.bob.get(f"{run}/result"), 403, "not-your-run")
        problem(await it.carol.get(f"{run}/result"), 403, "insufficient-scope")
        problem(await it.carol.post("/api/jobs/look/runs", json={}), 403, "insufficient-scope")
        assert (await it.root.get(f"{run}/result")).status_code == 200


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
