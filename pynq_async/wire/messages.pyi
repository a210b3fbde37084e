# Written by protos/compile.py from the .proto files; run `nox -s protos` to write it again.
from collections.abc import Iterable, MutableSequence
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

POOL: DescriptorPool
FILE_NAMES: tuple[str, ...]

class AllocateRequest(Message):
    size: int
    dtype: str
    cacheable: bool
    def __init__(self, *, size: int | None = ..., dtype: str | None = ..., cacheable: bool | None = ...) -> None: ...

class AllocateResponse(Message):
    msg: str
    buffer_id: str
    def __init__(self, *, msg: str | None = ..., buffer_id: str | None = ...) -> None: ...

class BufferWriteRequest(Message):
    buffer_id: str
    data: bytes
    start: int
    end: int
    def __init__(self, *, buffer_id: str | None = ..., data: bytes | None = ..., start: int | None = ..., end: int | None = ...) -> None: ...

class BufferWriteResponse(Message):
    msg: str
    def __init__(self, *, msg: str | None = ...) -> None: ...

class BufferReadRequest(Message):
    buffer_id: str
    start: int
    end: int
    def __init__(self, *, buffer_id: str | None = ..., start: int | None = ..., end: int | None = ...) -> None: ...

class BufferReadResponse(Message):
    msg: str
    data: bytes
    def __init__(self, *, msg: str | None = ..., data: bytes | None = ...) -> None: ...

class FreeBufferRequest(Message):
    buffer_id: str
    def __init__(self, *, buffer_id: str | None = ...) -> None: ...

class FreeBufferResponse(Message):
    msg: str
    def __init__(self, *, msg: str | None = ...) -> None: ...

class FlushRequest(Message):
    buffer_id: str
    def __init__(self, *, buffer_id: str | None = ...) -> None: ...

class FlushResponse(Message):
    msg: str
    def __init__(self, *, msg: str | None = ...) -> None: ...

class InvalidateRequest(Message):
    buffer_id: str
    def __init__(self, *, buffer_id: str | None = ...) -> None: ...

class InvalidateResponse(Message):
    msg: str
    def __init__(self, *, msg: str | None = ...) -> None: ...

class AddressRequest(Message):
    buffer_id: str
    def __init__(self, *, buffer_id: str | None = ...) -> None: ...

class AddressResponse(Message):
    msg: str
    address: int
    def __init__(self, *, msg: str | None = ..., address: int | None = ...) -> None: ...

class CacheableRequest(Message):
    buffer_id: str
    def __init__(self, *, buffer_id: str | None = ...) -> None: ...

class CacheableResponse(Message):
    msg: str
    cacheable: bool
    def __init__(self, *, msg: str | None = ..., cacheable: bool | None = ...) -> None: ...

class GetGpioRequest(Message):
    index: int
    direction: str
    def __init__(self, *, index: int | None = ..., direction: str | None = ...) -> None: ...

class GetGpioResponse(Message):
    message: str
    gpio_id: str
    def __init__(self, *, message: str | None = ..., gpio_id: str | None = ...) -> None: ...

class GpioReadRequest(Message):
    gpio_id: str
    def __init__(self, *, gpio_id: str | None = ...) -> None: ...

class GpioReadResponse(Message):
    message: str
    value: int
    def __init__(self, *, message: str | None = ..., value: int | None = ...) -> None: ...

class GpioWriteRequest(Message):
    gpio_id: str
    value: int
    def __init__(self, *, gpio_id: str | None = ..., value: int | None = ...) -> None: ...

class GpioWriteResponse(Message):
    def __init__(self) -> None: ...

class GpioUnexportRequest(Message):
    gpio_id: str
    def __init__(self, *, gpio_id: str | None = ...) -> None: ...

class GpioUnexportResponse(Message):
    def __init__(self) -> None: ...

class GpioIsExportedRequest(Message):
    gpio_id: str
    def __init__(self, *, gpio_id: str | None = ...) -> None: ...

class GpioIsExportedResponse(Message):
    is_exported: bool
    def __init__(self, *, is_exported: bool | None = ...) -> None: ...

class GetGpioBasePathRequest(Message):
    target_label: str
    def __init__(self, *, target_label: str | None = ...) -> None: ...

class GetGpioBasePathResponse(Message):
    base_path: str
    def __init__(self, *, base_path: str | None = ...) -> None: ...

class GetGpioNPinsRequest(Message):
    target_label: str
    def __init__(self, *, target_label: str | None = ...) -> None: ...

class GetGpioNPinsResponse(Message):
    npins: int
    def __init__(self, *, npins: int | None = ...) -> None: ...

class HealthCheckRequest(Message):
    service: str
    def __init__(self, *, service: str | None = ...) -> None: ...

class HealthCheckResponse(Message):
    UNKNOWN: int
    SERVING: int
    NOT_SERVING: int
    SERVICE_UNKNOWN: int
    status: int
    def __init__(self, *, status: int | None = ...) -> None: ...

class RegisterRequest(Message):
    pin_name: str
    pin_index: int
    raw_irq: int
    controller_phys_addr: int
    def __init__(self, *, pin_name: str | None = ..., pin_index: int | None = ..., raw_irq: int | None = ..., controller_phys_addr: int | None = ...) -> None: ...

