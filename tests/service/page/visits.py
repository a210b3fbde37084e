"""A service with simulated boards, and a page that shows it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pynq_async import Health, Timeouts
from pynq_async.service import ServiceOptions
from pynq_async.sim import SimBoard

from ..services import Running, running
from .browser import Page

# Boards that stop are missed soon, and those that are only slow on a busy machine are not.
_FARM = {"health": Health(interval=0.1, timeout=1.5), "timeouts": Timeouts(connect=1, call=10, grace=0.05)}


@asynccontextmanager
async def visit(page: Page, *sims: SimBoard, who: str | None = "alice", **more: Any) -> AsyncIterator[Running]:
    """Run a service, and have somebody look at its boards, or at the form to sign in."""
    options = more.pop("options", ServiceOptions(sampling=0.2))

    async with running(*sims, served=True, farm=_FARM, options=options, **more) as it:
        if who is None:
            await page.go(it.url)
            await page.sees("Sign in")
        else:
            await page.go(f"{it.url}/#token={secret(it, who)}")
            await page.sees("Live", "#stream")
            await page.until("document.querySelector('#board-rows tr')")

        yield it
        await page.go("about:blank")


def secret(it: Running, name: str) -> str:
    """The secret of a token."""
    return str(getattr(it, name).headers["authorization"]).removeprefix("Bearer ")


def board(name: str) -> str:
    """The row of a board."""
    return f"[data-board={name}]"
