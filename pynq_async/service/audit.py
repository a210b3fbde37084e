"""The audit log: who asked for what and how it ended, never what was sent."""

import json
import logging
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGGER = logging.getLogger("pynq_async.service.audit")


class Audit:
    """Writes a line of JSON for each request to the logger `pynq_async.service.audit`, when it has ended.

    A line has `time` (seconds since 1970), `token` (its name, or null), `client`, `method`, `path`, `query`, `status`
    (null or 499 when the client went before there was one), `seconds`, and the bytes of both bodies as `received` and
    `sent`. Arguments of jobs, which are in the query where the body is something else, are left out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note how it ended."""
        if scope["type"] != "http" or not LOGGER.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return

        line: dict[str, Any] = {
            "time": round(time.time(), 3),
            "token": None,
            "client": scope["client"][0] if scope.get("client") else None,
            "method": scope["method"],
            "path": scope["path"],
            "query": _shown(scope["query_string"]),
            "status": None,
        }
        begun = time.monotonic()
        received = sent = 0

        async def count_received() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def count_sent(message: Message) -> None:
            nonlocal sent

            if message["type"] == "http.response.start":
                line["status"] = message["status"]

            await send(message)
            sent += len(message.get("body", b""))

        try:
            await self._app(scope, count_received, count_sent)
        except Exception:
            line["status"] = line["status"] or 500  # which is answered outside of this
            raise
        finally:
            caller = scope.get("state", {}).get("caller")
            line |= {
                "token": caller.name if caller is not None else None,
                "seconds": round(time.monotonic() - begun, 4),
                "received": received,
                "sent": sent,
            }
            LOGGER.info("%s", json.dumps(line))


def _shown(query: bytes) -> str:
    pairs = parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True)
    return urlencode([(name, "..." if name == "arguments" else value) for name, value in pairs])