class RegisterResponse(Message):
    msg: str
    interrupt_id: str
    def __init__(self, *, msg: str | None = ..., interrupt_id: str | None = ...) -> None: ...

class WaitRequest(Message):
    interrupt_id: str
    timeout_ms: int
    def __init__(self, *, interrupt_id: str | None = ..., timeout_ms: int | None = ...) -> None: ...

class WaitResponse(Message):
    FIRED: int
    TIMEOUT: int
    ERROR: int
    status: int
    msg: str
    def __init__(self, *, status: int | None = ..., msg: str | None = ...) -> None: ...

class ReleaseRequest(Message):
    interrupt_id: str
    def __init__(self, *, interrupt_id: str | None = ...) -> None: ...

class ReleaseResponse(Message):
    msg: str
    def __init__(self, *, msg: str | None = ...) -> None: ...

class GetMmioRequest(Message):
    base_addr: int
    length: int
    def __init__(self, *, base_addr: int | None = ..., length: int | None = ...) -> None: ...

class GetMmioResponse(Message):
    status: bool
    msg: str
    mmio_id: str
    def __init__(self, *, status: bool | None = ..., msg: str | None = ..., mmio_id: str | None = ...) -> None: ...

class ReadRequest(Message):
    mmio_id: str
    length: int
    offset: int
    word_order: str
    def __init__(self, *, mmio_id: str | None = ..., length: int | None = ..., offset: int | None = ..., word_order: str | None = ...) -> None: ...

class ReadResponse(Message):
    status: bool
    msg: str
    data: int
    def __init__(self, *, status: bool | None = ..., msg: str | None = ..., data: int | None = ...) -> None: ...

class WriteRequest(Message):
    mmio_id: str
    offset: int
    data: bytes
    def __init__(self, *, mmio_id: str | None = ..., offset: int | None = ..., data: bytes | None = ...) -> None: ...

class WriteResponse(Message):
    status: bool
    msg: str
    def __init__(self, *, status: bool | None = ..., msg: str | None = ...) -> None: ...

class ServerReflectionRequest(Message):
    host: str
    file_by_filename: str
    file_containing_symbol: str
    list_services: str
    def __init__(self, *, host: str | None = ..., file_by_filename: str | None = ..., file_containing_symbol: str | None = ..., list_services: str | None = ...) -> None: ...

class ServerReflectionResponse(Message):
    valid_host: str
    original_request: ServerReflectionRequest
    file_descriptor_response: FileDescriptorResponse
    list_services_response: ListServiceResponse
    error_response: ErrorResponse
    def __init__(self, *, valid_host: str | None = ..., original_request: ServerReflectionRequest | None = ..., file_descriptor_response: FileDescriptorResponse | None = ..., list_services_response: ListServiceResponse | None = ..., error_response: ErrorResponse | None = ...) -> None: ...

class FileDescriptorResponse(Message):
    file_descriptor_proto: MutableSequence[bytes]
    def __init__(self, *, file_descriptor_proto: Iterable[bytes] | None = ...) -> None: ...

class ListServiceResponse(Message):
    service: MutableSequence[ServiceResponse]
    def __init__(self, *, service: Iterable[ServiceResponse] | None = ...) -> None: ...

class ServiceResponse(Message):
    name: str
    def __init__(self, *, name: str | None = ...) -> None: ...

class ErrorResponse(Message):
    error_code: int
    error_message: str
    def __init__(self, *, error_code: int | None = ..., error_message: str | None = ...) -> None: ...

class SetBitstreamAttrsRequest(Message):
    binfile_name: str
    partial: bool
    def __init__(self, *, binfile_name: str | None = ..., partial: bool | None = ...) -> None: ...

class SetBitstreamAttrsResponse(Message):
    status: bool
    def __init__(self, *, status: bool | None = ...) -> None: ...

class DownloadRequest(Message):
    buffer: bytes
    def __init__(self, *, buffer: bytes | None = ...) -> None: ...

class DownloadResponse(Message):
    status: bool
    def __init__(self, *, status: bool | None = ...) -> None: ...

class SetPlClkRequest(Message):
    i: int
    div0: int
    div1: int
    clk_mhz: int
    def __init__(self, *, i: int | None = ..., div0: int | None = ..., div1: int | None = ..., clk_mhz: int | None = ...) -> None: ...

class SetPlClkResponse(Message):
    status: bool
    def __init__(self, *, status: bool | None = ...) -> None: ...

class ShutdownRequest(Message):
    def __init__(self) -> None: ...

class ShutdownResponse(Message):
    status: bool
    def __init__(self, *, status: bool | None = ...) -> None: ...

class ReadFileRequest(Message):
    file_path: str
    def __init__(self, *, file_path: str | None = ...) -> None: ...

class ReadFileResponse(Message):
    data: bytes
    def __init__(self, *, data: bytes | None = ...) -> None: ...

class WriteFileRequest(Message):
    file_path: str
    data: bytes
    def __init__(self, *, file_path: str | None = ..., data: bytes | None = ...) -> None: ...

class WriteFileResponse(Message):
    def __init__(self) -> None: ...

class ExistsFileRequest(Message):
    file_path: str
    def __init__(self, *, file_path: str | None = ...) -> None: ...

class ExistsFileResponse(Message):
    exists: bool
    def __init__(self, *, exists: bool | None = ...) -> None: ...
