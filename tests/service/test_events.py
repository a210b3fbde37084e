"""The stream of events, and those who watch it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pynq_async.errors import ConnectionLost
from pynq_async.service import ServiceOptions
from pynq_async.sim import SimBoard

from .services import problem, running


async def told(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """The events of a stream: kind and data."""
    kind = ""

    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


async def test_the_first_event_says_how_everything_is() -> None:
    async with running(served=True) as it, it.carol.stream("GET", "/api/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kind, data = await anext(told(answer))
        assert kind == "boards"
        assert [board["name"] for board in data["boards"]] == ["a"]


async def test_a_lease_is_told_as_it_comes_and_goes() -> None:
    async with running(served=True) as it, it.carol.stream("GET", "/api/events") as answer:
        events = told(answer)
        await anext(events)
        lease = await it.lease("a")
        await it.alice.delete(f"/api/leases/{lease}")
        kinds = [kind async for kind, _ in until(events, "returned") if kind != "samples"]
        assert kinds == ["leased", "returned"]


async def test_temperatures_come_while_somebody_watches() -> None:
    async with running(served=True, options=ServiceOptions(sampling=0.01)) as it:
        async with it.carol.stream("GET", "/api/events") as answer:
            samples = [data async for kind, data in until(told(answer), "samples") if kind == "samples"]
            assert 20 < samples[-1]["boards"]["a"]["temperature"] < 100

        async with asyncio.timeout(5):
            while len(it.service.feed):
                await asyncio.sleep(0.001)

        assert (await it.carol.get("/api/boards/a")).json()["temperature"] > 20


async def test_a_lost_board_is_told_and_so_is_its_return() -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it, it.carol.stream("GET", "/api/events") as answer:
        events = told(answer)
        await anext(events)
        await it.lease("a")
        await sim.restart()
        (board,) = it.service.farm.values()
        it.service.farm._here.lost(board, ConnectionLost("a", "gone"))
        lost = [data async for kind, data in until(events, "lost") if kind == "lost"]
        assert "gone" in lost[0]["reason"]


async def test_so_many_may_watch_and_no_more() -> None:
    async with (
        running(served=True, options=ServiceOptions(watchers=1)) as it,
        it.carol.stream("GET", "/api/events") as answer,
    ):
        events = told(answer)  # a stream that nobody holds is closed
        await anext(events)
        problem(await it.alice.get("/api/events"), 503, "too-many-watchers")


async def test_the_service_stops_although_somebody_watches() -> None:
    async with running(served=True) as it, it.carol.stream("GET", "/api/events") as answer:
        events = told(answer)
        await anext(events)
        it.service.drain()
        assert [event async for event in events if event[0] != "samples"] == []
        problem(await it.carol.get("/api/events"), 503, "stopping")


async def until(events: AsyncIterator[tuple[str, Any]], last: str) -> AsyncIterator[tuple[str, Any]]:
    """Events up to the first of a kind."""
    async with asyncio.timeout(5):
        async for event in events:
            yield event

            if event[0] == last:
                return


async def test_who_watches_is_let_go_when_the_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(served=True) as it, it.carol.stream("GET", "/api/events") as answer:
        events = told(answer)
        await anext(events)
        monkeypatch.setattr(it.service.tokens, "expired", lambda token: token.name == "carol")
        await it.lease("a")
        assert [kind async for kind, _ in until(events, "leased")] == []
