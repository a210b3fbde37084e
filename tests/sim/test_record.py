"""What the recording of the real server pins, step by step, without the recording."""

from typing import Any

import grpc
import pytest

from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, refused

MIB = 1 << 20


@pytest.mark.parametrize(("path", "exists"), [("/proc/version", True), ("/no/such", False), ("/tmp", True)])
async def test_exists_answers_for_files_and_folders(client: RawClient, path: str, exists: bool) -> None:
    reply = await client.call(methods.EXISTS_FILE, m.ExistsFileRequest(file_path=path))
    assert reply.exists is exists


@pytest.mark.parametrize("path", ["/" + "a" * 5000, "/" + "a" * 256, "/a/" * 1400])
async def test_exists_throws_on_a_path_too_long_for_linux(client: RawClient, path: str) -> None:
    status = await refused(client.call(methods.EXISTS_FILE, m.ExistsFileRequest(file_path=path)))
    assert status == (grpc.StatusCode.UNKNOWN, "Unexpected error in RPC handling")


async def test_reading_what_is_not_there_is_not_found(client: RawClient) -> None:
    assert await refused(client.read_file("/no/such")) == (grpc.StatusCode.NOT_FOUND, "File not found")


async def test_reading_a_folder_is_ok_and_empty(client: RawClient) -> None:
    assert await client.stream(methods.READ_FILE, m.ReadFileRequest(file_path="/tmp")) == []


async def test_a_file_is_read_in_messages_of_a_kibibyte(client: RawClient) -> None:
    await client.write_file("/tmp/f", b"a" * 3000)
    parts = await client.stream(methods.READ_FILE, m.ReadFileRequest(file_path="/tmp/f"))
    assert [len(part.data) for part in parts] == [1024, 1024, 952]


async def test_writing_no_message_is_an_invalid_argument(client: RawClient) -> None:
    status = await refused(client.call(methods.WRITE_FILE))
    assert status == (grpc.StatusCode.INVALID_ARGUMENT, "No file path provided")


async def test_writing_into_a_missing_folder_is_an_internal_error(client: RawClient) -> None:
    status = await refused(client.write_file("/no/such/folder/f", b"x"))
    assert status == (grpc.StatusCode.INTERNAL, "Failed to open file for writing")


async def test_the_first_message_names_the_file(client: RawClient) -> None:
    await client.call(
        methods.WRITE_FILE,
        m.WriteFileRequest(file_path="/tmp/first", data=b"aa"),
        m.WriteFileRequest(file_path="/tmp/second", data=b"bb"),
    )
    assert await client.read_file("/tmp/first") == b"aabb"


async def test_writing_truncates(client: RawClient) -> None:
    await client.write_file("/tmp/f", b"long")
    await client.write_file("/tmp/f", b"z")
    assert await client.read_file("/tmp/f") == b"z"


async def test_a_message_over_4_mib_is_refused_and_what_came_before_stays(client: RawClient) -> None:
    code, _ = await refused(
        client.call(
            methods.WRITE_FILE,
            m.WriteFileRequest(file_path="/tmp/f", data=b"k" * 1000),
            m.WriteFileRequest(file_path="/tmp/f", data=bytes(4 * MIB)),
        )
    )
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await client.read_file("/tmp/f") == b"k" * 1000
    await client.write_file("/tmp/f", bytes(4 * MIB - 64))


async def test_attributes_never_set_the_status_field(client: RawClient) -> None:
    reply = await client.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="x.bin"))
    assert reply.status is False


@pytest.mark.parametrize("method", [methods.SET_PL_CLK, methods.SHUTDOWN, methods.REGISTER_INTERRUPT])
async def test_what_the_server_does_not_implement_says_so(client: RawClient, method: methods.Method[Any, Any]) -> None:
    assert await refused(client.call(method)) == (grpc.StatusCode.UNIMPLEMENTED, "")


async def test_gpio_came_with_4_0() -> None:
    assert [handler.method.service for handler in SimBoard(release="3.1").handlers()].count("gpio.Gpio") == 0
    assert [handler.method.service for handler in SimBoard(release="4.0").handlers()].count("gpio.Gpio") == 7


async def test_windows_count_up_and_dead_ones_count_too(client: RawClient) -> None:
    ids = [await client.map(0x4000_0000), await client.map(0x4000_0000)]
    ids += [await client.map(length=0), await client.map(1 << 63)]
    assert ids == ["0", "1", "2", "3"]


async def test_registers_are_words_whatever_is_asked_for(client: RawClient) -> None:
    window = await client.map()
    await client.store(window, 0, b"\x01\x02\x03\x04")
    await client.store(window, 8, b"\x11" * 4 + b"\x22" * 4)

    assert await client.load(window, 0) == 0x04030201
    assert await client.load(window, 2) == 0x04030201
    assert await client.load(window, 8) == 0x11111111
    assert await client.load(window, 12) == 0
    reply = await client.call(methods.MMIO_READ, m.ReadRequest(mmio_id=window, offset=8, length=8, word_order="middle"))
    assert (reply.data, reply.HasField("data"), reply.HasField("msg"), reply.status) == (0x11111111, True, False, False)


