"""A board that has never answered: it is not there, but nobody says that it is unknown."""

from typing import Any

import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.service import Jobs

from .services import problem, running

FARM: dict[str, Any] = {"require": "any", "timeouts": Timeouts(connect=0.2)}
JOBS = Jobs()


@JOBS.job(wait=0.01)
async def nothing(board: RemoteDevice) -> None:
    """Nothing."""


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("GET", "design", None, 404, "no-design"),
        ("POST", "program", {"bitstream": "x"}, 409, "not-leased"),
        ("GET", "registers?ip=x", None, 409, "not-leased"),
        ("GET", "mmio?ip=x&offset=0", None, 409, "not-leased"),
        ("GET", "buffers", None, 409, "not-leased"),
        ("POST", "buffers", {"shape": [1]}, 409, "not-leased"),
    ],
)
async def test_what_is_asked_of_it_is_refused_as_of_a_board_that_is_free(
    method: str, path: str, body: object, status: int, kind: str
) -> None:
    async with running(farm=FARM, absent=("z",)) as it:
        problem(await it.alice.request(method, f"/api/boards/z/{path}", json=body), status, kind)
        assert "it has a, z" in problem(
            await it.alice.request(method, f"/api/boards/y/{path}", json=body), 404, "no-such-board"
        )


async def test_it_is_shown_and_waited_for() -> None:
    async with running(farm=FARM, absent=("z",), jobs=JOBS) as it:
        assert (await it.carol.get("/api/boards/z")).json()["state"] == "absent"
        assert "it has a, z" in problem(await it.carol.get("/api/boards/y"), 404, "no-such-board")
        told = problem(await it.alice.post("/api/leases", json={"name": "z"}), 503, "lease-timeout")
        assert told.startswith("z: no connection to ") and "the connection was refused" in told
        assert (await it.alice.post("/api/jobs/nothing/runs", json={"board": "z"})).status_code == 202
        assert "it has a, z" in problem(
            await it.alice.post("/api/jobs/nothing/runs", json={"board": "y"}), 404, "no-such-board"
        )
