"""Clients that go before they have their answer."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
from fastapi import Request, Response

from ..concurrency import first_leaf

T = TypeVar("T")


class ClientGone(Exception):
    """The client has closed the connection; there is nobody to answer."""


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do `work` for a client whose request was read to its end; cancelled when the client goes: then `ClientGone`."""
    results: list[T] = []

    try:
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while (await request.receive())["type"] != "http.disconnect":
                    pass

                group.cancel_scope.cancel()

            group.start_soon(watch)
            results.append(await work)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as error:
        raise first_leaf(error) from None

    if not results:
        raise ClientGone

    return results[0]


async def of_client_gone(request: Request, error: Exception) -> Response:
    """Answer nobody; the status, of no standard but known from other servers, is for the audit log."""
    return Response(status_code=499)
