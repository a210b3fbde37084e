"""Buffers over HTTP: bytes and numpy's files both ways, one request at a time, and never more memory than needed."""

import asyncio
import io
import os
import socket
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from pynq_async.service import ServiceOptions
from pynq_async.service.npy import NPY
from pynq_async.sim import SimBoard

from ..boards import begun
from .services import Running, problem, running

BUFFERS = "/api/boards/a/buffers"
AS_NPY = {"Content-Type": NPY}
BIG = 16 << 20


async def allocated(it: Running, *shape: int, dtype: str = "u1") -> str:
    """Lease board a for alice and allocate a buffer; returns where its data is."""
    if not len(list(it.service.leases)):
        await it.lease("a")

    answer = await it.alice.post(BUFFERS, json={"shape": shape, "dtype": dtype})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{BUFFERS}/{answer.json()['id']}"
    return f"{answer.headers['location']}/data"


def file(array: npt.NDArray[Any], **options: Any) -> bytes:
    """An array as numpy saves it."""
    written = io.BytesIO()
    np.save(written, array, **options)
    return written.getvalue()


async def open_request(it: Running, method: str, path: str, length: int = 0, *, receive: int | None = None) -> Any:
    """Send the head of a request of alice's over a connection of its own; `receive` is how much the system holds."""
    url = httpx.URL(it.url)
    plain = socket.socket()

    if receive is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)

    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    token = it.alice.headers["authorization"]
    head = f"{method} {path} HTTP/1.1\r\nHost: service\r\nAuthorization: {token}\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
    return reader, writer


async def busy(it: Running, data: str) -> None:
    """Wait until a request has a buffer."""
    (found,) = (buffer for lease in it.service.leases for buffer in lease.buffers.values() if buffer.id in data)

    async with asyncio.timeout(5):
        while not found._busy:
            await asyncio.sleep(0.001)


async def read_when_free(it: Running, data: str) -> bytes:
    """Read a buffer as soon as no other request has it."""
    async with asyncio.timeout(5):
        while (answer := await it.alice.get(data)).status_code == 409:
            await asyncio.sleep(0.005)

    assert answer.status_code == 200, answer.text
    return answer.content


async def test_what_is_written_is_on_the_board_and_comes_back() -> None:
    sim = SimBoard()

    async with running(sim) as it:
        data = await allocated(it, 3, 5, dtype="<u2")
        content = os.urandom(30)
        assert (await it.alice.put(data, content=content)).status_code == 204
        assert sim.counters.calls["buffer.flush"] == 1
        answer = await it.alice.get(data)
        assert answer.content == content
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-length"] == "30"


async def test_arrays_go_and_come_as_numpys_files() -> None:
    async with running() as it:
        data = await allocated(it, 3, 5, dtype=">f4")
        array = np.arange(15, dtype=">f4").reshape(3, 5)
        assert (await it.alice.put(data, content=file(array), headers=AS_NPY)).status_code == 204
        answer = await it.alice.get(data, headers={"Accept": NPY})
        assert answer.headers["content-type"] == NPY
        back = np.load(io.BytesIO(answer.content), allow_pickle=False)
        assert back.dtype == array.dtype
        assert np.array_equal(back, array)
        assert (await it.alice.get(data)).content == array.tobytes()


async def test_a_file_may_come_in_the_smallest_pieces_and_in_numpys_second_format() -> None:
    async with running(served=True) as it:
        data = await allocated(it, 4)
        written = io.BytesIO()
        np.lib.format.write_array(written, np.array([1, 2, 3, 4], "u1"), version=(2, 0))

        async def bytewise() -> AsyncIterator[bytes]:
            for byte in written.getvalue():
                yield bytes([byte])

        assert (await it.alice.put(data, content=bytewise(), headers=AS_NPY)).status_code == 204
        assert (await it.alice.get(data)).content == bytes([1, 2, 3, 4])


async def test_what_hardware_wrote_is_read() -> None:
    async with running() as it:
        data = await allocated(it, 4)
        (buffer,) = next(iter(it.service.leases)).buffers.values()
        await it.alice.put(data, content=b"abcd")
        buffer.array[:] = 0  # the host's side is not what is read
        assert (await it.alice.get(data)).content == b"abcd"


