"""Boards behind a TLS terminator: what works, and that what does not is said by its cause."""

import asyncio
import contextlib
import logging
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pynq_async import BoardFarm, RemoteDevice, Timeouts, Tls
from pynq_async.errors import ConnectError, ConnectionLost, InvalidArgument, OutcomeUnknown, TlsError
from pynq_async.sim import Link, SimBoard, serve
from pynq_async.wire.tls import Security

from ..boards import assert_clean, assert_no_tasks_left
from ..certificates import Certificates

PATIENT = Timeouts(connect=20)  # an error that names its cause comes at once, not after this


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
async def _no_tasks_left() -> AsyncIterator[None]:
    yield

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while len(asyncio.all_tasks()) > 1:  # a connection that was accepted as the link closed ends in a few turns
                await asyncio.sleep(0.001)

    assert_no_tasks_left()


@asynccontextmanager
async def behind(context: ssl.SSLContext) -> AsyncIterator[tuple[SimBoard, Link, str]]:
    """A simulated board behind a terminator."""
    sim = SimBoard()

    async with serve(sim) as address:
        link = Link(address, tls=context)

        async with link as link_address:
            yield sim, link, link_address

    assert_clean(sim)


@asynccontextmanager
async def terminator(
    context: ssl.SSLContext, speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]
) -> AsyncIterator[str]:
    """Something else than a relay that ends TLS."""
    connections: list[asyncio.Task[None]] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.append(task)

        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await speak(reader, writer)
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

        for connection in connections:  # before the server is closed: from Python 3.12 on that waits for them
            connection.cancel()

        if connections:
            await asyncio.wait(connections)


async def refused(address: str, tls: Tls) -> str:
    """The error of opening, which comes at once, begins with the board's name and is a `TlsError`."""
    begun = time.monotonic()

    with pytest.raises(TlsError) as caught:
        await RemoteDevice(address, name="lab-1", tls=tls, timeouts=PATIENT)

    assert time.monotonic() - begun < 5
    assert str(caught.value).startswith("lab-1: ")
    return str(caught.value).removeprefix("lab-1: ")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_board_is_used_over_mutual_tls(lab: Certificates, version: ssl.TLSVersion) -> None:
    context = lab.terminator("127.0.0.1", clients=True)
    context.minimum_version = context.maximum_version = version

    async with (
        behind(context) as (_, link, address),
        RemoteDevice(address, tls=lab.tls(client="client")) as board,
    ):
        registers = board.mmio(0x4000_0000, 0x1000)
        await registers.write(0x10, 42)
        assert await registers.read(0x10) == 42

        async with board.allocate(1 << 20, "u1") as buffer:
            buffer[:] = 7
            await buffer.sync_to_device()
            buffer[:] = 0
            await buffer.sync_from_device()
            assert (buffer == 7).all()

        assert link.forwarded > 1 << 20


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("client", "cause"),
    [
        (None, r"it wants a client certificate: give certificate and key \((certificate required|handshake failure)\)"),
        ("other_client", r"it refuses the client certificate .*other_client.pem \(unknown ca\)"),
    ],
)
async def test_a_missing_or_wrong_client_certificate_is_named(
    lab: Certificates, version: ssl.TLSVersion, client: str | None, cause: str
) -> None:
    context = lab.terminator("127.0.0.1", clients=True)
    context.minimum_version = context.maximum_version = version

    async with behind(context) as (_, _, address):
        with pytest.raises(TlsError, match=rf"^{address}: no TLS connection to {address}: {cause}$"):
            await RemoteDevice(address, tls=lab.tls(client=client), timeouts=PATIENT)


@pytest.mark.parametrize(
    ("client", "cause"),
    [(None, "wants a client certificate"), ("client", "refuses the client certificate .*client.pem")],
)
async def test_a_terminator_that_refuses_by_status_is_named(lab: Certificates, client: str | None, cause: str) -> None:
    def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
        return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(24)  # RFC 9113, 3.4: the client's preface
        writer.write(frame(4, 0, 0))  # SETTINGS

        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readexactly(9):
                await reader.readexactly(int.from_bytes(head[:3], "big"))

                if (
                    head[3] == 1
                ):  # HEADERS: answered with END_STREAM, END_HEADERS and, from HPACK's table, `:status 400`
                    writer.write(frame(1, 5, int.from_bytes(head[5:], "big"), b"\x8c"))

    context = lab.terminator("127.0.0.1")
    context.set_alpn_protocols(["h2"])

    async with terminator(context, refuse) as address:
        said = await refused(address, lab.tls(client=client))
        assert re.search(f"HTTP status 400, as nginx does when it {cause}", said)


