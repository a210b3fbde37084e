"""The tokens of a service in a TOML file, which has no secret in it.

::

    [[token]]
    name = "alice"
    scope = "use"                               # read, use or admin
    digest = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
    expires = 2027-01-01T00:00:00Z              # never, unless told

`pynq-async token` makes such tables; `TOKENS_SCHEMA` is a JSON Schema of the file, for editors.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import InvalidArgument
from ..farm.toml_file import Keys, TomlFile
from .tokens import Token, Tokens

TOKENS_SCHEMA = Path(__file__).with_name("tokens.schema.json")

_VALID: Mapping[str, str] = {"name": "anybody", "scope": "read", "digest": "0" * 64}
_PRIVATE = 0o600


def load_tokens(path: str | os.PathLike[str]) -> Tokens:
    """The tokens of a file; raises `InventoryError` with line and field."""
    file = TomlFile.read(path)
    tokens = _tokens(file)

    if not tokens:
        raise file.error(("token",), "the file has no token; 'pynq-async token NAME --file ...' adds one")

    return Tokens(tokens)


def append_token(path: str | os.PathLike[str], token: Token) -> None:
    """Add a token to a file, which is made for its owner alone when there is none.

    Raises `InventoryError` for a file that cannot be used or written, or that has a token of this name.
    """
    text = toml_of(token)

    if Path(path).exists():
        file = TomlFile.read(path)

        for index, other in enumerate(_tokens(file)):
            if other.name == token.name:
                raise file.error(
                    ("token", index, "name"),
                    "there is a token of this name already; remove its table first, which revokes it",
                )

        text = f"\n{text}"

    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE), "a", encoding="utf-8") as target:
            target.write(text)
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be written: {error.strerror}") from None


def toml_of(token: Token) -> str:
    """The table of a token as it stands in a file."""
    lines = ["[[token]]", f'name = "{token.name}"', f'scope = "{token.scope}"', f'digest = "{token.digest}"']

    if token.expires is not None:
        lines.append(f"expires = {token.expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")

    return "\n".join([*lines, ""])


def _tokens(file: TomlFile) -> list[Token]:
    if file.content and "token" not in file.content:
        raise file.error((next(iter(file.content)),), "is this a file of tokens? Its tables are [[token]]")

    file.check_keys((), ("token",))
    tables = file.content.get("token", [])

    if not isinstance(tables, list):
        raise file.error(("token",), "write [[token]], with two brackets, above each token")

    tokens = [_token(file, ("token", index)) for index in range(len(tables))]

    for key in ("name", "digest"):
        first: dict[str, int] = {}

        for index, token in enumerate(tokens):
            if (other := first.setdefault(getattr(token, key), index)) != index:
                line = file.line(("token", other, key))
                raise file.error(("token", index, key), f"the token in line {line} has the same")

    return tokens


def _token(file: TomlFile, at: Keys) -> Token:
    table = file.table(at)
    file.check_keys(at, [*_VALID, "expires"])
    values: dict[str, Any] = dict(_VALID)

    for key in _VALID:
        if key not in table:
            raise file.error(at, f"has no {key}; write {key} = ...")

        values[key] = file.text((*at, key))

        try:
            Token(**values)
        except InvalidArgument as error:
            raise file.error((*at, key), str(error)) from None

    return Token(**values, expires=_expires(file, at) if "expires" in table else None)


def _expires(file: TomlFile, at: Keys) -> datetime:
    value = file.get((*at, "expires"))

    if not isinstance(value, datetime) or value.tzinfo is None:
        raise file.error((*at, "expires"), "write a time with its zone and without quotes, as 2027-01-01T00:00:00Z")

    return value
