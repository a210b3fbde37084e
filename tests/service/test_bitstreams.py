"""Bitstreams that clients upload."""

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Any

import pytest

from pynq_async.bitstream import synthetic_bitstream
from pynq_async.service import ServiceOptions

from ..bitstream.archives import archive
from ..bitstream.descriptions import partial_description, zynq_description
from .services import problem, running
from .sockets import begun, status_of
from .uploads import BIT, files, until, upload

MIB = 1 << 20


async def test_a_bitstream_is_kept_and_everybody_sees_it() -> None:
    async with running() as it:
        answer = await it.alice.post("/api/bitstreams?name=base.bit", content=BIT)
        assert answer.status_code == 201
        stored = answer.json()
        assert (stored["name"], stored["bytes"], stored["part"]) == ("base.bit", len(BIT), "7z020clg400")
        assert (stored["family"], stored["partial"], stored["owner"]) == ("zynq7000", False, "alice")
        assert not stored["described"]
        assert (await it.carol.get("/api/bitstreams")).json() == [stored]
        assert (await it.carol.get(answer.headers["location"])).json() == stored


async def test_the_digest_is_that_of_the_payload_as_boards_tell_it() -> None:
    async with running() as it:
        payload = BIT[-40_000:]
        words = b"".join(payload[at : at + 4][::-1] for at in range(0, len(payload), 4))
        assert (await upload(it))["digest"] == hashlib.sha256(words).hexdigest()
        assert (await upload(it, words, "base.bin"))["digest"] == hashlib.sha256(words).hexdigest()


async def test_a_description_is_understood_before_it_is_kept() -> None:
    async with running() as it:
        stored = await upload(it, hwh=zynq_description())
        assert stored["described"]
        path = f"/api/bitstreams/{stored['id']}/description?name=base.hwh"

        for wrong in (b"", b"<html/>", b"\0" * 100, partial_description()):
            told = problem(await it.alice.put(path, content=wrong), 422, "design-error")
            assert told.startswith("base.") and "pynq-async-" not in told

        assert (await it.carol.get(f"/api/bitstreams/{stored['id']}")).json() == stored
        assert len(files(it)) == 2
        assert (await it.alice.put(path, content=zynq_description())).status_code == 200
        assert len(files(it)) == 2


async def test_an_archive_brings_its_description() -> None:
    async with running() as it:
        data = archive({"base.bit": BIT, "base.hwh": zynq_description()})
        stored = await upload(it, data, "base.xsa")
        assert stored["described"] and stored["part"] == "7z020clg400"


async def test_a_bitstream_is_deleted_by_its_owner_or_an_admin() -> None:
    async with running() as it:
        first, second = await upload(it, hwh=zynq_description()), await upload(it)
        assert first["id"] != second["id"]
        path = f"/api/bitstreams/{first['id']}"

        for answer in (
            await it.bob.delete(path),
            await it.bob.put(f"{path}/description?name=a.hwh", content=zynq_description()),
        ):
            assert "alice" in problem(answer, 403, "not-your-bitstream")

        problem(await it.carol.delete(path), 403, "insufficient-scope")
        assert (await it.root.delete(path)).status_code == 204
        problem(await it.carol.get(path), 404, "no-such-bitstream")
        assert (await it.alice.delete(f"/api/bitstreams/{second['id']}")).status_code == 204
        assert files(it) == [] and it.service.storage.taken == 0


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", BIT[:-1], BIT[:50], BIT + b"\0", bytes(5_000), zynq_description()],
    ids=["empty", "text", "short", "header only", "long", "zeros", "xml"],
)
@pytest.mark.parametrize("suffix", ["bit", "pdi", "xsa"])
async def test_what_is_no_bitstream_is_not_kept(data: bytes, suffix: str) -> None:
    async with running() as it:
        answer = await it.alice.post(f"/api/bitstreams?name=x.{suffix}", content=data)
        told = problem(answer, 422, "bitstream-error")
        assert told.startswith(f"x.{suffix}: ") and "pynq-async-" not in told
        assert (await it.carol.get("/api/bitstreams")).json() == []
        assert files(it) == [] and it.service.storage.taken == 0