async def test_a_wrong_authority_is_named(lab: Certificates) -> None:
    async with behind(lab.terminator("127.0.0.1")) as (_, _, address):
        assert f"was not signed by {lab.folder / 'other_ca.pem'}" in await refused(address, lab.tls(ca="other_ca.pem"))
        assert "was not signed by the public authorities; give the lab's as ca" in await refused(address, Tls())


async def test_a_wrong_server_name_is_named_with_the_right_ones(lab: Certificates) -> None:
    async with behind(lab.terminator("board.lab", "localhost")) as (_, _, address):
        said = await refused(address, lab.tls(server_name="shelf.lab"))
        assert "the certificate there is for board.lab, localhost, not for shelf.lab: connect by a name" in said

        async with RemoteDevice(address, tls=lab.tls(server_name="board.lab")) as board:
            assert board.model == "Pynq-Z2"

        async with RemoteDevice(address.replace("127.0.0.1", "localhost"), tls=lab.tls()):
            pass


async def test_an_address_that_the_certificate_does_not_list_is_named(lab: Certificates) -> None:
    async with behind(lab.terminator("board.lab")) as (_, _, address):
        said = await refused(address, lab.tls())
        assert "the certificate there is for board.lab, not for 127.0.0.1" in said and "server_name" in said


async def test_a_board_that_speaks_plaintext_is_named(lab: Certificates) -> None:
    async with serve(SimBoard()) as address:
        assert "what answers there speaks no TLS; give the terminator's port" in await refused(address, lab.tls())


async def test_a_certificate_out_of_date_is_named(lab: Certificates) -> None:
    async with behind(lab.terminator("127.0.0.1", expired=True)) as (_, _, address):
        assert "the certificate there has expired" in await refused(address, lab.tls())


async def test_a_terminator_without_http2_is_named(lab: Certificates) -> None:
    async with terminator(lab.terminator("127.0.0.1"), lambda reader, writer: reader.read()) as address:
        assert "offers no HTTP/2 (ALPN h2)" in await refused(address, lab.tls())


async def test_a_board_that_is_down_behind_its_terminator_is_waited_for(lab: Certificates) -> None:
    async with behind(lab.terminator("127.0.0.1")) as (sim, link, address):
        await sim.stop()
        opening = asyncio.ensure_future(_model(address, lab.tls()))

        async with asyncio.timeout(5):
            while link.connected < 2:
                await asyncio.sleep(0.001)

        await sim.start()
        assert await opening == "Pynq-Z2"
        await sim.stop()

        with pytest.raises(ConnectError, match="the connection was (closed|reset)") as caught:
            await RemoteDevice(address, tls=lab.tls(), timeouts=Timeouts(connect=0.5))

        assert not isinstance(caught.value, TlsError)


async def _model(address: str, tls: Tls) -> str:
    async with RemoteDevice(address, tls=tls, timeouts=PATIENT) as board:
        return board.model


