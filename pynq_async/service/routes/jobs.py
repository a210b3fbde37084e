"""`/api/jobs`: functions that clients may run."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from ..access import Reader, Service, User
from ..jobs import Job as RegisteredJob
from ..json_route import LARGEST, JsonRoute
from ..known import check_known
from ..mistakes import mistakes
from ..npy import BYTES, NPY, RAW
from ..payloads import JSON
from ..problems import RESPONSES, Refusal
from ..service import FarmService
from ..streaming import body_size, pieces
from .runs import Run, shown

_PLACE: dict[str, Any] = {"prefix": "/api/jobs", "tags": ["jobs"], "responses": RESPONSES}

router = APIRouter(route_class=JsonRoute, **_PLACE)
inputs = APIRouter(**_PLACE)
JobName = Annotated[str, Path(description="The name of a job.")]


class Body(BaseModel):
    """What a job takes as the body of a request."""

    name: str = Field(description="The parameter that it is.")
    media_type: str = Field(description="Bytes of any kind, or an array in numpy's format.")
    optional: bool


class Job(BaseModel):
    """A function that clients may run."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "resize",
                "description": "Make an image smaller.",
                "arguments": {"type": "object", "properties": {"width": {"type": "integer"}}, "required": ["width"]},
                "body": {"name": "image", "media_type": NPY, "optional": False},
                "model": "Pynq-Z2",
                "family": None,
                "tags": [],
                "timeout": 60,
            }
        }
    )

    name: str
    description: str
    arguments: dict[str, Any] = Field(description="JSON Schema of its arguments.")
    body: Body | None = Field(description="What it takes beside them.")
    model: str | None = Field(description="Which boards it may have; and so `family` and `tags`.")
    family: str | None
    tags: list[str]
    timeout: float = Field(description="Seconds that it may take on a board.")


class RunRequest(BaseModel):
    """What a job is to be run with."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"arguments": {"times": 3}}})

    arguments: dict[str, Any] = Field({}, description="As the job's `arguments` describe them.")
    board: str | None = Field(None, description="The board to run on; any that fits unless told.")


_SENT: dict[str, Any] = {
    "requestBody": {
        "content": {
            JSON: {"schema": RunRequest.model_json_schema()},
            RAW: {"schema": BYTES},
            NPY: {"schema": BYTES},
        }
    }
}


@router.get("")
async def list_jobs(service: Service, caller: Reader) -> list[Job]:
    """All jobs."""
    return [_described(job) for job in service.jobs]


@router.get("/{job}")
async def get_job(job: JobName, service: Service, caller: Reader) -> Job:
    """One job."""
    return _described(_find(service, job))


@inputs.post("/{job}/runs", status_code=202, openapi_extra=_SENT)
async def run_job(
    job: JobName,
    request: Request,
    response: Response,
    service: Service,
    caller: User,
    arguments: Annotated[str | None, Query(max_length=4096, description="JSON; for jobs that take a body.")] = None,
    board: Annotated[
        str | None, Query(max_length=256, description="The board to run on; for jobs that take a body.")
    ] = None,
) -> Run:
    """Run a job on a board as soon as one is free; look at the run for what becomes of it.

    A job is sent a JSON object with `arguments`. One that takes a body, bytes or an array in numpy's format, is sent
    that, and the arguments are in the query.
    """
    service.check_running()
    found = _find(service, job)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    most = LARGEST if kind == JSON else service.options.run_bytes
    size = body_size(request, most)
    payload: dict[str, Any] = {}

    with service.runs.room(size):
        body = pieces(request, most=min(size, most), stall=service.options.stall)

        try:
            if kind == JSON:
                wanted = _request(b"".join([piece async for piece in body]), None, None)
            else:
                wanted = _request(b"", arguments, board)

            checked = found.validated(wanted.arguments)

            if wanted.board is not None:
                check_known(service.farm, wanted.board)

            if kind != JSON and size and found.payload is None:
                raise Refusal(415, "unsupported-media-type", f"the job {job} takes {JSON}")

            if kind != JSON and size and found.payload is not None:
                if found.payload.is_array and kind != NPY:
                    raise Refusal(
                        415, "unsupported-media-type", f"{found.payload.name} of the job {job} is sent as {NPY}"
                    )

                payload[found.payload.name] = await found.payload.received(body, size)
            elif found.payload is not None and not found.payload.optional:
                missing = f"the job {job} takes {found.payload.name} as the body, {found.payload.media_type}"
                raise Refusal(422, "no-body", missing)
        finally:
            await body.aclose()

        service.check_running()
        run = service.runs.begin(found, caller, checked | payload, wanted.board, size)

    response.headers["Location"] = f"{request.scope.get('root_path', '')}/api/runs/{run.id}"
    return shown(run)


def _find(service: FarmService, name: str) -> RegisteredJob:
    if (job := service.jobs.get(name)) is None:
        names = ", ".join(job.name for job in service.jobs) or "none"
        raise Refusal(404, "no-such-job", f"there is no job {name!r}; the service has {names}")

    return job


def _request(body: bytes, arguments: str | None, board: str | None) -> RunRequest:
    try:
        if body:
            return RunRequest.model_validate_json(body)

        return RunRequest(arguments=from_json(arguments or "{}"), board=board)
    except ValidationError as error:
        told = mistakes(error.errors(include_url=False), "body", RunRequest)
        raise Refusal(422, "invalid-request", told) from None
    except ValueError as error:
        raise Refusal(422, "invalid-request", f"arguments: {error}") from None


def _described(job: RegisteredJob) -> Job:
    body = job.payload
    return Job(
        name=job.name,
        description=job.description,
        arguments=job.arguments.model_json_schema(),
        body=Body(name=body.name, media_type=body.media_type, optional=body.optional) if body is not None else None,
        model=job.model,
        family=job.family,
        tags=sorted(job.tags),
        timeout=job.timeout,
    )
