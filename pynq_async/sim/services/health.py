"""`grpc.health.v1.Health`: the server as a whole is SERVING, named services are not known."""

import asyncio

import grpc

from ...wire import messages as m
from ...wire import methods
from ..dispatch import Handler, Refused, Send, unary

_WATCH = methods.Method("/grpc.health.v1.Health/Watch", m.HealthCheckRequest, m.HealthCheckResponse, server_stream=True)


def health_handlers() -> list[Handler]:
    """List the methods of this service."""
    return [unary(methods.HEALTH_CHECK, _check), Handler(_WATCH, _watch)]


async def _check(request: m.HealthCheckRequest) -> m.HealthCheckResponse:
    if request.service:
        raise Refused(grpc.StatusCode.NOT_FOUND, "")

    return m.HealthCheckResponse(status=m.HealthCheckResponse.SERVING)


async def _watch(message: bytes, send: Send) -> None:
    named = m.HealthCheckRequest.FromString(message).service
    status = m.HealthCheckResponse.SERVICE_UNKNOWN if named else m.HealthCheckResponse.SERVING
    await send(m.HealthCheckResponse(status=status).SerializeToString())
    await asyncio.get_running_loop().create_future()