async def test_buffers_are_listed_and_freed() -> None:
    sim = SimBoard()

    async with running(sim) as it:
        data = await allocated(it, 8, dtype="u4")
        (listed,) = (await it.alice.get(BUFFERS)).json()
        assert (listed["shape"], listed["dtype"], listed["bytes"]) == ([8], "<u4", 32)
        assert listed["physical_address"] > 0
        where = data.removesuffix("/data")
        assert (await it.alice.get(where)).json() == listed
        assert (await it.alice.delete(where)).status_code == 204
        assert sim.counters.live_buffers == 0
        problem(await it.alice.get(data), 404, "no-such-buffer")
        problem(await it.alice.delete(where), 404, "no-such-buffer")
        assert (await it.alice.get(BUFFERS)).json() == []


async def test_buffers_end_with_their_lease() -> None:
    sim = SimBoard()

    async with running(sim) as it:
        lease = await it.lease("a")
        data = await allocated(it, 8)
        await it.alice.delete(f"/api/leases/{lease}")
        assert sim.counters.live_buffers == 0
        problem(await it.alice.get(data), 409, "not-leased")
        await it.lease("a")
        problem(await it.alice.get(data), 404, "no-such-buffer")


async def test_buffers_are_for_who_has_the_lease() -> None:
    async with running() as it:
        data = await allocated(it, 8)
        where = data.removesuffix("/data")

        for answer in (
            await it.bob.get(data),
            await it.bob.put(data, content=bytes(8)),
            await it.bob.get(where),
            await it.bob.delete(where),
            await it.bob.get(BUFFERS),
            await it.bob.post(BUFFERS, json={"shape": [1]}),
        ):
            assert "alice" in problem(answer, 403, "not-your-lease")

        problem(await it.carol.get(data), 403, "insufficient-scope")
        problem(await it.alice.get(data.replace("/a/", "/z/")), 404, "no-such-board")


@pytest.mark.parametrize(
    "wanted",
    [
        {"shape": []},
        {"shape": [0]},
        {"shape": [-1]},
        {"shape": [1] * 33},
        {"shape": ["x"]},
        {"shape": 4},
        {"shape": [4], "dtype": "u4,u4"},
        {"shape": [4], "dtype": "a\n"},
        {"shape": [4], "kind": "x"},
        {},
    ],
)
async def test_a_buffer_that_is_not_described_right_is_refused(wanted: dict[str, object]) -> None:
    async with running() as it:
        await it.lease("a")
        problem(await it.alice.post(BUFFERS, json=wanted), 422, "invalid-request")


@pytest.mark.parametrize("dtype", ["O", "object", "u9", "nonsense", "V0", "T", "float99"])
async def test_elements_that_cannot_be_are_refused(dtype: str) -> None:
    async with running() as it:
        await it.lease("a")
        problem(await it.alice.post(BUFFERS, json={"shape": [4], "dtype": dtype}), 422, "misuse")


async def test_a_buffer_has_so_many_bytes_and_no_more() -> None:
    async with running(options=ServiceOptions(buffer_bytes=64)) as it:
        await allocated(it, 16, dtype="u4")

        for shape in ([17], [1 << 40, 1 << 40]):
            problem(await it.alice.post(BUFFERS, json={"shape": shape, "dtype": "u4"}), 413, "too-large")


async def test_a_board_without_so_much_memory_says_so() -> None:
    async with running(SimBoard(cma_bytes=1 << 20)) as it:
        await it.lease("a")
        problem(await it.alice.post(BUFFERS, json={"shape": [1 << 21]}), 507, "allocation-error")


