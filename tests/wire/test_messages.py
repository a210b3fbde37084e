import subprocess
import sys

import pytest
from google.protobuf import descriptor_pool

from pynq_async.wire import messages as m
from pynq_async.wire import methods
from pynq_async.wire.methods import Method

ALL = [value for value in vars(methods).values() if isinstance(value, Method)]


@pytest.mark.parametrize("method", ALL, ids=str)
def test_methods_are_those_of_the_contract(method: Method) -> None:  # type: ignore[type-arg]
    if method.service.startswith("grpc.reflection.v1."):
        return  # served with the messages of v1alpha

    service = m.POOL.FindServiceByName(method.service)
    contract = service.methods_by_name[method.name]
    assert contract.input_type is method.request.DESCRIPTOR
    assert contract.output_type is method.response.DESCRIPTOR


def test_every_method_of_the_contract_is_there() -> None:
    contract = {
        f"/{service.full_name}/{method.name}"
        for name in m.FILE_NAMES
        for service in m.POOL.FindFileByName(name).services_by_name.values()
        for method in service.methods
    }
    assert contract <= {method.path for method in ALL}


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (m.ReadResponse, {"status": 1, "msg": 2, "data": 3}),
        (m.GetMmioResponse, {"status": 1, "msg": 2, "mmio_id": 3}),
        (m.AllocateRequest, {"size": 1, "dtype": 2, "cacheable": 3}),
        (m.AllocateResponse, {"msg": 2, "buffer_id": 3}),
        (m.BufferWriteRequest, {"buffer_id": 1, "data": 2, "start": 3, "end": 4}),
        (m.BufferReadResponse, {"msg": 2, "data": 3}),
        (m.GpioReadResponse, {"message": 2, "value": 3}),
        (m.GetGpioNPinsResponse, {"npins": 1}),
        (m.RegisterResponse, {"msg": 1, "interrupt_id": 2}),
        (m.WriteFileRequest, {"file_path": 1, "data": 2}),
    ],
)
def test_field_numbers_are_those_of_the_contract(message: type, fields: dict[str, int]) -> None:
    assert {field.name: field.number for field in message.DESCRIPTOR.fields} == fields  # type: ignore[attr-defined]


def test_register_values_are_the_same_bytes_signed_and_unsigned() -> None:
    varint = b"\x18\xef\x9b\xaf\xcd\xf8\xff\xff\xff\xff\x01"  # int32 -1985229329 as PYNQ 3.1 sends it
    assert m.ReadResponse.FromString(varint).data & 0xFFFF_FFFF == 0x89AB_CDEF


def test_nothing_is_put_into_the_pool_that_others_use() -> None:
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindFileByName("remote_device.proto")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, pynq_async; "
        "print([name for name in ('pynqmetadata', 'IPython', 'pydantic', 'click', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