@pytest.mark.parametrize(("release", "length"), [("3.1", 11), ("4.0", 6)])
async def test_a_set_top_bit_is_negative_on_the_wire_of_3_1(release: str, length: int) -> None:
    from .conftest import connected

    async with connected(SimBoard(release=release)) as client:
        window = await client.map()
        await client.store(window, 16, 0x89ABCDEF)
        read: Any = client.channel.unary_unary(methods.MMIO_READ.path)
        raw = await read(m.ReadRequest(mmio_id=window, offset=16).SerializeToString())
        assert len(raw) == length
        assert m.ReadResponse.FromString(raw).data == 0x89ABCDEF


async def test_unknown_windows_are_not_found(client: RawClient) -> None:
    expected = (grpc.StatusCode.NOT_FOUND, "MMIO Object not found.")
    assert await refused(client.load("nope")) == expected
    assert await refused(client.store("nope", 0, 0)) == expected


@pytest.mark.parametrize("size", [-1, 0, 1 << 30])
async def test_an_allocation_that_fails_is_ok_without_an_id(client: RawClient, size: int) -> None:
    reply = await client.call(methods.ALLOCATE, m.AllocateRequest(size=size, dtype="|u1"))
    assert not reply.HasField("buffer_id")
    assert not reply.HasField("msg")


async def test_a_buffer_is_zero_at_first_and_comes_in_messages_of_a_mebibyte(client: RawClient) -> None:
    buffer_id = await client.allocate(5 * MIB // 2)
    parts = await client.fetch(buffer_id)
    assert [len(part) for part in parts] == [MIB, MIB, MIB // 2]
    assert not any(any(part) for part in parts)


async def test_a_short_upload_is_ok_and_lands_at_the_start(board: SimBoard, client: RawClient) -> None:
    buffer_id = await client.allocate(8)
    await client.fill(buffer_id, b"abc", b"defgh")
    reply = await client.call(
        methods.BUFFER_WRITE, m.BufferWriteRequest(buffer_id=buffer_id, data=b"X", start=4, end=5)
    )
    assert not reply.HasField("msg")
    assert await client.fetch(buffer_id) == [b"Xbcdefgh"]
    assert board.counters.partial_writes == 1


async def test_no_message_is_ok(client: RawClient) -> None:
    assert not (await client.call(methods.BUFFER_WRITE)).HasField("msg")


async def test_an_overflow_is_told_in_band_and_the_good_part_stays(board: SimBoard, client: RawClient) -> None:
    buffer_id = await client.allocate(8)
    assert (await client.fill(buffer_id, b"12345", b"67890")).msg == "Buffer overflow."
    assert await client.fetch(buffer_id) == [b"12345\0\0\0"]
    assert board.counters.overflows == 1


async def test_the_id_of_later_messages_is_ignored(client: RawClient) -> None:
    buffer_id = await client.allocate(2)
    await client.call(
        methods.BUFFER_WRITE,
        m.BufferWriteRequest(buffer_id=buffer_id, data=b"a"),
        m.BufferWriteRequest(buffer_id="0xdead", data=b"b"),
    )
    assert await client.fetch(buffer_id) == [b"ab"]


async def test_writing_an_unknown_buffer_is_told_in_band(client: RawClient) -> None:
    assert (await client.fill("0xdead", b"x")).msg == "Buffer not found."


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        (methods.FLUSH, m.FlushRequest),
        (methods.INVALIDATE, m.InvalidateRequest),
        (methods.PHYSICAL_ADDRESS, m.AddressRequest),
        (methods.VIRTUAL_ADDRESS, m.AddressRequest),
        (methods.CACHEABLE, m.CacheableRequest),
        (methods.FREE_BUFFER, m.FreeBufferRequest),
    ],
)
async def test_everything_else_on_an_unknown_buffer_is_not_found(
    client: RawClient, method: methods.Method[Any, Any], request_type: Any
) -> None:
    expected = (grpc.StatusCode.NOT_FOUND, "Buffer not found.")
    assert await refused(client.call(method, request_type(buffer_id="0xdead"))) == expected
    assert await refused(client.fetch("0xdead")) == expected


async def test_a_freed_id_is_gone_and_then_comes_back_for_another_buffer(board: SimBoard, client: RawClient) -> None:
    kept, first = await client.allocate(64), await client.allocate(4096)
    await client.free(first)
    assert (await refused(client.free(first)))[0] is grpc.StatusCode.NOT_FOUND
    assert await client.allocate(1 << 20) == first != kept
    assert first.startswith("0x")
    assert board.counters.live_buffers == 2
