"""Signing in, and seeing what happens as it happens."""

import pytest

from pynq_async.sim import SimBoard

from ...farm.farms import several
from ..services import Running
from .browser import Page
from .visits import board, secret, visit


async def sign_in(page: Page, it: Running, who: str) -> None:
    """Type a token and press Enter."""
    await page.run("document.getElementById('token').focus()")
    await page.type(secret(it, who))
    await page.press("Enter")


async def test_a_token_in_the_address_is_taken_and_removed(page: Page) -> None:
    async with visit(page, *several(3)) as it:
        assert await page.run("location.href") == f"{it.url}/"
        assert await page.run("document.querySelectorAll('#board-rows tr').length") == 3
        shown = await page.text(board("a"))
        assert "Pynq-Z2" in shown and "Free" in shown
        await page.go(it.url)  # a reload: it is kept in the tab
        await page.sees("Live", "#stream")


async def test_a_token_is_typed_and_forgotten_on_signing_out(page: Page) -> None:
    async with visit(page, who=None) as it:
        await page.click("#sign-in button")
        await page.sees("A token is needed", "#sign-in-problem")
        await sign_in(page, it, "alice")
        await page.sees("alice", "#who")
        await page.sees("Live", "#stream")
        assert await page.run("document.activeElement.id") == "main"
        await page.click("#sign-out")
        await page.sees("Sign in")
        assert not await page.run("document.getElementById('farm').checkVisibility()")
        await page.until("sessionStorage.length + document.querySelectorAll('#board-rows tr').length === 0")
        await page.go(it.url)
        await page.sees("Sign in")


@pytest.mark.parametrize(("who", "says"), [("gone", "has expired"), ("nobody", "does not know this token")])
async def test_a_token_that_is_not_good_is_told_so(page: Page, who: str, says: str) -> None:
    async with visit(page, who=None) as it:
        it.nobody.headers["authorization"] = "Bearer wrong"
        await sign_in(page, it, who)
        await page.sees(says, "#sign-in-problem")
        await page.until("document.activeElement.id === 'token'")
        assert await page.run("sessionStorage.length") == 0

    assert all("401" in complaint for complaint in page.complaints)  # which the browser notes by itself
    page.complaints.clear()


async def test_what_cannot_be_a_token_is_not_sent(page: Page) -> None:
    async with visit(page, who=None):
        await page.run("document.getElementById('token').focus()")
        await page.type("zwölf Boxkämpfer ☃")
        await page.press("Enter")
        await page.sees("This is no token", "#sign-in-problem")
        assert not [url for url in page.requests if "/api/" in url]


async def test_what_happens_is_shown_without_a_reload(page: Page) -> None:
    async with visit(page, *several(2), who="carol") as it:
        lease = await it.lease("b", it.bob, wait=20)
        await page.sees("by bob", board("b"))
        await page.sees("b was leased by bob", "#event-list")
        assert await page.run("document.querySelector('#states [data-state=leased] b').textContent") == "1"
        await it.bob.delete(f"/api/leases/{lease}")
        await page.sees("Free", board("b"))
        await page.until("/ B.s/.test(document.querySelector('[data-board=a] .sent').textContent)")
        await page.sees("°C", board("a"))
        it.service.feed.publish("progress", {"board": "a", "stage": "upload", "done": 100, "total": 100})
        await page.sees("Uploading 99 %", board("a"))  # until the next step begins


async def test_a_lost_board_is_seen_and_so_is_its_return(page: Page) -> None:
    sims = several(2)

    async with visit(page, *sims):
        row = await page.run("window.row = document.querySelector('[data-board=a]'), true")
        assert row
        await sims[0].stop()
        await page.sees("no answer within", board("a"))
        await page.until("document.getElementById('said').textContent.includes('a is lost')")
        assert await page.run("document.querySelector('[data-board=a] [type=checkbox]').disabled")
        await sims[0].start()
        await page.sees("Free", board("a"))
        assert await page.run("window.row === document.querySelector('[data-board=a]')")  # changed in place


async def test_the_page_finds_back_when_its_connection_is_cut(page: Page) -> None:
    async with visit(page) as it:
        feed = it.service.feed
        (watcher,) = feed._watchers
        feed._leave(watcher)
        await page.sees("Connected again", "#said")
        await page.sees("Live", "#stream")
        await it.lease("a", it.bob)
        await page.sees("by bob", board("a"))


async def test_boards_are_found_by_text_and_state(page: Page) -> None:
    async with visit(page, *several(3)) as it:
        await it.lease("b", it.bob, wait=20)
        await page.sees("by bob", board("b"))
        shown = "[...document.querySelectorAll('#board-rows tr:not([hidden])')].map((row) => row.dataset.board).join()"
        await page.click("#states [data-state=leased]")
        await page.until(f"{shown} === 'b'")
        await page.click("#states [data-state=absent]")
        await page.sees("None of 3 boards fits the filter.")
        await page.click("#states [data-state=all]")
        await page.click("#find")
        await page.type("BOB")
        await page.until(f"{shown} === 'b'")


async def test_names_and_reasons_are_text_and_nothing_else(page: Page) -> None:
    async with visit(page, SimBoard(model="<img src=x onerror=alert(1)>")) as it:
        await page.sees("<img src=x onerror=alert(1)>", board("a"))
        it.service.feed.publish("lost", {"board": "a", "time": 1.8e9, "reason": "<script>alert(2)</script><b>x</b>"})
        await page.sees("<script>alert(2)</script><b>x</b>", "#event-list")
        assert await page.run("document.querySelectorAll('img, #events script, #board-rows b').length") == 0
