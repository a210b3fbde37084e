"""Health, reflection, GPIO and interrupts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, connected, eventually, refused

WATCH = methods.Method("/grpc.health.v1.Health/Watch", m.HealthCheckRequest, m.HealthCheckResponse, server_stream=True)
CORE = ["buffer.RemoteBuffer", "mmio.Mmio", "remote_device.RemoteDevice"]
ALWAYS = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
]


async def test_the_server_is_healthy_and_knows_no_service_by_name(client: RawClient) -> None:
    reply = await client.call(methods.HEALTH_CHECK, m.HealthCheckRequest())
    assert reply.status == m.HealthCheckResponse.SERVING
    status = await refused(client.call(methods.HEALTH_CHECK, m.HealthCheckRequest(service="mmio.Mmio")))
    assert status[0] is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("service", "status"),
    [("", m.HealthCheckResponse.SERVING), ("mmio.Mmio", m.HealthCheckResponse.SERVICE_UNKNOWN)],
)
async def test_watching_tells_the_status_and_stays_open(client: RawClient, service: str, status: int) -> None:
    watch = client.open(WATCH, m.HealthCheckRequest(service=service))
    assert (await watch.read()).status == status
    assert not watch.done()
    watch.cancel()


async def ask(client: RawClient, request: m.ServerReflectionRequest) -> list[m.ServerReflectionResponse]:
    return [
        await client.converse(method, [request]).read() for method in (methods.REFLECTION, methods.REFLECTION_ALPHA)
    ]


@pytest.mark.parametrize(
    ("options", "services"),
    [
        ({"release": "3.1"}, CORE),
        ({"release": "4.0"}, [*CORE, "gpio.Gpio"]),
        ({"interrupt": True}, [*CORE, "gpio.Gpio", "interrupt.RemoteInterrupt"]),
        ({"services": {"mmio"}}, ["mmio.Mmio"]),
    ],
)
async def test_reflection_lists_what_is_served(options: dict[str, object], services: list[str]) -> None:
    async with connected(SimBoard(**options)) as client:  # type: ignore[arg-type]
        for reply in await ask(client, m.ServerReflectionRequest(list_services="")):
            assert [entry.name for entry in reply.list_services_response.service] == sorted([*services, *ALWAYS])


@pytest.mark.parametrize(
    "request_fields", [{"file_by_filename": "mmio.proto"}, {"file_containing_symbol": "mmio.Mmio"}]
)
async def test_reflection_hands_out_descriptors(client: RawClient, request_fields: dict[str, str]) -> None:
    for reply in await ask(client, m.ServerReflectionRequest(**request_fields)):
        (data,) = reply.file_descriptor_response.file_descriptor_proto
        assert FileDescriptorProto.FromString(data).service[0].name == "Mmio"


@pytest.mark.parametrize(
    "request_fields",
    [{"file_by_filename": "no.proto"}, {"file_containing_symbol": "no.Such"}, {"file_by_filename": "gpio.proto"}],
)
async def test_reflection_does_not_find_what_is_not_served(request_fields: dict[str, str]) -> None:
    async with connected(SimBoard(release="3.1")) as client:
        for reply in await ask(client, m.ServerReflectionRequest(**request_fields)):
            assert reply.error_response.error_code == 5


async def test_a_pin_is_exported_written_and_read(board: SimBoard, client: RawClient) -> None:
    out = (await client.call(methods.GET_GPIO, m.GetGpioRequest(index=960, direction="out"))).gpio_id
    await client.call(methods.GPIO_WRITE, m.GpioWriteRequest(gpio_id=out, value=1))
    assert board.pins.read(960) == 1

    board.pins.write(961, 1)
    into = (await client.call(methods.GET_GPIO, m.GetGpioRequest(index=961, direction="in"))).gpio_id
    reply = await client.call(methods.GPIO_READ, m.GpioReadRequest(gpio_id=into))
    assert reply.HasField("value")
    assert reply.value == 1

    await client.call(methods.GPIO_UNEXPORT, m.GpioUnexportRequest(gpio_id=into))
    for gpio_id, exported in ((out, True), (into, False)):
        answer = await client.call(methods.GPIO_IS_EXPORTED, m.GpioIsExportedRequest(gpio_id=gpio_id))
        assert answer.is_exported is exported

    assert (await refused(client.call(methods.GPIO_READ, m.GpioReadRequest(gpio_id=into))))[
        0
    ] is grpc.StatusCode.NOT_FOUND


async def test_pins_used_the_wrong_way_are_refused(client: RawClient) -> None:
    for request in (m.GetGpioRequest(index=960, direction="up"), m.GetGpioRequest(index=5, direction="in")):
        reply = await client.call(methods.GET_GPIO, request)
        assert reply.message
        assert not reply.HasField("gpio_id")

    into = (await client.call(methods.GET_GPIO, m.GetGpioRequest(index=960, direction="in"))).gpio_id
    code, _ = await refused(client.call(methods.GPIO_WRITE, m.GpioWriteRequest(gpio_id=into, value=1)))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    out = (await client.call(methods.GET_GPIO, m.GetGpioRequest(index=960, direction="out"))).gpio_id
    assert (await client.call(methods.GPIO_READ, m.GpioReadRequest(gpio_id=out))).message


@pytest.mark.parametrize(
    ("family", "label", "base", "pins"),
    [("zynq7000", None, 906, 118), ("zynqmp", "zynqmp_gpio", 338, 174), ("versal", "pmc_gpio", 338, 116)],
)
async def test_chips_are_found_by_label(family: str, label: str | None, base: int, pins: int) -> None:
    async with connected(SimBoard(family=family)) as client:
        path = await client.call(methods.GPIO_BASE_PATH, m.GetGpioBasePathRequest(target_label=label))
        count = await client.call(methods.GPIO_NPINS, m.GetGpioNPinsRequest(target_label=label))
        assert (path.base_path, count.npins) == (f"/sys/class/gpio/gpiochip{base}", pins)
        assert await client.read_file(f"{path.base_path}/ngpio") == f"{pins}\n".encode()
        none = await client.call(methods.GPIO_BASE_PATH, m.GetGpioBasePathRequest(target_label="none"))
        assert not none.HasField("base_path")


@asynccontextmanager
async def interrupts() -> AsyncIterator[tuple[SimBoard, RawClient, str]]:
    async with connected(board := SimBoard(interrupt=True)) as client:
        request = m.RegisterRequest(pin_name="dma/introut", pin_index=3, raw_irq=61)
        yield board, client, (await client.call(methods.REGISTER_INTERRUPT, request)).interrupt_id


async def wait(client: RawClient, interrupt_id: str, timeout_ms: int) -> m.WaitResponse:
    return await client.call(
        methods.WAIT_FOR_INTERRUPT, m.WaitRequest(interrupt_id=interrupt_id, timeout_ms=timeout_ms)
    )


async def test_an_interrupt_wakes_who_waits_and_stays_pending_once() -> None:
    async with interrupts() as (board, client, interrupt_id):
        waiting = asyncio.ensure_future(wait(client, interrupt_id, 5000))
        await eventually(lambda: board.counters.unary_now == 1)
        assert board.raise_interrupt("dma/introut") == 1
        assert (await waiting).status == m.WaitResponse.FIRED

        assert [board.raise_interrupt(source) for source in (3, 61, "other")] == [1, 1, 0]
        assert (await wait(client, interrupt_id, 1)).status == m.WaitResponse.FIRED
        assert (await wait(client, interrupt_id, 1)).status == m.WaitResponse.TIMEOUT


async def test_a_released_interrupt_is_an_error_to_wait_for() -> None:
    async with interrupts() as (_, client, interrupt_id):
        release = m.ReleaseRequest(interrupt_id=interrupt_id)
        assert not (await client.call(methods.RELEASE_INTERRUPT, release)).HasField("msg")
        assert (await client.call(methods.RELEASE_INTERRUPT, release)).msg
        reply = await wait(client, interrupt_id, 1)
        assert reply.status == m.WaitResponse.ERROR
        assert reply.msg
