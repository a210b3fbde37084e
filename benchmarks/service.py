"""What the service adds: a register read, 64 MiB of buffer, an event, and 50 who watch and nothing happens.

    python benchmarks/service.py

The service runs in a process of its own, and so does each of its simulated boards; the client is this process, and what
is compared takes turns. Needs Linux, for /proc. Prints each figure with its target.
"""

import argparse
import asyncio
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from pynq_async import BoardFarm, Design, Overlay, RemoteDevice, load_design
from pynq_async.bitstream import parse_bitstream, shipped_description, synthetic_bitstream
from pynq_async.service import ServiceOptions, Token, Tokens, create_service, serving
from pynq_async.sim import spawn

BOARDS = 8
WATCHERS = 50
BUFFER = 64 << 20
IP, REGISTER = "axi_dma_0", "MM2S_DMASR"


def show(what: str, figure: str, target: str) -> None:
    """Print a row."""
    print(f"{what:56}{figure:>14}   target {target}", flush=True)


async def host(addresses: list[str]) -> None:
    """Serve boards until the input ends; says where, and the secret of a token."""
    secret, token = Token.make("benchmark", "use")
    options = ServiceOptions(requests=1e6, burst=1_000_000)
    app = create_service(BoardFarm(addresses), Tokens([token]), options)

    async with serving(app, port=0) as url:
        print(json.dumps({"url": url, "secret": secret}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


class Client:
    """Asks the service over one connection, as directly as can be, so that little of the client is measured."""

    def __init__(self, url: str, secret: str, pid: int) -> None:
        self.place = urlsplit(url)
        self.headers = {"Authorization": f"Bearer {secret}"}
        self.pid = pid
        assert self.place.hostname is not None
        self._connection = http.client.HTTPConnection(self.place.hostname, self.place.port, blocksize=1 << 20)

    def ask(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Any:
        """Ask, and give the answer's JSON."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        self._connection.request(method, f"/api{path}", content, self.headers | {"Content-Type": kind})
        answer = self._connection.getresponse()
        text = answer.read()

        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode()}")

        return json.loads(text) if text else None

    def fetch(self, path: str, into: bytearray) -> None:
        """Ask for bytes."""
        self._connection.request("GET", f"/api{path}", headers=self.headers)
        answer, place = self._connection.getresponse(), memoryview(into)
        assert answer.status == 200

        while count := answer.readinto(place):
            place = place[count:]

    def processor_seconds(self) -> float:
        """How long the service's process has had a processor."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self, field: str) -> float:
        """VmRSS or VmHWM, the present and the highest memory of the service's process, in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024

        raise SystemExit("this system does not tell how much memory a process has")

    def forget_peak(self) -> float:
        """Make the present memory the highest, and give it; see proc(5)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.resident("VmRSS")


@asynccontextmanager
async def service(addresses: list[str]) -> AsyncIterator[Client]:
    """Run the service in a process of its own."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--host", *addresses, stdin=pipe, stdout=pipe
    )
    assert child.stdin is not None and child.stdout is not None

    try:
        yield Client(pid=child.pid, **json.loads(await child.stdout.readline()))
    finally:
        child.stdin.close()
        await child.wait()


async def _design(description: bytes) -> Design:
    with tempfile.NamedTemporaryFile(suffix=".hwh") as file:
        file.write(description)
        file.flush()
        return await load_design(file.name)


async def registers(client: Client, board: str, repeats: int) -> None:
    """A register read by the SDK in this process, and through the service."""
    raw, content, description = "application/octet-stream", synthetic_bitstream(), shipped_description("resizer")
    stored = client.ask("POST", "/bitstreams?name=resizer.bit", content, raw)["id"]
    client.ask("PUT", f"/bitstreams/{stored}/description?name=resizer.hwh", description, raw)
    client.ask("POST", f"/boards/{board}/program", {"bitstream": stored})
    path = f"/boards/{board}/registers?ip={IP}&register={REGISTER}"
    sdk, served = [], []

    async with RemoteDevice(board) as device:
        file = parse_bitstream("resizer.bit", content)
        overlay = await Overlay.load(device, file, design=await _design(description), download=False)
        register = overlay[IP].register_map[REGISTER]

        for _ in range(repeats):
            begun = time.perf_counter()
            await register.read()
            sdk.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            client.ask("GET", path)
            served.append(time.perf_counter() - begun)

    show("register read by the SDK, median", f"{1e3 * median(sdk):.2f} ms", "-")
    show("register read through the service, median", f"{1e3 * median(served):.2f} ms", "-")
    show("the service adds", f"{1e3 * (median(served) - median(sdk)):.2f} ms", "3 ms")


async def buffer(client: Client, board: str, repeats: int) -> None:
    """64 MiB to and from the board by the SDK in this process, and through the service."""
    raw, content, back = "application/octet-stream", os.urandom(BUFFER), bytearray(BUFFER)
    made = client.ask("POST", f"/boards/{board}/buffers", {"shape": [BUFFER], "dtype": "u1"})["id"]
    path = f"/boards/{board}/buffers/{made}/data"
    seconds: dict[str, list[float]] = {"SDK to": [], "SDK from": [], "service to": [], "service from": []}

    async with RemoteDevice(board) as device, device.allocate(BUFFER, "u1") as array:
        client.ask("PUT", path, content, raw)  # all pages of both arrays are there before anything is measured
        array[:] = 1
        before = client.forget_peak()

        for _ in range(repeats):
            begun = time.perf_counter()
            await array.sync_to_device()
            seconds["SDK to"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await array.sync_from_device()
            seconds["SDK from"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            client.ask("PUT", path, content, raw)
            seconds["service to"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            client.fetch(path, back)
            seconds["service from"].append(time.perf_counter() - begun)

            if back != content:
                raise SystemExit("the buffer came back with another content")

    grown = client.resident("VmHWM") - before
    client.ask("DELETE", path.removesuffix("/data"))

    for way in ("to", "from"):
        rates = {who: BUFFER / median(seconds[f"{who} {way}"]) / (1 << 20) for who in ("SDK", "service")}
        show(f"64 MiB {way} the board by the SDK", f"{rates['SDK']:.0f} MiB/s", "-")
        show(f"64 MiB {way} the board through the service", f"{rates['service']:.0f} MiB/s", "-")
        show("   of the SDK's own rate", f"{rates['service'] / rates['SDK']:.0%}", "33 %")

    show("the service's memory beside the buffer, at most", f"{grown:.1f} MiB", "less than 64 MiB")


class Watcher:
    """One who watches the stream of events."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def next(self, kind: str) -> Mapping[str, Any]:
        """The data of the next event of a kind."""
        said = b""

        while line := await self._reader.readline():
            if line.startswith(b"event: "):
                said = line.removeprefix(b"event: ").strip()
            elif line.startswith(b"data: ") and said == kind.encode():
                data: Mapping[str, Any] = json.loads(line.removeprefix(b"data: "))
                return data

        raise SystemExit("the stream of events ended")

    async def drain(self) -> None:
        """Take all that comes, for ever."""
        while await self._reader.read(1 << 16):
            pass


@asynccontextmanager
async def watching(client: Client) -> AsyncIterator[Watcher]:
    """Watch the events."""
    reader, writer = await asyncio.open_connection(client.place.hostname, client.place.port, limit=1 << 20)
    token = client.headers["Authorization"]
    writer.write(f"GET /api/events HTTP/1.1\r\nHost: service\r\nAuthorization: {token}\r\n\r\n".encode())

    try:
        watcher = Watcher(reader)
        await watcher.next("boards")
        yield watcher
    finally:
        writer.transport.abort()


async def events(client: Client, board: str, repeats: int, seconds: float) -> None:
    """How late an event reaches the last of 50 who watch, and what they cost while nothing happens."""
    async with AsyncExitStack() as stack:
        begun = client.processor_seconds()
        await asyncio.sleep(seconds)
        unwatched = client.processor_seconds() - begun
        watchers = [await stack.enter_async_context(watching(client)) for _ in range(WATCHERS)]

        async with asyncio.TaskGroup() as group:
            drains = [group.create_task(watcher.drain()) for watcher in watchers]
            begun = client.processor_seconds()
            await asyncio.sleep(seconds)
            watched = client.processor_seconds() - begun

            for drain in drains:
                drain.cancel()

    async def arrived(watcher: Watcher) -> float:
        event = await watcher.next("leased")
        return time.time() - float(event["time"])

    late: list[float] = []

    async with AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(watching(client)) for _ in range(WATCHERS)]

        for _ in range(repeats):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(arrived(watcher)) for watcher in watchers]
                lease = await asyncio.to_thread(client.ask, "POST", "/leases", {"name": board, "wait": 5})
                await asyncio.to_thread(client.ask, "DELETE", f"/leases/{lease['id']}")

            late.append(max(task.result() for task in tasks))

    show(f"an event until the last of {WATCHERS} watchers has it, median", f"{1e3 * median(late):.1f} ms", "-")
    show("   at most", f"{1e3 * max(late):.1f} ms", "250 ms")
    show(f"{BOARDS} boards and nobody watches, of a core", f"{unwatched / seconds:.1%}", "-")
    show(f"{BOARDS} boards and {WATCHERS} watch, of a core", f"{watched / seconds:.1%}", "5 %")


async def run(options: argparse.Namespace) -> None:
    """Everything."""
    async with spawn(BOARDS, cma_bytes=4 * BUFFER) as spawned:
        addresses = [str(address) for address in spawned]

        async with service(addresses) as client:
            await events(client, addresses[0], 20, options.seconds)
            client.ask("POST", "/leases", {"name": addresses[0], "seconds": 3600})
            await registers(client, addresses[0], options.reads)
            await buffer(client, addresses[0], options.repeats)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--reads", type=int, default=500, help="register reads of each kind")
    parser.add_argument("--repeats", type=int, default=7, help="transfers of each kind")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long watchers are watched")
    options = parser.parse_args()
    asyncio.run(host(options.host) if options.host else run(options))


if __name__ == "__main__":
    main()
