"""Buffers over HTTP: bytes and numpy's files both ways."""

import asyncio
import io
import os
from collections.abc import AsyncIterator

import numpy as np
import pytest

from pynq_async.service import ServiceOptions
from pynq_async.service.npy import NPY
from pynq_async.sim import SimBoard

from .data import AS_NPY, BUFFERS, allocated, file
from .services import problem, running


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