@pytest.mark.parametrize("length", [0, 7, 9, 100_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_another_number_of_bytes_is_refused(length: int, chunked: bool) -> None:
    sim = SimBoard()

    async with running(sim) as it:
        data = await allocated(it, 8)
        await it.alice.put(data, content=b"before..")

        async def body() -> AsyncIterator[bytes]:
            yield bytes(length)

        answer = await it.alice.put(data, content=body() if chunked else bytes(length))
        assert answer.status_code == (413 if chunked and length > 50_000 else 422)
        assert (await it.alice.get(data)).content == b"before.."
        assert sim.counters.calls["buffer.write"] == 1


ARRAY = np.arange(6, dtype="u2").reshape(2, 3)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (file(ARRAY.reshape(3, 2)), "wrong-array"),
        (file(ARRAY.astype("i2")), "wrong-array"),
        (file(ARRAY.astype(">u2")), "wrong-array"),
        (file(np.array([[1, "x", None]] * 2, object), allow_pickle=True), "not-npy"),
        (file(np.asfortranarray(ARRAY)), "not-npy"),
        (file(ARRAY)[:-1], "wrong-length"),
        (file(ARRAY) + b"x", "wrong-length"),
        (file(ARRAY)[:40], "not-npy"),
        (file(ARRAY).replace(b"{'descr'", b"{'d\xffscr'"), "not-npy"),
        (file(ARRAY).replace(b"False", b"Wrong"), "not-npy"),
        (file(ARRAY).replace(b"(2, 3)", b"(2,-3)"), "not-npy"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100), "not-npy"),
        (b"\x93NUMPY\x09\x00" + file(ARRAY)[8:], "not-npy"),
        (b"PK\x03\x04" + bytes(100), "not-npy"),
        (b"", "not-npy"),
    ],
)
async def test_a_file_that_is_not_such_an_array_is_refused(content: bytes, kind: str) -> None:
    async with running() as it:
        data = await allocated(it, 2, 3, dtype="u2")
        problem(await it.alice.put(data, content=content, headers=AS_NPY), 422, kind)
        assert (await it.alice.get(data)).content == bytes(12)


async def test_both_arrays_are_named_when_they_differ() -> None:
    async with running() as it:
        data = await allocated(it, 2, 3, dtype="<u2")
        sentence = problem(
            await it.alice.put(data, content=file(np.zeros(4, "<f8")), headers=AS_NPY), 422, "wrong-array"
        )
        assert "shape (2, 3) and dtype <u2" in sentence
        assert "shape (4,) and dtype <f8" in sentence


async def test_only_bytes_and_numpys_files_are_taken() -> None:
    async with running() as it:
        data = await allocated(it, 4)
        problem(await it.alice.put(data, json=[1, 2, 3, 4]), 415, "unsupported-media-type")


async def test_a_client_that_vanishes_leaves_the_board_as_it_was() -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it:
        data = await allocated(it, 1 << 20)
        await it.alice.put(data, content=b"a" * (1 << 20))
        _, writer = await open_request(it, "PUT", data, 1 << 20)
        writer.write(b"b" * (1 << 19))
        await writer.drain()
        await busy(it, data)
        writer.transport.abort()
        assert await read_when_free(it, data) == b"a" * (1 << 20)
        assert sim.counters.calls["buffer.write"] == 1


async def test_one_request_at_a_time_uses_a_buffer() -> None:
    async with running(served=True) as it:
        data = await allocated(it, 4)
        reader, writer = await open_request(it, "PUT", data, 4)
        await busy(it, data)
        problem(await it.alice.put(data, content=b"abcd"), 409, "buffer-busy")
        problem(await it.alice.get(data), 409, "buffer-busy")
        writer.write(b"wxyz")
        assert b" 204 " in await reader.readline()
        assert (await it.alice.get(data)).content == b"wxyz"
        writer.close()


async def test_a_client_that_stops_to_send_is_given_up() -> None:
    async with running(served=True, options=ServiceOptions(stall=0.05)) as it:
        data = await allocated(it, 4)
        reader, writer = await open_request(it, "PUT", data, 4)
        writer.write(b"ab")
        assert b" 408 " in await reader.readline()
        assert await read_when_free(it, data) == bytes(4)
        writer.close()


async def test_a_client_that_stops_to_take_is_given_up() -> None:
    async with running(served=True, options=ServiceOptions(stall=0.1)) as it:
        data = await allocated(it, BIG)
        reader, writer = await open_request(it, "GET", data, receive=4096)
        assert b" 200 " in await reader.readline()
        assert await read_when_free(it, data) == bytes(BIG)
        writer.transport.abort()


