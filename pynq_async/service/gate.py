"""The gate: nothing of a request is read before its token is known and it may ask now."""

import math

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import problems
from .paths import path_of
from .problems import Refusal
from .rates import Rates
from .tokens import Token, Tokens

API = "/api/"
_SCHEME = "bearer "


class Gate:
    """Lets requests for the API in whose token is good, so many and no more; the page is for everybody."""

    def __init__(self, app: ASGIApp, tokens: Tokens, rates: Rates, max_body: int) -> None:
        self._app = app
        self._tokens = tokens
        self._rates = rates
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http" or not path_of(scope).startswith(API):
            await self._app(scope, receive, send)
            return

        headers = {name.lower(): value for name, value in scope["headers"]}

        try:
            caller = self._caller(headers.get(b"authorization", b"").decode("latin-1"))
            self._check_rate(caller)
            self._check_length(headers.get(b"content-length", b"").decode("latin-1"))
        except Refusal as refusal:
            answer = problems.response(refusal.status_code, refusal.kind, refusal.detail, headers=refusal.headers)
            await answer(scope, receive, send)
            return

        scope.setdefault("state", {})["caller"] = caller
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))

            if received > self._max_body:
                raise self._too_large()

            return message

        await self._app(scope, limited, send)

    def _caller(self, authorization: str) -> Token:
        if not authorization:
            raise _unauthorized("missing-token", "this needs a token: send 'Authorization: Bearer ...'", "")

        secret = authorization[len(_SCHEME) :].strip() if authorization.lower().startswith(_SCHEME) else ""
        token = self._tokens.find(secret) if secret else None

        if token is None:
            raise _unauthorized("unknown-token", "the service does not know this token", "invalid_token")

        if self._tokens.expired(token):
            raise _unauthorized("expired-token", f"the token {token.name} has expired", "invalid_token")

        return token

    def _check_rate(self, caller: Token) -> None:
        if (wait := self._rates.take(caller.name)) > 0:
            after = {"Retry-After": str(math.ceil(wait))}
            raise Refusal(429, "too-many-requests", f"the token {caller.name} asks too often; wait {wait:.2g} s", after)

    def _check_length(self, length: str) -> None:
        if length.isdecimal() and int(length) > self._max_body:
            raise self._too_large()

    def _too_large(self) -> Refusal:
        return Refusal(413, "too-large", f"the service takes at most {self._max_body} bytes at once")


def _unauthorized(kind: str, detail: str, error: str) -> Refusal:
    challenge = 'Bearer realm="pynq-async"' + (f', error="{error}"' if error else "")
    return Refusal(401, kind, detail, {"WWW-Authenticate": challenge})