async def test_a_terminator_that_was_sent_no_tls_is_hinted_at(lab: Certificates) -> None:
    async with behind(lab.terminator("127.0.0.1")) as (_, _, address):
        with pytest.raises(ConnectError, match="by a TLS terminator that wants TLS"):
            await RemoteDevice(address, timeouts=Timeouts(connect=0.3))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ca": "missing.pem"}, "missing.pem cannot be read: No such file"),
        ({"ca": "text.pem"}, "text.pem is no PEM file of certificates"),
        ({"key": "text.pem"}, "are no PEM files of a certificate and its key"),
        ({"key": "other_client.key"}, "the key in .*other_client.key is not that of .*client.pem"),
        ({"key": "passphrase.key"}, "the key in .*passphrase.key has a passphrase; gRPC needs one without"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named(
    lab: Certificates, tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    (tmp_path / "text.pem").write_text("nothing")
    (tmp_path / "passphrase.key").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")

    for path in lab.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())

    files = {"ca": "ca.pem", "certificate": "client.pem", "key": "client.key"} | wrong

    with pytest.raises(TlsError, match=f"^lab-1: .*{said}"):
        await RemoteDevice(
            "127.0.0.1:1", name="lab-1", tls=Tls(**{key: str(tmp_path / file) for key, file in files.items()})
        )

    assert_no_tasks_left()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"certificate": "client.pem"}, "needs its key"),
        ({"key": "client.key"}, "a key its certificate"),
        ({"ca": ""}, "'ca' is empty"),
        ({"server_name": "board lab"}, "'board lab' is no server name"),
    ],
)
def test_what_cannot_be_right_is_refused_at_once(options: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        Tls(**options)


async def test_a_key_is_in_no_log_error_or_repr(
    lab: Certificates, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    tls = lab.tls(client="client")
    shown = [repr(tls), repr(await Security.read("lab-1", tls))]

    async with behind(lab.terminator("127.0.0.1", clients=True)) as (_, _, address):
        async with RemoteDevice(address, tls=tls) as board:
            shown.append(repr(board))

        shown.append(await refused(address, lab.tls(ca="other_ca.pem", client="client")))

    secret = (lab.folder / "client.key").read_text().splitlines()[1:-1]
    shown += [caplog.text, *capfd.readouterr()]
    assert secret
    assert not [line for line in secret for text in shown if line in text]


async def test_a_proxy_in_the_environment_is_not_used(lab: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async with behind(lab.terminator("127.0.0.1")) as (_, _, address), RemoteDevice(address, tls=lab.tls()):
        pass


async def test_a_connection_that_breaks_is_what_it_is_without_tls(lab: Certificates) -> None:
    async with (
        behind(lab.terminator("127.0.0.1")) as (sim, link, address),
        RemoteDevice(address, tls=lab.tls(), timeouts=Timeouts(call=0.3)) as board,
    ):
        registers = board.mmio(0x4000_0000, 0x1000)
        await registers.write(0, 1)
        sim.faults.drop("mmio.write", after=True)

        with pytest.raises(ConnectionLost) as caught:
            await registers.write(0, 2)

        assert isinstance(caught.value, OutcomeUnknown)
        assert await registers.read(0) == 2
        link.cut()
        assert await board.exists_file("/proc/version")
        sim.faults.delay("mmio.read", 30)

        with pytest.raises(TimeoutError):
            await registers.read(0)

        sim.faults.clear()
        assert await registers.read(0) == 2


async def test_cancelling_the_opening_leaves_nothing(lab: Certificates) -> None:
    async with behind(lab.terminator("127.0.0.1")) as (_, link, address):
        link.black_hole = True

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await RemoteDevice(address, tls=lab.tls())

        link.black_hole = False


async def test_cancelling_the_look_for_a_cause_leaves_nothing(lab: Certificates) -> None:
    asked_again = asyncio.Event()
    asked = 0

    async def close_first_and_then_say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1

        if asked > 1:
            asked_again.set()
            await asyncio.Event().wait()

    context = lab.terminator("127.0.0.1")
    context.set_alpn_protocols(["h2"])

    async with terminator(context, close_first_and_then_say_nothing) as address:
        opening = asyncio.ensure_future(_model(address, lab.tls()))

        async with asyncio.timeout(5):
            await asked_again.wait()

        opening.cancel()

        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_a_farm_has_one_tls_for_all_its_boards(lab: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    context = lab.terminator("127.0.0.1", clients=True)

    async with behind(context) as (_, _, first), behind(context) as (_, _, second):
        tls = lab.tls(client="client")

        async with BoardFarm({"a": first, "b": second}, tls=tls) as farm:
            assert [board.tls for board in farm.values()] == [tls, tls]

        monkeypatch.setenv("PYNQ_REMOTE_DEVICES", f"{first},{second}")

        async with BoardFarm.from_env(tls=tls), RemoteDevice.from_env(1, tls=tls) as board:
            assert board.name == second
