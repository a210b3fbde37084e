"""`/api/me` and `/api/statistics`: who asks, and what the service has done."""

from dataclasses import asdict

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ..access import Reader, Service
from ..json_route import JsonRoute
from ..problems import RESPONSES
from ..tokens import Scope

router = APIRouter(prefix="/api", tags=["about"], route_class=JsonRoute, responses=RESPONSES)


class Limits(BaseModel):
    """What a client may ask for."""

    lease_seconds: float = Field(description="How long a lease lasts unless it is told.")
    longest_lease: float = Field(description="How many seconds it may be asked or renewed for.")
    longest_wait: float = Field(description="How many seconds a request may wait for boards.")
    leases: int = Field(description="How many leases a token may have at a time.")
    upload_bytes: int = Field(description="The largest bitstream or description.")
    stored_bytes: int = Field(description="All uploads together.")
    buffer_bytes: int = Field(description="The largest buffer.")
    requests: float = Field(description="How many requests a second a token may make in the long run.")
    burst: int = Field(description="How many it may make at once.")


class Me(BaseModel):
    """Whose token it is, and what the service allows."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "alice",
                "scope": "use",
                "expires": 1.8e9,
                "version": "1.0.0",
                "limits": {
                    "lease_seconds": 300,
                    "longest_lease": 3600,
                    "longest_wait": 60,
                    "leases": 64,
                    "upload_bytes": 268435456,
                    "stored_bytes": 2147483648,
                    "buffer_bytes": 536870912,
                    "requests": 200,
                    "burst": 400,
                },
            }
        }
    )

    name: str
    scope: Scope
    expires: float | None = Field(description="When the token stops to be accepted, in seconds since 1970.")
    version: str = Field(description="Of the service.")
    limits: Limits


class BoardCounts(BaseModel):
    """What a board has done since the service began."""

    name: str
    leases: int = Field(description="How often somebody was given it.")
    leased_seconds: float
    items: int = Field(description="Calls of `map` that it carried out.")
    busy_seconds: float = Field(description="How long it worked on them.")
    failed: int = Field(description="Those that raised.")
    moved: int = Field(description="Those that were tried again elsewhere because the board failed.")
    lost: int = Field(description="How often it did not answer.")
    loaded: int = Field(description="Downloads that ended well.")
    forgotten: int = Field(description="Buffers that were left allocated at the end of a lease.")
    sent: int = Field(description="Bytes sent to it.")
    received: int = Field(description="Bytes received from it.")


class Statistics(BaseModel):
    """What the service does and has done."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "leases": 1,
                "waiting": 0,
                "watchers": 2,
                "bitstreams": 1,
                "stored_bytes": 8575526,
                "boards": [
                    {
                        "name": "z2-a",
                        "leases": 12,
                        "leased_seconds": 340.5,
                        "items": 0,
                        "busy_seconds": 0,
                        "failed": 0,
                        "moved": 0,
                        "lost": 0,
                        "loaded": 9,
                        "forgotten": 0,
                        "sent": 4045650,
                        "received": 512,
                    }
                ],
            }
        }
    )

    leases: int = Field(description="Leases now.")
    waiting: int = Field(description="Leases that wait for boards.")
    watchers: int = Field(description="Streams of events that are open.")
    bitstreams: int
    stored_bytes: int = Field(description="What uploads count.")
    boards: list[BoardCounts] = Field(description="By name.")


@router.get("/me")
async def get_me(request: Request, service: Service, caller: Reader) -> Me:
    """Whose token this is, and what it may do."""
    return Me(
        name=caller.name,
        scope=caller.scope,
        expires=caller.expires.timestamp() if caller.expires is not None else None,
        version=request.app.version,
        limits=Limits.model_validate({name: getattr(service.options, name) for name in Limits.model_fields}),
    )


@router.get("/statistics")
async def get_statistics(service: Service, caller: Reader) -> Statistics:
    """Counts of the farm and the service."""
    farm = service.farm.statistics()
    boards = [BoardCounts.model_validate(asdict(farm.boards[name])) for name in sorted(farm.boards)]
    return Statistics(
        leases=sum(not lease.ended for lease in service.leases),
        waiting=farm.waiting,
        watchers=len(service.feed),
        bitstreams=len(service.bitstreams),
        stored_bytes=service.storage.taken,
        boards=boards,
    )