@pytest.mark.parametrize(
    "name",
    [
        *("../base.bit", "/etc/base.bit", "a/b.bit", "a\\b.bit", "..", ".bit", "base.hwh", "base", "", "C:base.bit"),
        *("base.bit\n", "base\0.bit", "a" * 200 + ".bit", "base.bit/"),
    ],
)
async def test_a_name_is_no_path(name: str) -> None:
    async with running() as it:
        answer = await it.alice.post("/api/bitstreams", params={"name": name}, content=BIT)
        problem(answer, 422, "invalid-request")
        stored = await upload(it)
        path = f"/api/bitstreams/{stored['id']}/description"
        answer = await it.alice.put(path, params={"name": name.replace("bit", "hwh")}, content=zynq_description())

        if name != "base.hwh":
            problem(answer, 422, "invalid-request")


@pytest.mark.parametrize("id", ["..", "../x", "%2e%2e%2fbase", "nothing", "a" * 5000])
async def test_an_unknown_id_is_refused(id: str) -> None:
    async with running() as it:
        assert (await it.carol.get(f"/api/bitstreams/{id}")).status_code in (404, 405)
        assert (await it.alice.delete(f"/api/bitstreams/{id}")).status_code in (404, 405)


async def test_a_bitstream_that_is_too_large_is_not_read_to_its_end() -> None:
    async with running(options=ServiceOptions(upload_bytes=50_000, buffer_bytes=1_000_000)) as it:
        problem(await it.alice.post("/api/bitstreams?name=a.bit", content=bytes(50_001)), 413, "too-large")
        taken = 0

        async def endless() -> Any:
            nonlocal taken

            while True:
                taken += 10_000
                yield bytes(10_000)

        problem(await it.alice.post("/api/bitstreams?name=a.bit", content=endless()), 413, "too-large")
        assert taken <= 100_000
        assert files(it) == [] and it.service.storage.taken == 0


async def test_nothing_is_thrown_away_to_make_room() -> None:
    async with running(options=ServiceOptions(stored_bytes=150_000)) as it:
        first = await upload(it)
        await upload(it)
        answer = await it.bob.post("/api/bitstreams?name=base.bit", content=BIT)
        assert "150000" in problem(answer, 507, "store-full")
        assert len((await it.carol.get("/api/bitstreams")).json()) == 2
        path = f"/api/bitstreams/{first['id']}/description?name=base.hwh"
        problem(await it.alice.put(path, content=zynq_description()), 507, "store-full")
        await it.alice.delete(f"/api/bitstreams/{first['id']}")
        assert (await it.bob.post("/api/bitstreams?name=base.bit", content=BIT)).status_code == 201


async def test_room_is_counted_when_an_upload_begins() -> None:
    async with (
        running(served=True, options=ServiceOptions(stored_bytes=2 * MIB, upload_bytes=MIB)) as it,
        begun(it, it.alice, "POST", "/api/bitstreams?name=a.bit", b"x", MIB),
        begun(it, it.bob, "POST", "/api/bitstreams?name=b.bit", b"x", MIB),
    ):
        await until(lambda: it.service.storage.taken == 2 * MIB)
        problem(await it.alice.post("/api/bitstreams?name=base.bit", content=BIT), 507, "store-full")


async def test_a_client_that_is_cut_off_leaves_nothing() -> None:
    async with running(served=True) as it:
        async with begun(it, it.alice, "POST", "/api/bitstreams?name=a.bit", bytes(2 * MIB), 10 * MIB):
            await until(lambda: files(it))

        await until(lambda: not it.service.storage.taken)
        assert files(it) == []
        await upload(it)


