"""The page at every width, light and dark; `PYNQ_ASYNC_PICTURES=docs/images` keeps those that the README shows."""

import os
from pathlib import Path

import pytest

from pynq_async.sim import SimBoard
from pynq_async.sim.known_designs import read_designs

from ...farm import farms
from .browser import Page
from .test_working import upload
from .visits import board, visit

LOOKS = [(1600, 1000, False), (1600, 1000, True), (900, 1000, False), (900, 1000, True), (360, 800, False), (360, 800, True)]
SPEEDS = (20e6, 20e6, 4e6, 3e6, 8e6)  # bytes a second to the boards, so that some are done and some are not
SHOWN = (1440, 860)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go."""
    kept = os.environ.get("PYNQ_ASYNC_PICTURES")
    return Path(kept).resolve() if kept else tmp_path


async def test_the_page_fits_at_every_width(
    page: Page, design: list[Path], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"z2-{letter}" for letter in "abcdef"] + ["zcu104-a", "zcu104-b", "zcu104-c"]
    monkeypatch.setattr(farms, "NAMES", names)
    known = await read_designs(design[1:])
    sims = [SimBoard(designs=known, seed=seed) for seed in range(6)]
    sims += [SimBoard(model="ZCU104", family="zynqmp", seed=seed) for seed in range(6, 9)]

    for sim, speed in zip(sims, SPEEDS, strict=False):
        sim.faults.bandwidth = speed

    async with visit(page, *sims) as it:
        await page.looks(*SHOWN)
        await upload(page, design)
        await it.lease("zcu104-a", it.bob)
        await it.lease("zcu104-b", it.root)
        await sims[8].stop()
        await page.sees("Absent", board("zcu104-c"))
        await page.click("#keep")

        for name in names[:5]:
            await page.click(f"{board(name)} [type=checkbox]")

        await page.click("#start")
        await page.until("document.querySelectorAll('#jobs [data-state=done]').length >= 2", 20)
        await page.run("document.querySelector('.side').scrollTo(0, 0)")
        await page.looks(*SHOWN)
        await page.picture(pictures / "page-light.png")
        await page.looks(*SHOWN, dark=True)
        await page.picture(pictures / "page-dark.png")
        await page.until("document.querySelectorAll('#jobs [data-state=done]').length === 5", 20)

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
            path = tmp_path / f"{width}-{'dark' if dark else 'light'}.png"
            await page.picture(path)
            assert path.read_bytes().startswith(b"\x89PNG")
