"""Physical memory, buffers in it, register hooks."""

from pynq_async.sim import Memory, SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, connected


def test_memory_is_zero_until_written_and_crosses_pages() -> None:
    memory = Memory()
    memory.write(0xFFE, b"abcdef")
    assert memory.read(0xFFC, 10) == b"\0\0abcdef\0\0"
    assert memory.load(0x1000) == int.from_bytes(b"cdef", "little")


def test_attached_bytes_are_memory_both_ways() -> None:
    memory, data = Memory(), bytearray(4096)
    memory.attach(0x1_0000, data)
    memory.write(0xFFFE, b"abcd")
    data[4094:] = b"yz"
    assert (bytes(data[:2]), memory.read(0xFFFE, 4), memory.read(0x1_0FFE, 4)) == (b"cd", b"abcd", b"yz\0\0")
    memory.detach(0x1_0000)
    assert memory.read(0xFFFE, 4) == b"ab\0\0"


def test_an_attachment_that_ends_inside_a_page_is_followed_by_plain_memory() -> None:
    memory, data = Memory(), bytearray(6)
    memory.attach(0x2000, data)
    memory.write(0x2004, b"12345678")
    assert bytes(data[4:]) == b"12"
    assert memory.read(0x2004, 8) == b"12345678"


def test_clearing_a_range_leaves_the_rest() -> None:
    memory = Memory()
    memory.store(0x1000, 1)
    memory.store(0x2000, 2)
    memory.clear(range(0x2000, 0x3000))
    assert (memory.load(0x1000), memory.load(0x2000)) == (1, 0)


def test_hooks_see_loads_and_stores_until_they_are_detached() -> None:
    bus = SimBoard().bus
    detach = bus.on_load(0x1000, lambda address, word: word + address, length=8)
    bus.on_store(0x1000, lambda _, word: word * 2)
    bus.store(0x1000, 3)
    bus.store(0x1004, 3)
    assert (bus.load(0x1000), bus.load(0x1004), bus.load(0x1008)) == (0x1006, 0x1007, 0)
    detach()
    assert bus.load(0x1000) == 6


async def test_a_clear_on_read_register_loses_its_value_to_the_double_load(board: SimBoard, client: RawClient) -> None:
    def clear_on_read(address: int, word: int) -> int:
        board.memory.store(address, 0)
        return word

    board.on_read(0x4000_0000, clear_on_read)
    board.memory.store(0x4000_0000, 7)
    assert await client.load(await client.map()) == 0
    assert board.counters.double_register_loads == 1


async def test_a_buffer_lies_in_physical_memory(board: SimBoard, client: RawClient) -> None:
    buffer_id = await client.allocate(8192)
    at = (await client.call(methods.PHYSICAL_ADDRESS, m.AddressRequest(buffer_id=buffer_id))).address
    virtual = (await client.call(methods.VIRTUAL_ADDRESS, m.AddressRequest(buffer_id=buffer_id))).address
    await client.fill(buffer_id, b"ab" * 4096)
    board.memory.write(at + 1, b"XYZ")

    assert at % 4096 == virtual % 4096 == 0
    assert await client.fetch(buffer_id) == [b"aXYZ" + b"ab" * 4094]
    assert board.memory.read(at, 6) == b"aXYZab"


async def test_contiguous_memory_runs_out_and_is_given_back(client: RawClient) -> None:
    first = await client.allocate(100 << 20)
    assert await client.allocate(100 << 20) == ""
    assert b"CmaTotal:         131072 kB\nCmaFree:           28672 kB\n" in await client.read_file("/proc/meminfo")
    await client.free(first)
    assert await client.allocate(100 << 20) == first


async def test_with_a_modelled_cache_bytes_move_only_by_flush_and_invalidate() -> None:
    board = SimBoard(model_cache=True)

    async with connected(board) as client:
        buffer_id = await client.allocate(4, cacheable=True)
        at = (await client.call(methods.PHYSICAL_ADDRESS, m.AddressRequest(buffer_id=buffer_id))).address
        await client.fill(buffer_id, b"host")
        assert board.memory.read(at, 4) == bytes(4)
        await client.call(methods.FLUSH, m.FlushRequest(buffer_id=buffer_id))
        assert board.memory.read(at, 4) == b"host"
        board.memory.write(at, b"chip")
        assert await client.fetch(buffer_id) == [b"host"]
        await client.call(methods.INVALIDATE, m.InvalidateRequest(buffer_id=buffer_id))
        assert await client.fetch(buffer_id) == [b"chip"]
        assert (await client.call(methods.CACHEABLE, m.CacheableRequest(buffer_id=buffer_id))).cacheable is True
