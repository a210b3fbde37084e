"""What is chosen: which description, which bitstream, which boards, and why something cannot be chosen."""

from pathlib import Path

from pynq_async.sim import SimBoard

from ...farm.farms import several
from .browser import Page
from .visits import board, visit

SHOWN = "[...document.querySelectorAll('#bitstream option')].map((each) => each.textContent.split(' · ')[0]).join()"


async def test_a_description_goes_to_the_bitstream_of_its_name_or_is_asked_for(page: Page, design: list[Path]) -> None:
    bitstream, description = design
    mine, other = bitstream.with_name("mine.bit"), description.with_name("other.hwh")
    mine.write_bytes(bitstream.read_bytes())
    other.write_bytes(description.read_bytes())

    async with visit(page):
        await page.give_files("#files", [bitstream])
        await page.sees("resizer.bit is on the service.", "#upload-done")
        await page.give_files("#files", [mine, other])
        await page.sees("Which bitstream does other.hwh describe? None has its name.", "#upload-question")
        await page.click("#upload-question button:last-child")
        await page.sees("mine.bit is on the service.", "#upload-done")
        assert "no .hwh" in await page.text("#bitstream-facts")
        assert "no .hwh" in await page.run("document.getElementById('look-bitstream').title")

        await page.give_files("#files", [description])  # mine.bit is chosen, and is not what it is of
        await page.sees("resizer.hwh describes resizer.bit", "#upload-done")
        await page.until("!document.getElementById('look-bitstream').disabled")

        await page.give_files("#files", [other])
        await page.click("#upload-question .main")
        await page.sees("other.hwh describes mine.bit", "#upload-done")

        await page.give_files("#files", [bitstream])
        await page.until(f"{SHOWN} === 'resizer.bit,mine.bit,resizer.bit'")
        await page.give_files("#files", [description])
        await page.sees("Several have its name", "#upload-question")
        await page.press("Escape")
        await page.until("document.querySelector('#upload-question').childElementCount === 0")
        await page.click("#forget-bitstream")
        await page.sees("Delete resizer.bit, uploaded ", "#forget-question")
        await page.click("#forget-question button:last-child")
        await page.click("#forget-bitstream")
        await page.click("#forget-question .main")
        await page.until(f"{SHOWN} === 'resizer.bit,mine.bit'")


async def test_boards_that_a_bitstream_does_not_fit_are_left_out_and_can_be_leased(
    page: Page, design: list[Path]
) -> None:
    async with visit(page, SimBoard(), SimBoard(model="ZCU104", family="zynqmp")) as it:
        assert "program it first" in await page.run(f"document.querySelector('{board('a')} .look button').title")
        await page.give_files("#files", design[:1])
        await page.sees("not for resizer.bit", board("b"))
        assert "not for" not in await page.text(board("a"))
        await page.sees("fits 1 of 2 boards", "#bitstream-facts")
        await page.click(f"{board('b')} [type=checkbox]")
        await page.sees("is for Zynq-7000 and fits none of them", "#program-hint")
        assert await page.run("document.getElementById('start').disabled")
        await page.click(f"{board('a')} [type=checkbox]")
        await page.sees("b left out", "#program-hint")
        await page.sees("Program 1 board", "#start")
        await page.run("document.getElementById('seconds').value = '900'")
        await page.click("#lease")
        await page.until("document.querySelectorAll('#lease-list li').length === 2")
        assert all(890 < lease.seconds_left <= 900 for lease in it.service.leases)
        await page.sees("2 boards leased for 15 min", "#said")
        assert "hold them already" in await page.run("document.getElementById('lease').title")
        await page.click("#choose-free")
        await page.sees("No board chosen")


async def test_nothing_can_be_done_while_the_service_is_not_heard(page: Page, design: list[Path]) -> None:
    async with visit(page, *several(2)) as it:
        await page.give_files("#files", design[:1])
        await it.lease("a")
        await page.sees("left", "#lease-list")
        await page.click("#choose-free")
        await page.until("!document.getElementById('start').disabled")
        await page.ask(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        (watcher,) = it.service.feed._watchers
        it.service.feed._leave(watcher)
        await page.sees("Connection lost", "#stream")
        acting = "#program :is(#start, #lease, #files, #forget-bitstream), #lease-list button"
        assert await page.run(f"[...document.querySelectorAll('{acting}')].every((each) => each.matches(':disabled'))")
        await page.sees("time left unknown", "#lease-list")
        await page.ask(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        await page.sees("Live", "#stream")
        await page.sees("left", "#lease-list")
        await page.until("!document.getElementById('start').disabled")
        await page.sees("1 board chosen", "#chosen")

    page.complaints = [each for each in page.complaints if "ERR_INTERNET_DISCONNECTED" not in each]
