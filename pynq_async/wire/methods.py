"""Every remote procedure of the board server: its path, its messages, its shape."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from . import messages as m

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """One remote procedure; `client_stream` and `server_stream` say which sides send many messages."""

    path: str
    request: type[Request]
    response: type[Response]
    client_stream: bool = False
    server_stream: bool = False

    @property
    def service(self) -> str:
        """The full name of the service, as reflection lists it."""
        return self.path.split("/")[1]

    @property
    def name(self) -> str:
        """The procedure's own name."""
        return self.path.split("/")[2]

    def __str__(self) -> str:
        return f"{self.service.split('.')[0]}.{self.name}"


_DEVICE = "/remote_device.RemoteDevice"
SET_BITSTREAM_ATTRS = Method(f"{_DEVICE}/set_bitstream_attrs", m.SetBitstreamAttrsRequest, m.SetBitstreamAttrsResponse)
DOWNLOAD = Method(f"{_DEVICE}/download", m.DownloadRequest, m.DownloadResponse, client_stream=True)
SET_PL_CLK = Method(f"{_DEVICE}/set_pl_clk", m.SetPlClkRequest, m.SetPlClkResponse)
SHUTDOWN = Method(f"{_DEVICE}/shutdown", m.ShutdownRequest, m.ShutdownResponse)
READ_FILE = Method(f"{_DEVICE}/readfile", m.ReadFileRequest, m.ReadFileResponse, server_stream=True)
WRITE_FILE = Method(f"{_DEVICE}/writefile", m.WriteFileRequest, m.WriteFileResponse, client_stream=True)
EXISTS_FILE = Method(f"{_DEVICE}/existsfile", m.ExistsFileRequest, m.ExistsFileResponse)

_MMIO = "/mmio.Mmio"
GET_MMIO = Method(f"{_MMIO}/get_mmio", m.GetMmioRequest, m.GetMmioResponse)
MMIO_READ = Method(f"{_MMIO}/read", m.ReadRequest, m.ReadResponse)
MMIO_WRITE = Method(f"{_MMIO}/write", m.WriteRequest, m.WriteResponse)

_BUFFER = "/buffer.RemoteBuffer"
ALLOCATE = Method(f"{_BUFFER}/allocate", m.AllocateRequest, m.AllocateResponse)
BUFFER_WRITE = Method(f"{_BUFFER}/write", m.BufferWriteRequest, m.BufferWriteResponse, client_stream=True)
BUFFER_READ = Method(f"{_BUFFER}/read", m.BufferReadRequest, m.BufferReadResponse, server_stream=True)
FREE_BUFFER = Method(f"{_BUFFER}/freebuffer", m.FreeBufferRequest, m.FreeBufferResponse)
FLUSH = Method(f"{_BUFFER}/flush", m.FlushRequest, m.FlushResponse)
INVALIDATE = Method(f"{_BUFFER}/invalidate", m.InvalidateRequest, m.InvalidateResponse)
PHYSICAL_ADDRESS = Method(f"{_BUFFER}/physical_address", m.AddressRequest, m.AddressResponse)
VIRTUAL_ADDRESS = Method(f"{_BUFFER}/virtual_address", m.AddressRequest, m.AddressResponse)
CACHEABLE = Method(f"{_BUFFER}/cacheable", m.CacheableRequest, m.CacheableResponse)

_GPIO = "/gpio.Gpio"
GET_GPIO = Method(f"{_GPIO}/get_gpio", m.GetGpioRequest, m.GetGpioResponse)
GPIO_READ = Method(f"{_GPIO}/read", m.GpioReadRequest, m.GpioReadResponse)
GPIO_WRITE = Method(f"{_GPIO}/write", m.GpioWriteRequest, m.GpioWriteResponse)
GPIO_UNEXPORT = Method(f"{_GPIO}/unexport", m.GpioUnexportRequest, m.GpioUnexportResponse)
GPIO_IS_EXPORTED = Method(f"{_GPIO}/is_exported", m.GpioIsExportedRequest, m.GpioIsExportedResponse)
GPIO_BASE_PATH = Method(f"{_GPIO}/get_gpio_base_path", m.GetGpioBasePathRequest, m.GetGpioBasePathResponse)
GPIO_NPINS = Method(f"{_GPIO}/get_gpio_npins", m.GetGpioNPinsRequest, m.GetGpioNPinsResponse)

_INTERRUPT = "/interrupt.RemoteInterrupt"
REGISTER_INTERRUPT = Method(f"{_INTERRUPT}/register_interrupt", m.RegisterRequest, m.RegisterResponse)
WAIT_FOR_INTERRUPT = Method(f"{_INTERRUPT}/wait_for_interrupt", m.WaitRequest, m.WaitResponse)
RELEASE_INTERRUPT = Method(f"{_INTERRUPT}/release_interrupt", m.ReleaseRequest, m.ReleaseResponse)

HEALTH_CHECK = Method("/grpc.health.v1.Health/Check", m.HealthCheckRequest, m.HealthCheckResponse)
HEALTH_WATCH = Method("/grpc.health.v1.Health/Watch", m.HealthCheckRequest, m.HealthCheckResponse, server_stream=True)

# grpc.reflection.v1 has the messages of v1alpha byte for byte; older servers have only the latter.
REFLECTION, REFLECTION_ALPHA = (
    Method(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        m.ServerReflectionRequest,
        m.ServerReflectionResponse,
        client_stream=True,
        server_stream=True,
    )
    for version in ("v1", "v1alpha")
)
