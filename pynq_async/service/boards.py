"""What the service says about boards."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .problems import Refusal
from .service import FarmService

State = Literal["free", "leased", "absent", "elsewhere"]


class Board(BaseModel):
    """A board of the farm, as it is now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "z2-a",
                "address": "192.168.2.99",
                "model": "Pynq-Z2",
                "family": "zynq7000",
                "tags": ["camera"],
                "state": "leased",
                "holder": "alice",
                "temperature": 46.9,
            }
        }
    )

    name: str
    address: str
    model: str | None = Field(None, description="None as long as the board has not answered.")
    family: str | None = None
    tags: list[str] = []
    state: State = Field(
        description="`absent` does not answer; `elsewhere` is held by another process of the service's host."
    )
    holder: str | None = Field(None, description="The token whose lease it is, or what else uses it.")
    problem: str | None = Field(None, description="Why it is absent.")
    temperature: float | None = Field(None, description="Of the die in degrees Celsius, when last seen.")


def board(service: FarmService, name: str) -> Board:
    """A board by name; raises `Refusal` for an unknown one."""
    for each in boards(service):
        if each.name == name:
            return each

    raise Refusal(404, "no-such-board", f"the farm has no board {name!r}; it has {', '.join(service.farm)}")


def boards(service: FarmService) -> list[Board]:
    """All boards, those that do not answer included, by name."""
    farm = service.farm
    absent = farm.absent
    found = []

    for name, figures in farm.statistics().boards.items():
        device = farm.get(name)
        lease = service.leases.holding(name)
        found.append(
            Board(
                name=name,
                address=str(device.address) if device is not None else "",
                model=device.model if device is not None else None,
                family=device.family if device is not None else None,
                state=figures.state,
                holder=lease.holder if lease is not None else None,
                problem=str(absent[name]) if name in absent else None,
                temperature=service.temperatures.get(name),
            )
        )

    return sorted(found, key=lambda each: each.name)
