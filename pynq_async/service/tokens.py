"""Tokens: who may do what. Only their SHA-256 is kept, so that a file of them gives nothing away."""

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from ..errors import InvalidArgument

Scope: TypeAlias = Literal["read", "use", "admin"]
_LEVELS: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class Token:
    """One user of a service.

    Attributes:
        name: who it is; stands in leases, in events and in the audit log.
        scope: `read` sees boards and events; `use` also leases boards and works with them; `admin` also ends what is
            others'. Each includes those before it.
        digest: SHA-256 of the secret in hexadecimal.
        expires: when it stops to be accepted, with a time zone; never unless told.
    """

    name: str
    scope: Scope
    digest: str = field(repr=False)
    expires: datetime | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.@+-]{1,64}", self.name):
            raise InvalidArgument(
                f"{self.name!r} is no name of a token: letters, digits and . _ @ + - only, at most 64"
            )

        if self.scope not in _LEVELS:
            raise InvalidArgument(f"token {self.name}: the scope is one of {', '.join(_LEVELS)}, not {self.scope!r}")

        if not re.fullmatch(r"[0-9a-f]{64}", self.digest):
            raise InvalidArgument(f"token {self.name}: the digest is a SHA-256 in 64 hexadecimal digits")

        if self.expires is not None and self.expires.tzinfo is None:
            raise InvalidArgument(f"token {self.name}: the time it expires needs a time zone, such as Z for UTC")

    @classmethod
    def make(cls, name: str, scope: Scope, expires: datetime | None = None) -> tuple[str, "Token"]:
        """Make a secret and the token that it opens; the secret is kept nowhere."""
        secret = secrets.token_urlsafe(24)
        return secret, cls(name, scope, digest_of(secret), expires)

    def allows(self, scope: Scope) -> bool:
        """Whether it is good for what needs `scope`."""
        return _LEVELS.index(scope) <= _LEVELS.index(self.scope)


class Tokens:
    """The tokens of a service, found by their secret; raises `InvalidArgument` for two of one name or secret."""

    def __init__(self, tokens: Iterable[Token], clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        names: set[str] = set()

        for token in tokens:
            if token.name in names or token.digest in self._tokens:
                raise InvalidArgument(f"token {token.name}: another one has the same name or the same secret")

            names.add(token.name)
            self._tokens[token.digest] = token

    def __iter__(self) -> Iterator[Token]:
        return iter(self._tokens.values())

    def __len__(self) -> int:
        return len(self._tokens)

    def find(self, secret: str) -> Token | None:
        """The token that a secret opens, expired or not."""
        return self._tokens.get(digest_of(secret))

    def expired(self, token: Token) -> bool:
        """Whether a token is not accepted any more."""
        return token.expires is not None and token.expires.timestamp() <= self._clock()


def digest_of(secret: str) -> str:
    """SHA-256 of a secret in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()
