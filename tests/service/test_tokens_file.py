"""The file of tokens: what it gives, and that what is wrong is said by line and field."""

import json
import os
import sys
import tomllib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pynq_async.errors import InvalidArgument, InventoryError
from pynq_async.service import TOKENS_SCHEMA, Token, load_tokens
from pynq_async.service.tokens_file import append_token

SCHEMA = json.loads(TOKENS_SCHEMA.read_text())
HEAD = f'[[token]]\nname = "alice"\nscope = "use"\ndigest = "{"0" * 64}"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "tokens.toml"
    path.write_text(text)
    return path


def as_json(text: str) -> Any:
    """A file as editors check it against a schema: times are texts."""
    return json.loads(json.dumps(tomllib.loads(text), default=datetime.isoformat))


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    zone = timezone(timedelta(hours=2))
    secret, alice = Token.make("alice", "use", datetime(2027, 1, 1, 2, tzinfo=zone))
    _, root = Token.make("root", "admin")

    for token in (alice, root):
        append_token(path, token)

    tokens = load_tokens(path)
    assert list(tokens) == [alice, root]
    assert tokens.find(secret) == alice
    assert alice.expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert secret not in path.read_text()
    jsonschema.validate(as_json(path.read_text()), SCHEMA)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_a_new_file_is_for_its_owner_alone_and_an_old_one_stays_as_it_is(tmp_path: Path) -> None:
    append_token(tmp_path / "new.toml", Token.make("alice", "use")[1])
    assert os.stat(tmp_path / "new.toml").st_mode & 0o777 == 0o600

    path = written(tmp_path, f"# ours\n{HEAD.strip()}")
    path.chmod(0o640)
    append_token(path, Token.make("bob", "use")[1])
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_text().startswith(f"# ours\n{HEAD}")
    assert [token.name for token in load_tokens(path)] == ["alice", "bob"]


def test_a_name_is_given_once(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD)

    with pytest.raises(InventoryError, match=r"tokens.toml:2: token 'alice', name: there is a token of this name"):
        append_token(path, Token.make("alice", "read")[1])

    assert path.read_text() == HEAD


def test_a_file_that_cannot_be_used_is_not_appended_to(tmp_path: Path) -> None:
    path = written(tmp_path, "[[token]]\nnam = 'x'\n")

    with pytest.raises(InventoryError, match="did you mean 'name'"):
        append_token(path, Token.make("alice", "read")[1])

    assert "alice" not in path.read_text()

    with pytest.raises(InvalidArgument, match="cannot be written: No such file"):
        append_token(tmp_path / "missing" / "tokens.toml", Token.make("alice", "read")[1])


# What is wrong, the line and the field that are named, and words of the message.
BAD = [
    (HEAD + "expire = 3", 5, "token 'alice', expire", "did you mean 'expires'?"),
    (HEAD + 'expires = "soon"', 5, "token 'alice', expires", "write a time with its zone and without quotes"),
    (HEAD.replace("use", "root"), 3, "token 'alice', scope", "one of read, use, admin, not 'root'"),
    (HEAD.replace("alice", "a b"), 2, "token 'a b', name", "is no name of a token"),
    (HEAD.replace('"alice"', "3"), 2, "token number 1, name", "3 is not a text"),
    (HEAD.replace("0" * 64, "secret"), 4, "token 'alice', digest", "SHA-256 in 64 hexadecimal digits"),
    (HEAD + "[[token]]\nname = 'b'\nscope = 'use'", 5, "token 'b'", "has no digest; write digest = ..."),
    (HEAD + "[tokens]", 5, "tokens", "there is no such key; did you mean 'token'?"),
    ("[token]\nname = 'a'", 1, "token", "with two brackets"),
    ("token = [\n 1]", 1, "token number 1", "1 is not a table"),
    ("", 1, "token", "the file has no token"),
]
BEYOND_SCHEMA = [
    (HEAD + "expires = 2027-01-01T00:00:00", 5, "token 'alice', expires", "with its zone"),
    (HEAD + "expires = 2027-01-01", 5, "token 'alice', expires", "with its zone"),
    (HEAD + HEAD, 6, "token 'alice', name", "the token in line 2 has the same"),
    (HEAD + HEAD.replace("alice", "bob"), 8, "token 'bob', digest", "the token in line 4 has the same"),
    (HEAD + "x = [", 5, "", ""),
]


@pytest.mark.parametrize(
    ("text", "line", "field", "words"), BAD + BEYOND_SCHEMA, ids=range(len(BAD) + len(BEYOND_SCHEMA))
)
def test_what_is_wrong_is_said_by_line_and_field(tmp_path: Path, text: str, line: int, field: str, words: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(InventoryError) as caught:
        load_tokens(path)

    assert (caught.value.line, caught.value.field) == (line, field)
    assert str(caught.value).startswith(f"{path}:{line}: {field}")
    assert words in str(caught.value)
    assert "0" * 64 not in str(caught.value)


@pytest.mark.parametrize("text", [text for text, *_ in BAD if '"soon"' not in text], ids=range(len(BAD) - 1))
def test_the_schema_refuses_what_the_parser_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(text), SCHEMA)


def test_the_schema_takes_what_the_parser_takes() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(as_json(HEAD + "expires = 2027-01-01T00:00:00Z"), SCHEMA)
