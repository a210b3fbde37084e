"""`/api/runs`: what became of jobs."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ..access import Reader, Service, User
from ..departure import while_there
from ..json_route import JsonRoute
from ..npy import BYTES, NPY, RAW
from ..payloads import JSON, Result
from ..problems import RESPONSES, Refusal
from ..runs import Run as RunOfJob
from ..runs import State
from ..service import FarmService
from ..streaming import GuardedStream

router = APIRouter(prefix="/api/runs", tags=["jobs"], route_class=JsonRoute, responses=RESPONSES)
RunId = Annotated[str, Path(description="The id of a run.")]
Wait = Annotated[
    float, Query(ge=0, allow_inf_nan=False, description="Seconds to wait for its end, if it has not ended.")
]
_RESULT: dict[str, Any] = {JSON: {}, RAW: {"schema": BYTES}, NPY: {"schema": BYTES}}


class Run(BaseModel):
    """A run of a job, as it is now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "hY2uF7gUwD3oYb1q",
                "job": "resize",
                "owner": "alice",
                "state": "done",
                "board": "z2-a",
                "attempts": 1,
                "created": 1.8e9,
                "began": 1.8e9,
                "ended": 1.8e9,
                "error": None,
            }
        }
    )

    id: str
    job: str
    owner: str = Field(description="The token that began it.")
    state: State
    board: str | None = Field(description="The board that it has, or had last.")
    attempts: int = Field(description="On how many boards it was tried.")
    created: float = Field(description="When it was asked for, in seconds since 1970.")
    began: float | None = Field(description="When it had its first board.")
    ended: float | None = Field(description="When it was done, failed or cancelled.")
    error: str | None = Field(description="Why it has failed.")


@router.get("")
async def list_runs(service: Service, caller: Reader) -> list[Run]:
    """The runs that wait or are under way, and the last that have ended, in the order in which they were asked for."""
    return [shown(run) for run in service.runs]


@router.get("/{run}")
async def get_run(run: RunId, request: Request, service: Service, caller: Reader, wait: Wait = 0) -> Run:
    """One run; with `wait`, as soon as it has ended."""
    found = service.runs.find(run)
    await _end(found, request, service, wait)
    return shown(found)


@router.get(
    "/{run}/result",
    response_class=Response,
    responses={200: {"description": "What the job returned.", "content": _RESULT}},
)
async def get_result(run: RunId, request: Request, service: Service, caller: User, wait: Wait = 0) -> GuardedStream:
    """What a run of yours gave: JSON, bytes, or an array in numpy's format, as the job returned it."""
    found = service.runs.of(run, caller)
    await _end(found, request, service, wait)

    if found.state == "failed":
        raise Refusal(409, "run-failed", f"the run has failed: {found.error}")

    if found.state == "cancelled":
        raise Refusal(409, "run-cancelled", "the run was cancelled")

    if (result := found.result) is None:
        raise Refusal(409, "not-ended", f"the run is {found.state}; wait for its end", {"Retry-After": "1"})

    length = {"Content-Length": str(result.nbytes)}
    return GuardedStream(_sent(result), service.options.stall, media_type=result.media_type, headers=length)


@router.delete("/{run}", status_code=204)
async def cancel_run(run: RunId, service: Service, caller: User) -> None:
    """Cancel a run of yours; answers when its board is free. One that has ended is forgotten."""
    await service.runs.cancel(service.runs.of(run, caller))


def shown(run: RunOfJob) -> Run:
    """What is told of a run."""
    return Run.model_validate(run.told())


async def _end(run: RunOfJob, request: Request, service: FarmService, wait: float) -> None:
    if wait and not run.over.is_set():

        async def end() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait, service.options.longest_wait)):
                    await run.over.wait()

        await while_there(request, end())


async def _sent(result: Result) -> AsyncGenerator[bytes, None]:
    for piece in result.pieces():
        yield piece
