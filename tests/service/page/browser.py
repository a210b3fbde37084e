"""Chromium without a window, driven through its DevTools protocol over a pipe: no driver, no port, no package.

https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_PATIENCE = 20.0
# The middle of an element, once it is in sight and has not moved for two frames.
_STILL = """(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    let before = "";

    for (;;) {
        const element = document.querySelector(%s);
        element.scrollIntoView({block: "center"});
        await frame();
        await frame();
        const {x, y, width, height} = element.getBoundingClientRect();
        const now = [x + width / 2, y + height / 2];

        if (String(now) === before) {
            return now;
        }

        before = String(now);
    }
})()"""
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowRight": 39, "ArrowDown": 40}


def find_chromium() -> str | None:
    """The program, or None where there is none that runs: Ubuntu has one that only says where it could be had."""
    return next((path for name in _NAMES if (path := shutil.which(name)) and _runs(path)), None)


def _runs(program: str) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class Browser:
    """A Chromium; it belongs to whichever event loop has attached it, so that tests with loops of their own share one.

    Attributes:
        heard: is called with every event of the protocol.
    """

    def __init__(self, program: str, profile: Path) -> None:
        self.heard: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._asked = 0
        self._rest = b""
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        away = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out)]  # from 3 and 4
        nowhere = os.open(os.devnull, os.O_RDWR)
        log = os.open(profile / "chromium.log", os.O_WRONLY | os.O_CREAT)
        self._pid = os.posix_spawn(
            program,
            [program, *_OPTIONS, f"--user-data-dir={profile}"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nowhere, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                (os.POSIX_SPAWN_DUP2, away[0], 3),
                (os.POSIX_SPAWN_DUP2, away[1], 4),
            ],
            setpgroup=0,
        )

        for end in (theirs_in, theirs_out, *away, nowhere, log):
            os.close(end)

        os.set_blocking(ours_in, False)
        self._in, self._out = ours_in, ours_out

    def attach(self) -> None:
        """Listen in the loop that runs."""
        asyncio.get_running_loop().add_reader(self._in, self._read)

    def detach(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._in)
        self._answers.clear()
        self.heard.clear()

    async def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Carry out a command of the protocol."""
        self._asked += 1
        message: dict[str, Any] = {"id": self._asked, "method": method, "params": parameters}

        if session is not None:
            message["sessionId"] = session

        answer = self._answers[self._asked] = asyncio.get_running_loop().create_future()
        os.write(self._out, json.dumps(message).encode() + b"\0")

        async with asyncio.timeout(_PATIENCE):
            told = await answer

        assert "error" not in told, f"{method}: {told}"
        result: dict[str, Any] = told["result"]
        return result

    def close(self) -> None:
        """End it and all its children."""
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

        os.waitpid(self._pid, 0)
        os.close(self._in)
        os.close(self._out)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while piece := os.read(self._in, 1 << 20):
                self._rest += piece

        *messages, self._rest = self._rest.split(b"\0")

        for message in messages:
            told = json.loads(message)

            if (answer := self._answers.pop(told.get("id"), None)) is not None:
                if not answer.done():
                    answer.set_result(told)
            elif (heard := self.heard.get(told.get("sessionId", ""))) is not None:
                heard(told["method"], told["params"])


class Page:
    """A page with nothing remembered of others.

    Attributes:
        complaints: what was written to the console, thrown, or refused by the page's own policy.
        requests: the URLs that were asked for.
    """

    def __init__(self, browser: Browser, context: str, session: str) -> None:
        self._browser = browser
        self._context = context
        self._session = session
        self.complaints: list[str] = []
        self.requests: list[str] = []
        browser.heard[session] = self._heard

    @classmethod
    async def make(cls, browser: Browser) -> "Page":
        """Open an empty page."""
        context = (await browser.ask("Target.createBrowserContext"))["browserContextId"]
        target = (await browser.ask("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await browser.ask("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = cls(browser, context, session)

        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.ask(f"{domain}.enable")

        await page.looks()
        return page

    async def aclose(self) -> None:
        """Close it and forget what it remembered."""
        await self._browser.ask("Target.disposeBrowserContext", browserContextId=self._context)

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carry out a command of the protocol."""
        return await self._browser.ask(method, self._session, **parameters)

    async def looks(self, width: int = 1280, height: int = 900, *, dark: bool = False) -> None:
        """Give the window a size, and the user a taste."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        await self.ask("Emulation.setEmulatedMedia", features=[scheme, still])

    async def go(self, url: str) -> None:
        """Load a page."""
        await self.ask("Page.navigate", url=url)
        here = f"location.href.startsWith({json.dumps(url.partition('#')[0])})"
        await self.until(f"{here} && document.readyState === 'complete'")

    async def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        told = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, f"{script}: {told['exceptionDetails']}"
        return told["result"].get("value")

    async def until(self, condition: str, seconds: float = _PATIENCE) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + seconds

        while not await self.run(f"Boolean({condition})"):
            if time.monotonic() > end:
                shown = await self.run("document.body.innerText")
                raise AssertionError(f"never true: {condition}\n{shown}\n{self.complaints}")

            await asyncio.sleep(0.01)

    async def sees(self, text: str, where: str = "body") -> None:
        """Wait until a text is shown."""
        await self.until(f"document.querySelector({where!r})?.innerText.includes({json.dumps(text)})")

    async def text(self, selector: str) -> str:
        """What an element shows."""
        return str(await self.run(f"document.querySelector({selector!r}).innerText"))

    async def click(self, selector: str) -> None:
        """Click on the middle of an element as a mouse does."""
        await self.until(f"document.querySelector({selector!r})?.checkVisibility()")
        x, y = await self.run(_STILL % json.dumps(selector))

        for kind in ("mousePressed", "mouseReleased"):
            await self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        typed = {"Enter": "\r", " ": " "}.get(key, "")
        code = "Space" if key == " " else key
        common = {"key": key, "code": code, "windowsVirtualKeyCode": _KEYS[key], "modifiers": 8 if shift else 0}
        await self.ask("Input.dispatchKeyEvent", type="keyDown" if typed else "rawKeyDown", text=typed, **common)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.ask("Input.insertText", text=text)

    async def give_files(self, selector: str, files: Sequence[Path]) -> None:
        """Choose files in a file input."""
        root = (await self.ask("DOM.getDocument"))["root"]["nodeId"]
        node = (await self.ask("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        await self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    async def picture(self, path: Path) -> None:
        """Write what is shown as a PNG."""
        await self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
        told = await self.ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(told["data"]))

    def _heard(self, method: str, told: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.complaints.append(str(details.get("exception", {}).get("description", details["text"])))
            case "Runtime.consoleAPICalled":
                self.complaints.append(" ".join(str(each.get("value", "")) for each in told["args"]))
            case "Log.entryAdded":
                self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
