"""Requests that do not end in the time that a service which stops gives them."""

import asyncio
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import problems
from .service import FarmService

_LOGGER = logging.getLogger("pynq_async.service")


class GivingUp:
    """Answers a request that the server cancels once the service stops, and says so in one line of the log."""

    def __init__(self, app: ASGIApp, service: FarmService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if not self._service.stopping:
                raise

            caller = scope.get("state", {}).get("caller")
            by = f" by {caller.name}" if caller is not None else ""
            _LOGGER.warning("given up, since the service stops: %s %s%s", scope["method"], scope["path"], by)

            # It ends here: the task is this request's alone, and servers would log it as a failure of the application.
            if not begun:
                answer = problems.response(503, "given-up", "the service has stopped before this came to its end")
                await answer(scope, receive, send)
