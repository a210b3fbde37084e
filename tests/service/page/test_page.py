"""The page in a browser: signing in, and what happens as it happens."""

from ...farm.farms import several
from ..services import Running, running
from .browser import Page


def secret(it: Running, name: str) -> str:
    """The secret of a token."""
    return str(getattr(it, name).headers["authorization"]).removeprefix("Bearer ")


async def test_the_boards_are_shown_to_a_token_from_the_address(page: Page) -> None:
    async with running(*several(3), served=True) as it:
        await page.go(f"{it.url}/#token={secret(it, 'alice')}")
        await page.until("document.querySelectorAll('#board-rows tr').length === 3")
        assert await page.run("location.hash") == ""
        assert "Pynq-Z2" in await page.text("[data-board=a]")
        await page.sees("Live", "#stream")
        await it.lease("b", it.bob)
        await page.sees("by bob", "[data-board=b]")
