import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_async.errors import ProtocolViolation
from pynq_async.wire import messages as m
from pynq_async.wire.framing import CHUNK, frames, payload


def _cut(data: bytes) -> tuple[list[m.BufferWriteRequest], list[int]]:
    told: list[int] = []
    head = m.BufferWriteRequest(buffer_id="0x55d0")
    messages = [m.BufferWriteRequest.FromString(raw) for raw in frames(head, 2, memoryview(data), told.append)]
    return messages, told


def test_the_first_message_may_be_small_and_those_after_it_are_twice_as_large_each() -> None:
    content = memoryview(bytes(3 * CHUNK))
    told: list[int] = []
    messages = list(frames(m.WriteFileRequest(file_path="/tmp/a"), 2, content, told.append, first=CHUNK // 4))
    sizes = [len(m.WriteFileRequest.FromString(message).data) for message in messages]
    assert sizes == [CHUNK // 4, CHUNK // 2, CHUNK, CHUNK, CHUNK // 4]
    assert told == [CHUNK // 4, CHUNK * 3 // 4, CHUNK * 7 // 4, CHUNK * 11 // 4, 3 * CHUNK]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_384, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_frames_are_what_protobuf_would_have_written(size: int) -> None:
    data = random.Random(size).randbytes(size)
    messages, told = _cut(data)
    assert b"".join(message.data for message in messages) == data
    assert {message.buffer_id for message in messages} == {"0x55d0"}
    assert max(len(message.data) for message in messages) <= CHUNK
    assert told == sorted(told) and told[-1] == size


def test_empty_data_is_one_message_and_not_none() -> None:
    messages, _ = _cut(b"")
    assert len(messages) == 1


@given(st.binary(max_size=300), st.text(max_size=20))
def test_a_payload_is_found_wherever_it_stands(data: bytes, said: str) -> None:
    raw = m.BufferReadResponse(data=data, msg=said).SerializeToString()
    view, rest = payload("board", raw, field=3)
    assert bytes(view) == data
    assert m.BufferReadResponse.FromString(rest).msg == said


@given(st.binary(max_size=40))
def test_bytes_that_are_no_message_are_a_protocol_violation_or_parse(junk: bytes) -> None:
    try:
        view, _ = payload("board", junk, field=1)
    except ProtocolViolation as error:
        assert str(error).startswith("board: ")
    else:
        assert bytes(view) in junk


def test_a_payload_is_not_copied() -> None:
    raw = m.ReadFileResponse(data=bytes(1000)).SerializeToString()
    view, _ = payload("board", raw, field=1)
    assert view.obj is raw
