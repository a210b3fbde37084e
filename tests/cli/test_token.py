"""`pynq-async token`."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pynq_async.service import Token, load_tokens
from pynq_async.service.tokens import digest_of

from .conftest import Here


def test_a_token_is_printed_with_its_table(here: Here) -> None:
    ended = here("token", "alice", "--scope", "use", "--expires", "2099-01-31")
    assert (ended.code, ended.err) == (0, "")
    first, _, table = ended.out.partition("\n")
    secret = first.rpartition(" ")[2]
    (made,) = tomllib.loads(table.partition("\n\n")[2])["token"]
    assert secret not in table
    assert Token(**made) == Token("alice", "use", digest_of(secret), datetime(2099, 1, 31, tzinfo=UTC))


def test_tokens_are_added_to_a_file(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    first = here("token", "alice", "--scope", "use", "--expires", "30d", "--file", path, "--json").values
    assert here("token", "root", "--scope", "admin", "--file", path).code == 0
    tokens = load_tokens(path)
    alice = tokens.find(first["secret"])
    assert alice is not None and alice.expires is not None
    assert abs(alice.expires - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    assert alice.expires == datetime.fromisoformat(first["expires"])
    assert [(token.name, token.scope) for token in tokens] == [("alice", "use"), ("root", "admin")]

    before = path.read_text()
    ended = here("token", "alice", "--scope", "read", "--file", path)
    why = "there is a token of this name already; remove its table first, which revokes it"
    assert ended.only_error == f"{path}:2: token 'alice', name: {why}"
    assert (ended.code, path.read_text()) == (1, before)


def test_what_is_wrong_is_one_sentence(here: Here, tmp_path: Path) -> None:
    assert "is no name of a token" in here("token", "a b", "--scope", "use").only_error
    missing = tmp_path / "missing" / "tokens.toml"
    assert "cannot be written" in here("token", "a", "--scope", "use", "--file", missing).only_error
