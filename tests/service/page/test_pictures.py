"""The page at every width, light and dark; `PYNQ_ASYNC_PICTURES=docs/images` keeps those that the README shows."""

import os
from pathlib import Path

import pytest

from pynq_async.bitstream import synthetic_bitstream
from pynq_async.sim import SimBoard
from pynq_async.sim.known_designs import read_designs

from ...farm import farms
from .browser import Page
from .test_working import upload
from .visits import board, visit

LOOKS = [(width, height, dark) for width, height in ((1400, 900), (900, 1000), (360, 800)) for dark in (False, True)]
# What has a scrollbar of its own inside the page.
SCROLLING = """[...document.querySelectorAll("body *")].filter((each) =>
    ["auto", "scroll"].includes(getComputedStyle(each).overflowY) && each.clientHeight).map((each) => each.id)"""
STICKING_OUT = """[...document.querySelectorAll(".panel button, .panel td, .panel select")].filter((each) =>
    each.checkVisibility() &&
    each.getBoundingClientRect().right > each.closest(".panel").getBoundingClientRect().right - 5)
    .map((each) => each.textContent)"""
SHOWN = (1440, 860)
NAMES = ["z2-a", "z2-b", "z2-c", "z2-d", "zcu104-a", "zcu104-b", "zcu104-c", "zcu104-d"]
SPEEDS = (60e6, 40e6, 12e6, 9e6)  # bytes a second to the ZCU104s, so that some are done while others are not


async def test_the_page_fits_at_every_width(
    page: Page, design: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = os.environ.get("PYNQ_ASYNC_PICTURES")
    pictures = Path(kept).resolve() if kept else tmp_path
    large = tmp_path / "stream.bit"
    large.write_bytes(synthetic_bitstream("xczu7ev-ffvc1156-2-e", 19_300_000 if kept else 100_000, seed=2))
    monkeypatch.setattr(farms, "NAMES", NAMES)
    known = await read_designs(design[1:])
    sims = [SimBoard(designs=known, seed=seed) for seed in range(4)]
    sims += [SimBoard(model="ZCU104", family="zynqmp", seed=seed) for seed in range(4, 8)]

    for sim, speed in zip(sims[4:], SPEEDS, strict=True):
        sim.faults.bandwidth = speed

    async with visit(page, *sims) as it:
        await page.looks(*SHOWN)
        await upload(page, design)
        await it.lease("z2-b", it.bob, wait=20)
        await sims[3].stop()
        await page.sees("Absent", board("z2-d"))
        await page.click("#keep")
        await page.click(f"{board('z2-a')} [type=checkbox]")
        await page.click("#start")
        await page.sees("resizer.bit runs", "#jobs")

        await page.give_files("#files", [large])
        await page.sees("stream.bit", "#bitstream")
        await page.click("#keep")

        for name in NAMES[4:]:
            await page.click(f"{board(name)} [type=checkbox]")

        await page.click("#start")
        await page.until("document.querySelectorAll('#jobs [data-state=done]').length >= 1")

        await page.run("scrollTo(0, 0)")

        for dark in (False, True):
            await page.looks(*SHOWN, dark=dark)
            await page.picture(pictures / f"page-{'dark' if dark else 'light'}.png")

        await page.until("document.querySelectorAll('#jobs [data-state=done]').length === 4")
        await page.looks(*SHOWN)
        await page.click(f"{board('z2-a')} .look button")
        await page.click("[data-ip=axi_dma_0] summary")
        await page.click("[data-ip=axi_dma_0] .registers > button")
        await page.sees("0x", "[data-register=S2MM_DMASR] .value")
        await page.run("document.querySelector('#design').scrollIntoView()")
        await page.picture(pictures / "page-registers.png")

        for width, height, dark in LOOKS:
            await page.looks(width, height, dark=dark)
            assert await page.run("document.documentElement.scrollWidth") <= width
            assert await page.run(SCROLLING) == []
            assert await page.run(STICKING_OUT) == []
            await page.run("scrollTo(0, 0)")
            path = tmp_path / f"{width}-{'dark' if dark else 'light'}.png"
            await page.picture(path)
            assert path.read_bytes().startswith(b"\x89PNG")
