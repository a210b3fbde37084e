"""What is wrong with a request is said in words of the service's own."""

from typing import Any

import pytest

from .services import problem, running

LEASES, BITSTREAMS, MMIO = "/api/leases", "/api/bitstreams", "/api/boards/a/mmio"
JSON = {"content-type": "application/json"}
NAME = (
    "query.name: it must be a plain file name that ends in .bit, .bin, .xsa or .pdi, without folders; a .hwh goes to "
)


@pytest.mark.parametrize(
    ("path", "sent", "told"),
    [
        (LEASES, {"content": b'{"name": "a"}'}, "body: send it as JSON, with 'Content-Type: application/json'"),
        (LEASES, {}, "body: send it as JSON, with 'Content-Type: application/json'"),
        (LEASES, {"content": b"{x", "headers": JSON}, "body: this is not JSON: "),
        (LEASES, {"json": {"timeout": 1}}, "body.timeout: there is no such field; there are count, name, model, "),
        (LEASES, {"json": {"count": 0}}, "body.count: it must be greater than or equal to 1"),
        (BITSTREAMS, {}, "query.name: is missing"),
        (f"{BITSTREAMS}?name=resizer.hwh", {}, f"{NAME}PUT /api/bitstreams/.../description"),
        (f"{BITSTREAMS}?name=../../etc/resizer.bit", {}, NAME),
        ("/api/boards/a/program", {"json": {"bitstream": "x", "more": 1}}, "body.more: there is no such field; there "),
    ],
)
async def test_it_is_said_what_to_send(path: str, sent: dict[str, Any], told: str) -> None:
    async with running() as it:
        assert problem(await it.alice.post(path, **sent), 422, "invalid-request").startswith(told)


async def test_offsets_may_be_written_as_they_are_shown() -> None:
    async with running() as it:
        assert "a number such as 64 or 0x40" in problem(
            await it.alice.get(f"{MMIO}?ip=x&offset=4k"), 422, "invalid-request"
        )
        problem(await it.alice.get(f"{MMIO}?ip=x&offset=0x40"), 409, "not-leased")


async def test_a_wrong_method_is_told_which_one_is_right() -> None:
    async with running() as it:
        assert "this path takes GET or POST, not PUT" in problem(
            await it.alice.put(f"{BITSTREAMS}?name=a.bit"), 405, "method-not-allowed"
        )
