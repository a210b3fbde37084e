"""How soon the page shows an event, and what 64 boards cost it.

    python benchmarks/page.py

The service, 64 simulated boards and Chromium share this machine. An event's time is taken where it is published, the
page's when the row has changed and again when that was drawn.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median, quantiles

from pynq_async import BoardFarm
from pynq_async.service import ServiceOptions, Token, Tokens, create_service, serving
from pynq_async.service.service import FarmService
from pynq_async.sim import SimBoard, serve

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.service.page.browser import Browser, Page, find_chromium

# For each change of a row: which one, when it was made, when it was drawn.
_WATCH = """(() => {
    window.seen = [];
    const now = () => performance.timeOrigin + performance.now();
    new MutationObserver((changes) => {
        const changed = now();
        const rows = new Set(changes.map((each) => each.target.parentElement?.closest("tr")?.innerText ?? ""));
        const texts = [...rows].filter((text) => text.includes("by user"));
        requestAnimationFrame(() => setTimeout(() => texts.forEach((text) => seen.push([text, changed, now()]))));
    }).observe(document.getElementById("board-rows"), {subtree: true, childList: true, characterData: true});
    return true;
})()"""


async def latency(page: Page, service: FarmService, events: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the publication of each event until its row has changed, and until it is drawn."""
    await page.run(_WATCH)
    published = []

    for number in range(events):
        moment = time.time()
        published.append(moment * 1000)
        service.feed.publish("leased", {"board": f"b{number % 64:02}", "time": moment, "by": f"user{number}."})
        await asyncio.sleep(0.02)

    await page.until(f"seen.some(([text]) => text.includes('user{events - 1}.'))")
    seen = await page.run("seen")
    changed, drawn = [], []

    for number, moment in enumerate(published):
        times = [(change, draw) for text, change, draw in seen if f"user{number}." in text]

        if times:
            changed.append(min(times)[0] - moment)
            drawn.append(min(times)[1] - moment)

    return changed, drawn


async def cost(page: Page, service: FarmService, rounds: int) -> float:
    """Milliseconds of the page's main thread for samples of all 64 boards."""
    await page.ask("Performance.enable")
    before = await busy(page)

    for number in range(rounds):
        boards = {
            f"b{board:02}": {"temperature": 40 + number % 7, "sent": number * 10_000_000, "received": number * 1000}
            for board in range(64)
        }
        service.feed.publish("samples", {"time": 1e9 + number, "boards": boards})
        await asyncio.sleep(0.05)

    await asyncio.sleep(0.2)
    return (await busy(page) - before) / rounds


async def busy(page: Page) -> float:
    """Milliseconds that the page's main thread has worked so far."""
    figures = (await page.ask("Performance.getMetrics"))["metrics"]
    return 1000 * float(next(each["value"] for each in figures if each["name"] == "TaskDuration"))


async def run(events: int) -> None:
    """Measure and print."""
    program = find_chromium()

    if program is None:
        sys.exit("this needs Chromium (Debian: apt-get install chromium)")

    secret, token = Token.make("alice", "use")

    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        sims = [await stack.enter_async_context(serve(SimBoard(seed=seed))) for seed in range(64)]
        farm = BoardFarm({f"b{number:02}": address for number, address in enumerate(sims)})
        app = create_service(farm, Tokens([token]), ServiceOptions(sampling=3600))
        url = await stack.enter_async_context(serving(app, port=0))
        browser = Browser(program, Path(folder))
        stack.callback(browser.close)
        browser.attach()
        stack.callback(browser.detach)
        page = await Page.make(browser)
        await page.go(f"{url}/#token={secret}")
        await page.until("document.querySelectorAll('#board-rows tr').length === 64")
        await latency(page, app.state.service, 10)
        changed, drawn = await latency(page, app.state.service, events)

        for words, figures in (("changed", changed), ("drawn", drawn)):
            worst = quantiles(figures, n=100)[98]
            print(f"an event is {words} after {median(figures):.1f} ms (99 %: {worst:.1f} ms, n = {len(figures)})")

        print(f"samples of 64 boards cost the page {await cost(page, app.state.service, 100):.1f} ms")
        await page.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300)
    asyncio.run(run(parser.parse_args().events))
