"""Who is let in, and for what."""

import inspect

import pytest

from pynq_async import errors
from pynq_async.errors import InvalidArgument, PynqError
from pynq_async.service import ServiceOptions, Token, Tokens
from pynq_async.service.problems import STATUSES, status_of
from pynq_async.service.rates import Rates

from .services import problem, running


async def test_without_a_token_nothing_is_told() -> None:
    async with running() as it:
        answer = await it.nobody.get("/api/boards")
        assert "Authorization: Bearer" in problem(answer, 401, "missing-token")
        assert answer.headers["www-authenticate"] == 'Bearer realm="pynq-async"'


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic YTpi", "Bearer", "\xff"])
async def test_an_unknown_token_is_not_let_in(header: str) -> None:
    async with running() as it:
        headers = {b"Authorization": header.encode("latin-1")}
        problem(await it.nobody.get("/api/boards", headers=headers), 401, "unknown-token")


async def test_an_expired_token_is_told_so() -> None:
    async with running() as it:
        assert "gone has expired" in problem(await it.gone.get("/api/boards"), 401, "expired-token")


async def test_a_scope_includes_those_before_it_and_no_more() -> None:
    async with running() as it:
        for client in (it.carol, it.alice, it.root):
            assert (await client.get("/api/boards")).status_code == 200

        answer = await it.carol.post("/api/leases", json={})
        assert "scope use; carol has read" in problem(answer, 403, "insufficient-scope")
        assert 'scope="use"' in answer.headers["www-authenticate"]


async def test_the_token_is_looked_at_before_the_body_is() -> None:
    async with running() as it:
        answer = await it.nobody.post("/api/leases", content=b"{ no json", headers={"content-type": "application/json"})
        problem(answer, 401, "missing-token")


async def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    async with running(options=ServiceOptions(requests=0.01, burst=2)) as it:
        assert [(await it.alice.get("/api/boards")).status_code for _ in range(2)] == [200, 200]
        answer = await it.alice.get("/api/boards")
        problem(answer, 429, "too-many-requests")
        assert 90 <= int(answer.headers["retry-after"]) <= 100
        assert (await it.bob.get("/api/boards")).status_code == 200


def test_a_bucket_fills_with_time() -> None:
    now = 0.0
    rates = Rates(2, 2, lambda: now)
    assert [rates.take("a") for _ in range(3)] == [0, 0, 0.5]
    now = 0.5
    assert [rates.take("a"), rates.take("a"), rates.take("b")] == [0, 0.5, 0]
    now = 100
    assert [rates.take("a") for _ in range(3)] == [0, 0, 0.5]


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"name": "a b"}, {"name": "a\n"}, {"scope": "root"}, {"digest": "abc"}, {"digest": "G" * 64}],
)
def test_a_token_that_cannot_be_right_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument):
        Token(**{"name": "alice", "scope": "use", "digest": "0" * 64, **change})  # type: ignore[arg-type]


def test_two_tokens_of_one_name_or_secret_are_refused() -> None:
    token = Token("alice", "use", "0" * 64)

    for other in (Token("alice", "use", "1" * 64), Token("bob", "use", "0" * 64)):
        with pytest.raises(InvalidArgument, match=other.name):
            Tokens([token, other])


def test_a_token_does_not_show_its_digest() -> None:
    secret, token = Token.make("alice", "use")
    assert secret not in repr(token)
    assert token.digest not in repr(token)


def test_every_error_of_the_sdk_has_a_status() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PynqError)]
    statuses = {kind: next(status for each, status in STATUSES.items() if issubclass(kind, each)) for kind in kinds}
    assert statuses[errors.NotInDesign] == 404
    assert {kind for kind, status in statuses.items() if status == 500} <= {
        PynqError,
        errors.FarmError,
        errors.SimulationError,
    }
    assert status_of(errors.ConnectionLost("a", "gone")) == 502


def test_subclasses_come_before_their_parents() -> None:
    kinds = list(STATUSES)
    assert all(not issubclass(later, kind) for place, kind in enumerate(kinds) for later in kinds[place + 1 :])
