"""Routes that take JSON: small bodies only, whatever else the service takes."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from .problems import Refusal

LARGEST = 1 << 20
_EXACT = 1 << 53


class JsonRoute(APIRoute):
    """A route whose body is at most 1 MiB, and comes without standing still: what is not is not read to its end."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Handle a request whose body is counted."""
        handle = super().get_route_handler()

        async def limited(request: Request) -> Response:
            stall = request.app.state.service.options.stall
            received, more = 0, True

            async def receive() -> Message:
                nonlocal received, more

                try:
                    async with asyncio.timeout(stall if more else None):
                        message = await request.receive()
                except TimeoutError:
                    raise Refusal(408, "stalled", f"nothing came for {stall:g} s") from None

                more = message.get("more_body", False)
                received += len(message.get("body", b""))

                if received > LARGEST:
                    raise Refusal(413, "too-large", f"the service takes at most {LARGEST} bytes of JSON")

                return message

            return await handle(_JsonRequest(request.scope, receive))

        return limited


class _JsonRequest(Request):
    """A request whose numbers are as JSON Schema has them: 4.0 is an integer, which a strict model takes."""

    async def json(self) -> Any:
        """The body."""
        return json.loads(await self.body(), parse_float=_number)


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number