async def test_a_client_that_goes_while_its_description_is_parsed_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsing = asyncio.Event()

    async def forever(source: object) -> None:
        parsing.set()
        await asyncio.sleep(60)

    monkeypatch.setattr("pynq_async.service.bitstreams.load_design", forever)

    async with running(served=True) as it:
        stored = await upload(it)
        taken = it.service.storage.taken

        async with begun(it, it.alice, "PUT", f"/api/bitstreams/{stored['id']}/description?name=a.hwh", b"<EDK/>"):
            await parsing.wait()
            answer = await it.alice.delete(f"/api/bitstreams/{stored['id']}")
            problem(answer, 409, "bitstream-in-use")

        await until(lambda: it.service.storage.taken == taken)
        assert len(files(it)) == 1
        assert (await it.alice.delete(f"/api/bitstreams/{stored['id']}")).status_code == 204


async def test_a_client_that_stands_still_is_given_up() -> None:
    async with (
        running(served=True, options=ServiceOptions(stall=0.05)) as it,
        begun(it, it.alice, "POST", "/api/bitstreams?name=a.bit", b"x", MIB) as (reader, _),
    ):
        assert await status_of(reader) == 408
        assert files(it) == [] and it.service.storage.taken == 0


async def test_an_upload_under_way_is_let_to_its_end_when_the_service_stops() -> None:
    async with (
        running(served=True) as it,
        begun(it, it.alice, "POST", "/api/bitstreams?name=a.bit", BIT[:1000], len(BIT)) as (reader, writer),
    ):
        await until(lambda: it.service.storage.taken)
        it.service.drain()
        problem(await it.alice.post("/api/bitstreams?name=b.bit", content=BIT), 503, "stopping")
        writer.write(BIT[1000:])
        assert await status_of(reader) == 201


@pytest.mark.parametrize("size", [1000, 2 * MIB])
async def test_a_service_that_stops_in_the_middle_of_an_upload_leaves_no_file_and_no_task(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def slow(path: Path, missing_ok: bool = False) -> None:
        time.sleep(0.2)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", slow)

    async with running(served=True, options=ServiceOptions(drain=0.1)) as it:
        folder = it.service.storage._folder
        assert folder is not None and folder.exists()
        connection = begun(it, it.alice, "POST", "/api/bitstreams?name=a.bit", bytes(size), 10 * MIB)
        await connection.__aenter__()
        await until(lambda: it.service.storage.taken)

    assert not folder.exists() and not it.service.storage.taken
    await connection.__aexit__(None, None, None)


async def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as it:
        folder = it.service.storage._folder
        assert folder is not None
        folder.rmdir()
        answer = await it.alice.post("/api/bitstreams?name=base.bit", content=BIT)
        problem(answer, 507, "store-full")
        assert it.service.storage.taken == 0


async def test_reading_scope_is_not_enough_to_upload() -> None:
    async with running() as it:
        problem(await it.carol.post("/api/bitstreams?name=a.bit", content=BIT), 403, "insufficient-scope")


async def test_several_uploads_at_once() -> None:
    async with running(served=True) as it:
        answers: list[Any] = []

        async def one(seed: int) -> None:
            data = synthetic_bitstream(size=4 * MIB, seed=seed)
            answers.append(await it.alice.post(f"/api/bitstreams?name=d{seed}.bit", content=data))

        async with asyncio.TaskGroup() as group:
            for seed in range(3):
                group.create_task(one(seed))

        assert [answer.status_code for answer in answers] == [201] * 3
        assert len({answer.json()["digest"] for answer in answers}) == 3


async def test_a_client_that_sends_next_to_nothing_is_given_up() -> None:
    async with (
        running(served=True, options=ServiceOptions(stall=0.3)) as it,
        begun(it, it.alice, "POST", "/api/bitstreams?name=a.bit", b"x", MIB) as (reader, writer),
    ):
        answered = asyncio.create_task(status_of(reader))

        while not answered.done():
            writer.write(b"x")
            await asyncio.sleep(0.01)

        assert await answered == 408
        assert files(it) == [] and it.service.storage.taken == 0
