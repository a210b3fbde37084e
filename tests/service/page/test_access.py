"""The page for those who have no mouse, see little, or listen to it."""

from pathlib import Path
from typing import Any

from ...farm.farms import several
from .browser import Page
from .test_working import upload
from .visits import board, visit

# What can be worked with needs a name, and so does what is read out as a part of the page.
NAMED = {"button", "checkbox", "combobox", "link", "progressbar", "radio", "region", "searchbox", "textbox", "table"}
NAMED |= {"columnheader", "rowheader", "navigation", "DisclosureTriangle"}

FOCUS = """(() => {
    const element = document.activeElement;
    const outlined = (each) => each !== null && getComputedStyle(each).outlineStyle !== "none";
    const ring = outlined(element) || outlined(element.closest("label"));
    const {bottom, right, width} = element.getBoundingClientRect();
    const name = element.id || element.getAttribute("aria-label") || element.value || element.textContent;
    return [element.tagName === "BODY" ? "" : name, ring && width > 0 && bottom > 0 && right > 0];
})()"""

# Text whose contrast (WCAG 2.2, 1.4.3) against what is behind it is under 4.5; what cannot be used now is exempt.
FAINT = """(() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const linear = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const colour = parse(getComputedStyle(element).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const blank = !walker.currentNode.textContent.trim();
        if (blank || !element.checkVisibility() || element.closest(":disabled")) continue;
        const both = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
        if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${walker.currentNode.textContent}`);
    }
    return faint;
})()"""


async def lively(page: Page, design: list[Path]) -> None:
    """Have everything on the page that there can be: leases, jobs, a design opened, a form to write."""
    await upload(page, design)
    await page.click(f"{board('a')} [type=checkbox]")
    await page.click("#keep")
    await page.click("#start")
    await page.sees("resizer.bit runs", "#jobs")
    await page.click(f"{board('a')} .look button")
    await page.click("[data-ip=axi_dma_0] summary")
    await page.click("[data-register=MM2S_SA] .actions button:last-child")


async def test_everything_has_a_name_a_place_and_enough_contrast(page: Page, design: list[Path]) -> None:
    sims = several(3)

    async with visit(page, *sims) as it:
        await lively(page, design)
        await it.lease("b", it.bob, wait=20)
        await sims[2].stop()
        await page.sees("Absent", board("c"))
        assert await page.run("document.documentElement.lang") == "en"
        assert await page.run("document.querySelectorAll('h1').length") == 1

        for width in (1600, 360):
            await page.looks(width)
            nodes = await tree(page)
            roles = [role for role, _ in nodes]
            assert not [node for node in nodes if node[0] in NAMED and not node[1]]
            parts = {"banner", "main", "region", "table", "columnheader", "rowheader", "status", "RootWebArea"}
            assert parts <= set(roles)
            assert roles.count("main") == 1
            assert roles.count("rowheader") >= 3
            assert await page.run("document.documentElement.scrollWidth") <= width

            for dark in (False, True):
                await page.looks(width, dark=dark)
                assert await page.run(FAINT) == []


async def tree(page: Page) -> list[tuple[str, str]]:
    """Role and name of all that a screen reader is told of."""
    nodes: list[dict[str, Any]] = (await page.ask("Accessibility.getFullAXTree"))["nodes"]
    return [
        (str(node["role"]["value"]), str(node.get("name", {}).get("value", "")).strip())
        for node in nodes
        if not node["ignored"]
    ]


async def test_a_screen_reader_is_told_of_many_events_in_one_sentence(page: Page) -> None:
    async with visit(page) as it:
        await page.run(
            "window.said = [], new MutationObserver(() => said.push(document.getElementById('said').textContent))"
            ".observe(document.getElementById('said'), {childList: true, characterData: true, subtree: true}), true"
        )

        for number in range(50):
            it.service.feed.publish("loaded", {"board": "a", "time": 1.8e9, "name": f"{number}.bit", "digest": ""})

        await page.until("said.length && said.at(-1).includes('49.bit')")
        assert await page.run("said.length") <= 3
        assert await page.run("document.querySelectorAll('[aria-live], [role=status], [role=log]').length") == 1


async def test_all_is_reached_with_the_keyboard_in_the_order_of_the_page(page: Page) -> None:
    async with visit(page, *several(2)):
        await page.run("document.activeElement.blur()")
        order: list[str] = []

        while len(order) < 40:
            await page.press("Tab")
            name, visible = await page.run(FOCUS)

            if not name or name in order:
                break

            assert visible, f"{name} has the focus and does not show it"
            order.append(name)

        assert order == [
            "Skip to the boards",
            "sign-out",
            "all",
            "find",
            "Choose a",
            "Choose b",
            "files",
            "bitstream",
            "choose-free",
            "choose-none",
            "keep",
            "seconds",
        ]
        await page.run("document.getElementById('keep').focus()")
        await page.press("Tab", shift=True)
        assert (await page.run(FOCUS))[0] == "choose-none"


async def test_a_board_is_programmed_and_read_with_the_keyboard_alone(page: Page, design: list[Path]) -> None:
    async def tab_to(condition: str) -> None:
        for _ in range(60):
            await page.press("Tab")

            if await page.run(f"Boolean(document.activeElement.matches({condition!r}))"):
                return

        raise AssertionError(f"not reached: {condition}")

    async with visit(page, *several(2)):
        await upload(page, design)
        await page.run("document.activeElement.blur()")
        await tab_to(".skip")
        await page.press("Enter")
        await page.until("document.activeElement.id === 'main'")
        await tab_to("#states input")
        await page.press("ArrowRight")
        await page.until("document.querySelector('#states [value=free]').checked")
        await tab_to("[aria-label='Choose b']")
        await page.press(" ")
        await page.sees("1 board chosen")
        await tab_to("#keep")
        await page.press(" ")
        await tab_to("#start")
        await page.press("Enter")
        await page.sees("resizer.bit runs", "#jobs")
        await page.run("document.querySelector('#states [value=all]').focus()")
        await page.press(" ")
        await page.until("!document.querySelector('[data-board=b]').hidden")
        await tab_to("[data-board=b] .look button")
        await page.press("Enter")
        await page.sees("You hold the board")
        assert await page.run("document.activeElement.id") == "design"
        await tab_to("[data-ip=axi_dma_0] summary")
        await page.press("Enter")
        await tab_to("[aria-label='Read MM2S_DMACR']")
        await page.press("Enter")
        await page.sees("0x00000000", "[data-register=MM2S_DMACR] .value")
        await page.until("document.getElementById('said').textContent.includes('MM2S_DMACR is 0x00000000')")
        await tab_to("[aria-label='Write MM2S_DMACR']")
        await page.press("Enter")
        await page.press("Escape")
        assert (await page.run(FOCUS))[0] == "Write MM2S_DMACR"
