"""Server reflection, both versions: lists the services and hands out their descriptors."""

from collections.abc import AsyncIterator, Sequence

from ...wire import messages as m
from ...wire import methods
from ..dispatch import Dialogue, Handler, Send

_NOT_FOUND = 5
_UNIMPLEMENTED = 12


def reflection_handlers(services: Sequence[str]) -> list[Handler]:
    """Make the handlers that describe `services`, full names such as `mmio.Mmio`."""
    versions = (methods.REFLECTION, methods.REFLECTION_ALPHA)
    dialogue = _dialogue(sorted({*services, *(method.service for method in versions)}))
    return [Handler(method, dialogue) for method in versions]


def _dialogue(services: Sequence[str]) -> Dialogue:
    async def dialogue(requests: AsyncIterator[bytes], send: Send) -> None:
        async for message in requests:
            request = m.ServerReflectionRequest.FromString(message)
            reply = _answer(request, services)
            reply.valid_host = request.host
            reply.original_request.CopyFrom(request)
            await send(reply.SerializeToString())

    return dialogue


def _answer(request: m.ServerReflectionRequest, services: Sequence[str]) -> m.ServerReflectionResponse:
    match request.WhichOneof("message_request"):
        case "list_services":
            listed = m.ListServiceResponse(service=[m.ServiceResponse(name=name) for name in services])
            return m.ServerReflectionResponse(list_services_response=listed)
        case "file_by_filename":
            return _file(request.file_by_filename, services, by_name=True)
        case "file_containing_symbol":
            return _file(request.file_containing_symbol, services, by_name=False)
        case _:
            return _error(_UNIMPLEMENTED, "not supported")


def _file(wanted: str, services: Sequence[str], *, by_name: bool) -> m.ServerReflectionResponse:
    try:
        found = m.POOL.FindFileByName(wanted) if by_name else m.POOL.FindFileContainingSymbol(wanted)
    except KeyError:
        return _error(_NOT_FOUND, "File not found." if by_name else "Symbol not found.")

    if not any(service.full_name in services for service in found.services_by_name.values()):
        return _error(_NOT_FOUND, "File not found." if by_name else "Symbol not found.")

    return m.ServerReflectionResponse(
        file_descriptor_response=m.FileDescriptorResponse(file_descriptor_proto=[found.serialized_pb])
    )


def _error(code: int, text: str) -> m.ServerReflectionResponse:
    return m.ServerReflectionResponse(error_response=m.ErrorResponse(error_code=code, error_message=text))
