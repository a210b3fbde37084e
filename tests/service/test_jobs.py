"""What may be a job: registered, described, and its arguments checked."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel, Field

from pynq_async import RemoteDevice
from pynq_async.errors import InvalidArgument
from pynq_async.service import Jobs

from .services import problem, running


class Point(BaseModel):
    """Where something is."""

    x: int
    y: int = 0


async def test_jobs_are_described() -> None:
    jobs = Jobs()

    @jobs.job(model="Pynq-Z2", tags="camera", timeout=5)
    async def blink(board: RemoteDevice, times: Annotated[int, Field(ge=1)] = 3, *, copy: str) -> None:
        """Blink the LEDs.

        All of them.
        """

    async with running(jobs=jobs) as it:
        (job,) = (await it.carol.get("/api/jobs")).json()
        assert job == (await it.carol.get("/api/jobs/blink")).json()
        assert (job["name"], job["model"], job["tags"], job["timeout"]) == ("blink", "Pynq-Z2", ["camera"], 5)
        assert job["description"] == "Blink the LEDs.\n\nAll of them."
        assert job["body"] is None
        schema = job["arguments"]
        assert schema["properties"]["times"] == {"default": 3, "minimum": 1, "title": "Times", "type": "integer"}
        assert schema["required"] == ["copy"]
        assert schema["additionalProperties"] is False
        assert "blink" in problem(await it.carol.get("/api/jobs/wink"), 404, "no-such-job")


async def test_a_body_is_described() -> None:
    jobs = Jobs()

    @jobs.job()
    async def resize(board: RemoteDevice, image: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
        return image

    @jobs.job()
    async def digest(board: RemoteDevice, content: bytes = b"") -> str:
        return str(len(content))

    async with running(jobs=jobs) as it:
        described = {job["name"]: job for job in (await it.carol.get("/api/jobs")).json()}
        assert described["resize"]["body"] == {
            "name": "image",
            "media_type": "application/x-npy",
            "optional": False,
        }
        assert list(described["resize"]["arguments"]["properties"]) == ["width"]
        assert described["digest"]["body"] == {
            "name": "content",
            "media_type": "application/octet-stream",
            "optional": True,
        }


async def test_arguments_arrive_as_they_are_annotated() -> None:
    jobs = Jobs()
    seen: list[Any] = []

    @jobs.job()
    async def take(
        board: RemoteDevice, schema: Point, span: timedelta, pairs: list[tuple[int, str]], n: int = 2
    ) -> None:
        seen.extend([schema, span, pairs, n])

    arguments = {"schema": {"x": 1}, "span": "PT90S", "pairs": [[1, "a"]]}

    async with running(jobs=jobs) as it:
        run = (await it.alice.post("/api/jobs/take/runs", json={"arguments": arguments})).json()
        assert (await it.alice.get(f"/api/runs/{run['id']}?wait=5")).json()["state"] == "done"
        assert seen == [Point(x=1), timedelta(seconds=90), [(1, "a")], 2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "arguments.times: is missing"),
        ({"times": "secret"}, "arguments.times"),
        ({"times": 1.5}, "arguments.times"),
        ({"times": 0}, "arguments.times"),
        ({"times": 1, "more": 2}, "arguments.more: there is no such field; there are times"),
        ([], "arguments"),
        (None, "arguments"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused(arguments: object, told: str) -> None:
    jobs = Jobs()

    @jobs.job()
    async def blink(board: RemoteDevice, times: Annotated[int, Field(ge=1)]) -> None:
        raise AssertionError

    async with running(jobs=jobs) as it:
        answer = await it.alice.post("/api/jobs/blink/runs", json={"arguments": arguments})
        sentence = problem(answer, 422, "invalid-request")
        assert told in sentence
        assert "secret" not in sentence
        assert (await it.carol.get("/api/runs")).json() == []


async def on_time(board: RemoteDevice) -> None:
    """A job."""


async def unannotated(board: RemoteDevice, times) -> None:  # type: ignore[no-untyped-def]
    """No job."""


async def unknown(board: RemoteDevice, times: "Nothing") -> None:  # type: ignore[name-defined]  # noqa: F821
    """No job."""


async def unusable(board: RemoteDevice, loop: asyncio.AbstractEventLoop) -> None:
    """No job."""


async def nested(board: RemoteDevice, images: list[npt.NDArray[np.uint8]]) -> None:
    """No job."""


async def several(board: RemoteDevice, first: bytes, second: npt.NDArray[Any]) -> None:
    """No job."""


async def positional(board: RemoteDevice, times: int, /) -> None:
    """No job."""


async def any_number(board: RemoteDevice, *times: int) -> None:
    """No job."""


async def any_name(board: RemoteDevice, **times: int) -> None:
    """No job."""


async def boardless() -> None:
    """No job."""


async def named_only(*, board: RemoteDevice) -> None:
    """No job."""


def synchronous(board: RemoteDevice) -> None:
    """No job."""


@pytest.mark.parametrize(
    "function",
    [
        unannotated,
        unknown,
        unusable,
        nested,
        several,
        positional,
        any_number,
        any_name,
        boardless,
        named_only,
        synchronous,
        lambda board: None,
    ],
)
def test_a_function_that_cannot_be_a_job_is_refused(function: Any) -> None:
    with pytest.raises(InvalidArgument, match="job"):
        Jobs().job()(function)


@pytest.mark.parametrize("options", [{"attempts": 0}, {"timeout": 0}, {"wait": -1}, {"name": "a/b"}, {"name": ""}])
def test_options_of_a_job_that_cannot_be_right_are_refused(options: Any) -> None:
    with pytest.raises(InvalidArgument):
        Jobs().job(**options)(on_time)


def test_two_jobs_of_one_name_are_refused() -> None:
    jobs = Jobs()
    jobs.job()(on_time)
    jobs.job(name="again")(on_time)
    assert [job.name for job in jobs] == ["on_time", "again"]

    with pytest.raises(InvalidArgument, match="on_time"):
        jobs.job()(on_time)
