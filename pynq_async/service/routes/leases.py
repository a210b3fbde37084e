"""`/api/leases`: boards for one client at a time."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ..access import Reader, Service, User
from ..departure import while_there
from ..json_route import JsonRoute
from ..leases import ServiceLease
from ..problems import RESPONSES
from ..service import FarmService

router = APIRouter(prefix="/api/leases", tags=["leases"], route_class=JsonRoute, responses=RESPONSES)
LeaseId = Annotated[str, Path(description="The id of a lease.")]


class LeaseRequest(BaseModel):
    """Which boards, and for how long."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"name": "z2-a"}, {"model": "ZCU104", "tags": ["camera"], "wait": 30}]},
    )

    count: int = Field(1, ge=1, le=1024, description="How many boards.")
    name: str | None = Field(None, description="The board of this name.")
    model: str | None = Field(None, description="A model, such as ZCU104.")
    family: str | None = Field(None, description="zynq7000, zynqmp or versal.")
    tags: list[str] = Field([], description="What the boards must be tagged with, all of it.")
    priority: int = Field(0, ge=-100, le=100, description="Higher ones are served first.")
    seconds: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="How long it lasts; a default of the service unless told, never more than its limit.",
    )
    wait: float = Field(0, ge=0, allow_inf_nan=False, description="Seconds to wait for boards to become free.")


class Renewal(BaseModel):
    """How long a lease is to last from now on."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": {"seconds": 300}})

    seconds: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="A default of the service unless told, never more than its limit."
    )


class Lease(BaseModel):
    """A lease, as it is now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "3vO2uAa0Yq1mXw7c",
                "holder": "alice",
                "boards": ["z2-a"],
                "since": 1.8e9,
                "seconds_left": 299.9,
            }
        }
    )

    id: str
    holder: str
    boards: list[str]
    since: float = Field(description="When it began, in seconds since 1970.")
    seconds_left: float = Field(description="After how many seconds it ends unless it is renewed.")


@router.post("", status_code=201)
async def take_lease(
    wanted: LeaseRequest, request: Request, response: Response, service: Service, caller: User
) -> Lease:
    """Lease boards that nobody else has meanwhile.

    When it expires or is ended, its buffers are freed and the boards go to whoever is next; the fabric stays as it is.
    """
    service.check_running()
    asked = service.farm.lease(
        count=wanted.count,
        name=wanted.name,
        model=wanted.model,
        family=wanted.family,
        tags=wanted.tags,
        priority=wanted.priority,
        timeout=min(wanted.wait, service.options.longest_wait),
        holder=caller.name,
    )
    lease = await while_there(request, service.leases.take(caller, asked, _seconds(service, wanted.seconds)))
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/api/leases/{lease.id}"
    return _shown(lease)


@router.get("")
async def list_leases(service: Service, caller: Reader) -> list[Lease]:
    """All leases; the ids of others' are not told."""
    mine = caller.allows("admin")
    return [
        _shown(lease, hidden=not (mine or lease.holder == caller.name)) for lease in service.leases if not lease.ended
    ]


@router.get("/{lease}")
async def get_lease(lease: LeaseId, service: Service, caller: User) -> Lease:
    """A lease of yours."""
    return _shown(service.leases.find(lease, caller))


@router.post("/{lease}/renew")
async def renew_lease(lease: LeaseId, renewal: Renewal, service: Service, caller: User) -> Lease:
    """Let a lease last longer."""
    found = service.leases.find(lease, caller)
    found.renew(_seconds(service, renewal.seconds))
    return _shown(found)


@router.delete("/{lease}", status_code=204)
async def end_lease(lease: LeaseId, service: Service, caller: User) -> None:
    """End a lease; answers when its boards are clean and free."""
    await service.leases.give_back(service.leases.find(lease, caller))


def _seconds(service: FarmService, asked: float | None) -> float:
    return min(asked or service.options.lease_seconds, service.options.longest_lease)


def _shown(lease: ServiceLease, *, hidden: bool = False) -> Lease:
    return Lease(
        id="" if hidden else lease.id,
        holder=lease.holder,
        boards=sorted(lease.boards),
        since=lease.since,
        seconds_left=lease.seconds_left,
    )
