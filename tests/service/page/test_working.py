"""Uploading, programming, leasing, and looking into registers."""

from pathlib import Path

import grpc

from pynq_async.sim import SimBoard
from pynq_async.sim.known_designs import read_designs

from ...farm.farms import several
from .browser import Page
from .visits import board, visit

IP = "[data-ip=axi_dma_0]"


async def upload(page: Page, design: list[Path]) -> None:
    """Pick files and wait until the service has them."""
    await page.give_files("#files", design)
    await page.until("!document.getElementById('look-bitstream').disabled")


async def test_boards_are_programmed_and_given_back(page: Page, design: list[Path]) -> None:
    sims = several(3)

    for sim in sims:
        sim.faults.program_seconds = 0.5  # the least time for which the bars are there

    async with visit(page, *sims) as it:
        assert await page.run("document.getElementById('start').disabled")
        await upload(page, design)
        await it.lease("b", it.bob, wait=20)
        await page.sees("by bob", board("b"))
        await page.click("#choose-free")
        await page.sees("Program 2 boards", "#start")
        await page.run(
            "window.seen = {}, new MutationObserver(() => document.querySelectorAll('#jobs li').forEach((job) => {"
            "  const bar = job.querySelector('progress');"
            "  if (!bar.hidden && bar.value > 0) seen[job.dataset.job] = bar.value;"
            "})).observe(document.getElementById('jobs'), {subtree: true, attributes: true, childList: true}), true"
        )
        await page.click("#start")
        await page.until("document.querySelectorAll('#jobs [data-state=done]').length === 2")
        assert await page.run("Object.keys(seen).sort().join()") == "a,c"
        await page.sees("resizer.bit", board("a"))
        await page.sees("Free", board("a"))
        await page.sees("2 boards programmed", "#said")
        assert [lease.holder for lease in it.service.leases] == ["bob"]


async def test_a_failure_is_told_and_the_board_can_be_tried_again(page: Page, design: list[Path]) -> None:
    sims = several(2)

    async with visit(page, *sims) as it:
        await page.give_files("#files", design[:1])
        await page.sees("no .hwh", "#bitstream-facts")
        await page.click("#choose-free")
        await page.click("#keep")
        sims[1].faults.fail("remote_device.writefile", grpc.StatusCode.UNKNOWN, "no room")
        await page.click("#start")
        await page.sees("resizer.bit runs", "[data-job=a]")
        await page.sees("Failed: ", "[data-job=b]")
        assert "Failed: b" not in await page.text("[data-job=b]")  # its name stands before that
        await page.sees("Program 1 board", "#start")
        await page.sees("a", "#lease-list")
        assert len(list(it.service.leases)) == 2  # kept, as was asked

    page.complaints = [each for each in page.complaints if "status of 5" not in each and "status of 4" not in each]


async def test_a_file_that_is_no_bitstream_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.bit"
    wrong.write_bytes(b"this is no bitstream" * 100)

    async with visit(page):
        await page.give_files("#files", [wrong])
        await page.sees("wrong.bit: is no .bit", "#upload-problem")
        await page.give_files("#files", [wrong.rename(tmp_path / "wrong.hwh")])
        await page.sees("choose its bitstream together with it", "#upload-problem")

    page.complaints = [each for each in page.complaints if "422" not in each]


async def test_a_dropped_file_is_uploaded(page: Page, design: list[Path]) -> None:
    async with visit(page):
        data = {"items": [], "files": [str(file) for file in design], "dragOperationsMask": 1}

        for kind in ("dragEnter", "dragOver", "drop"):
            x, y = await page.run(
                "(r => [r.x + 30, r.y + 30])(document.getElementById('drop').getBoundingClientRect())"
            )
            await page.ask("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

        await page.sees("resizer.bit", "#bitstream")
        await page.until("!document.getElementById('look-bitstream').disabled")
        await page.click("#look-bitstream")
        await page.sees("Design of resizer.bit")
        await page.click("#forget-bitstream")
        await page.press("Escape")
        await page.until("document.activeElement.id === 'forget-bitstream'")
        await page.click("#forget-bitstream")
        await page.click("#forget-question .main")
        await page.sees("None yet", "#bitstream")


async def test_leases_are_renewed_and_ended(page: Page) -> None:
    async with visit(page) as it:
        await it.lease("a", seconds=30)
        await page.sees("ends soon", "#lease-list")
        await page.click("#lease-list button")
        await page.sees("5:00 left", "#lease-list")
        await page.click("#lease-list button:last-child")
        await page.sees("You hold no board.")
        await page.sees("Free", board("a"))


async def test_registers_are_read_and_written_with_a_lease(page: Page, design: list[Path]) -> None:
    async with visit(page, SimBoard(designs=await read_designs(design[1:]))) as it:
        await upload(page, design)
        await page.click("#choose-free")
        await page.click("#start")
        await page.sees("resizer.bit runs", "#jobs")
        await page.click(f"{board('a')} .look button")
        await page.sees("needs a lease", "#design")
        await page.click(f"{IP} summary")
        read = f"{IP} [data-register=MM2S_DMACR] .actions button"
        await page.until(f"document.querySelector('{read}')?.matches(':disabled')")
        await page.click(".lease-it button")
        await page.sees("You hold the board")
        await page.click(read)
        await page.sees("0x00010002", f"{IP} [data-register=MM2S_DMACR] .value")
        await page.click(f"{IP} .registers > button")
        await page.sees("0x", f"{IP} [data-register=S2MM_DMASR] .value")

        await page.click(f"{IP} [data-register=MM2S_SA] .actions button:last-child")
        assert await page.run("document.activeElement.tagName") == "INPUT"
        await page.type("many")
        await page.press("Enter")
        await page.sees("Write a number", f"{IP} .problem")
        await page.run("document.activeElement.select()")
        await page.type("0x12345678")
        await page.press("Enter")
        await page.sees("0x12345678", f"{IP} [data-register=MM2S_SA] .value")
        await it.alice.delete(f"/api/leases/{next(iter(it.service.leases)).id}")
        await page.sees("needs a lease", "#design")


async def test_a_token_that_may_only_look_is_told_why_nothing_else_goes(page: Page, design: list[Path]) -> None:
    async with visit(page, who="carol") as it:
        made = await it.alice.post("/api/bitstreams", params={"name": "resizer.bit"}, content=design[0].read_bytes())
        lease = await it.lease("a")
        await it.alice.post("/api/boards/a/program", json={"bitstream": made.json()["id"]})
        await it.alice.delete(f"/api/leases/{lease}")
        await page.sees("resizer.bit", board("a"))
        await page.sees("Your token may only look", "#program")
        assert not await page.run("document.getElementById('drop').checkVisibility()")
        acting = "#forget-bitstream, #board-rows [type=checkbox]"
        assert await page.run(f"[...document.querySelectorAll('{acting}')].every((each) => each.matches(':disabled'))")