async def test_a_client_that_goes_while_it_is_sent_data_leaves_nothing() -> None:
    async with running(served=True) as it:
        data = await allocated(it, BIG)
        reader, writer = await open_request(it, "GET", data, receive=4096)
        assert b" 200 " in await reader.readline()
        writer.transport.abort()
        assert await read_when_free(it, data) == bytes(BIG)


async def test_a_client_that_goes_before_the_board_has_answered_leaves_nothing() -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it:
        data = await allocated(it, 8)
        sim.faults.delay("buffer.invalidate", 30)
        _, writer = await open_request(it, "GET", data)
        await begun(sim, "buffer.invalidate")
        writer.transport.abort()
        sim.faults.clear()
        assert await read_when_free(it, data) == bytes(8)


async def test_slow_clients_keep_no_board_when_the_lease_has_ended() -> None:
    sim = SimBoard()

    async with running(sim, served=True) as it:
        lease = await it.lease("a")
        data = await allocated(it, 1 << 20)
        reader, writer = await open_request(it, "PUT", data, 1 << 20)
        await busy(it, data)
        assert (await it.alice.delete(f"/api/leases/{lease}")).status_code == 204
        assert sim.counters.live_buffers == 0
        await it.lease("a", it.bob)
        writer.write(b"x")
        assert b" 409 " in await reader.readline()
        writer.close()


async def test_a_slow_download_is_cut_off_when_the_lease_has_ended() -> None:
    async with running(served=True) as it:
        lease = await it.lease("a")
        data = await allocated(it, BIG)
        reader, writer = await open_request(it, "GET", data, receive=4096)
        assert b" 200 " in await reader.readline()
        await it.alice.delete(f"/api/leases/{lease}")
        received = 0

        while piece := await reader.read(1 << 16):
            received += len(piece)

        assert received < BIG
        writer.close()


async def test_a_buffer_can_be_freed_while_it_is_written() -> None:
    async with running(served=True) as it:
        data = await allocated(it, 4)
        reader, writer = await open_request(it, "PUT", data, 4)
        await busy(it, data)
        assert (await it.alice.delete(data.removesuffix("/data"))).status_code == 204
        writer.write(b"abcd")
        assert b" 409 " in await reader.readline()
        writer.close()


async def test_data_is_not_held_in_memory_beside_the_buffer() -> None:
    async with running(served=True) as it:
        data = await allocated(it, BIG)

        async def body() -> AsyncIterator[bytes]:
            for _ in range(BIG >> 16):
                yield bytes(1 << 16)

        tracemalloc.start()

        try:
            assert (await it.alice.put(data, content=body(), headers={"Content-Length": str(BIG)})).status_code == 204

            async with it.alice.stream("GET", data) as answer:
                assert sum([len(piece) async for piece in answer.aiter_raw()]) == BIG

            assert tracemalloc.get_traced_memory()[1] < BIG // 2
        finally:
            tracemalloc.stop()


async def test_faults_of_the_board_are_told_and_pass() -> None:
    sim = SimBoard()

    async with running(sim) as it:
        data = await allocated(it, 8)

        for method in ("buffer.write", "buffer.flush", "buffer.invalidate", "buffer.read"):
            for after in (False, True):
                sim.faults.drop(method, after=after)
                answers = [await it.alice.put(data, content=b"abcdefgh"), await it.alice.get(data)]

                for answer in answers:
                    assert answer.status_code in (200, 204, 502, 504), answer.text

                sim.faults.clear()
                assert (await it.alice.put(data, content=b"abcdefgh")).status_code == 204
                assert (await it.alice.get(data)).content == b"abcdefgh"


async def test_after_a_restart_a_buffer_is_gone_and_another_one_is_had() -> None:
    sim = SimBoard()

    async with running(sim) as it:
        data = await allocated(it, 8)
        await sim.restart()

        async with asyncio.timeout(5):
            while (answer := await it.alice.get(data)).status_code == 502:
                await asyncio.sleep(0.01)

        problem(answer, 409, "stale-handle")
        data = await allocated(it, 8)
        assert (await it.alice.put(data, content=bytes(8))).status_code == 204
