"""What went wrong, as problem details (RFC 9457), and which status each error of the SDK has."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from .. import errors
from ..errors import BoardError, PynqError
from .methods import allowed_methods
from .mistakes import mistakes

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """Problem details as of RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:pynq-async:problem:out-of-range",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "z2-a: leds_gpio: offset 0x10000 with 4 bytes is outside its 65536 bytes",
                "board": "z2-a",
            }
        }
    )

    type: str = Field(description="What kind of problem it is; the same for the same cause.")
    title: str
    status: int
    detail: str = Field(description="What is wrong here, and what to do.")
    board: str | None = Field(None, description="The board that it is about.")


class Refusal(HTTPException):
    """A request that is answered with a problem of the service's own, such as a lease that is not yours."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, headers=dict(headers) if headers else None)
        self.kind = kind


def stopping() -> Refusal:
    """What is said once nothing new is begun."""
    return Refusal(503, "stopping", "the service is about to stop", {"Retry-After": "5"})


# The first class that an error is an instance of decides; subclasses come before their parents.
STATUSES: dict[type[PynqError], int] = {
    errors.NotInDesign: 404,
    errors.Misuse: 422,
    errors.InvalidArgument: 422,
    errors.BitstreamError: 422,
    errors.WrongFamily: 422,
    errors.LeaseTimeout: 503,
    errors.AllocationError: 507,
    errors.MappingBudgetExceeded: 507,
    errors.BoardExhausted: 507,
    errors.NotSupported: 501,
    errors.StaleHandle: 409,
    errors.BufferFreed: 409,
    errors.NoBoardMemory: 409,
    errors.FabricBusy: 409,
    errors.NotLoaded: 409,
    errors.DeadlineExceeded: 504,
    errors.NotOpen: 503,
    errors.BoardError: 502,
    errors.PynqError: 500,
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for code, text in (("4XX", "The request cannot be carried out."), ("5XX", "A board or the service failed."))
}


def status_of(error: PynqError) -> int:
    """The HTTP status that stands for an error of the SDK."""
    return next(status for kind, status in STATUSES.items() if isinstance(error, kind))


def response(
    status: int, kind: str, detail: str, *, board: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with problem details."""
    problem = Problem(
        type=f"urn:pynq-async:problem:{kind}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        board=board,
    )
    return Response(problem.model_dump_json(exclude_none=True), status, dict(headers or {}), MEDIA_TYPE)


async def of_pynq_error(request: Request, error: Exception) -> Response:
    """Answer an error of the SDK."""
    assert isinstance(error, PynqError)
    status = status_of(error)
    board = error.board if isinstance(error, BoardError) else None
    headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return response(status, _dashed(type(error).__name__), str(error), board=board, headers=headers)


async def of_http_exception(request: Request, error: Exception) -> Response:
    """Answer what Starlette or a route refuses."""
    assert isinstance(error, HTTPException)
    kind = error.kind if isinstance(error, Refusal) else _dashed(HTTPStatus(error.status_code).phrase.replace(" ", ""))
    headers, detail = dict(error.headers or {}), str(error.detail)

    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (methods := allowed_methods(request)) is not None:
        headers["Allow"] = methods
        detail = f"this path takes {methods.replace(', ', ' or ')}, not {request.method}"

    return response(error.status_code, kind, detail, headers=headers)


async def of_invalid_request(request: Request, error: Exception) -> Response:
    """Answer a request that is not as described; the values that were sent are not repeated."""
    assert isinstance(error, RequestValidationError)
    sent = getattr(request.scope.get("route"), "body_field", None)
    model = sent.field_info.annotation if sent is not None else None
    return response(422, "invalid-request", mistakes(error.errors(), model=model))


async def of_anything(request: Request, error: Exception) -> Response:
    """Answer a failure of the service itself; what it was is in the log."""
    return response(500, "internal-error", "the service failed; its log says why")


def _dashed(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
